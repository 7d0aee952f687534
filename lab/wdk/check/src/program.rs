//! All of an image's code: its functions, and what calls what.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    flow::{Bounds, Function, Origin},
    pe::Image,
};

/// Every function that can be reached.
#[derive(Debug)]
pub struct Program {
    /// What somebody outside may call: the entry point, exports, and every function whose address
    /// is taken, by data or by code.
    pub roots: BTreeSet<u32>,
    /// What can be reached from them.
    pub functions: BTreeMap<u32, Function>,
}

impl Program {
    /// Follows control from wherever it can come in.
    #[must_use]
    pub fn read(image: &Image<'_>) -> Self {
        let bounds = Bounds::new(image);
        let mut roots = image.code_pointers();
        roots.insert(image.entry_point());
        let mut functions = BTreeMap::new();
        let mut open: Vec<u32> = roots.iter().copied().collect();
        while let Some(start) = open.pop() {
            if functions.contains_key(&start) {
                continue;
            }
            let function = Function::read(&bounds, start);
            open.extend(&function.calls);
            open.extend(&function.tail_calls);
            let taken = function.addresses_taken(image);
            open.extend(&taken);
            roots.extend(taken);
            functions.insert(start, function);
        }
        Self { roots, functions }
    }

    /// What can be reached from a function, itself included.
    #[must_use]
    pub fn reach(&self, root: u32) -> BTreeSet<u32> {
        let mut reached = BTreeSet::new();
        let mut open = vec![root];
        while let Some(start) = open.pop() {
            if let Some(function) = self.functions.get(&start)
                && reached.insert(start)
            {
                open.extend(function.calls.iter().chain(&function.tail_calls));
            }
        }
        reached
    }

    /// What all functions call through memory or a register.
    pub fn indirect(&self) -> impl Iterator<Item = (u32, &Origin)> {
        let functions = self.functions.iter();
        functions.flat_map(|(&start, function)| {
            let origins = function.indirect.values().flatten();
            origins.map(move |origin| (start, origin))
        })
    }
}
