//! How much stack functions take, with all that they call.

use std::collections::BTreeMap;

use crate::{
    pe::Image,
    program::Program,
    unwind::{UnwindError, frame_size},
};

/// How much stack a function and what it calls take at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// Of the function itself, in bytes, with its return address.
    pub frame: u32,
    /// Of all, in bytes. What the kernel and the framework take when called counts for nothing.
    pub total: u32,
    /// The callee on the deepest way.
    pub next: Option<u32>,
}

/// A stack whose depth is not known.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StackError {
    /// Recursion.
    #[error("recursion: {0:x?}")]
    Recursion(Vec<u32>),
    /// Unwind data.
    #[error(transparent)]
    Unwind(#[from] UnwindError),
}

impl Program {
    /// The deepest way down from each function.
    ///
    /// # Errors
    /// [`StackError`].
    pub fn depths(&self, image: &Image<'_>) -> Result<BTreeMap<u32, Depth>, StackError> {
        let unwind_infos = image.functions().into_iter();
        let unwind_infos = unwind_infos.map(|f| (f.code.start, f.unwind_info));
        let mut stack = Stack {
            image,
            program: self,
            unwind_infos: unwind_infos.collect(),
            depths: BTreeMap::new(),
            way: Vec::new(),
        };
        for &start in self.functions.keys() {
            stack.depth(start)?;
        }
        Ok(stack.depths)
    }
}

const RETURN_ADDRESS: u32 = 8;

struct Stack<'a> {
    image: &'a Image<'a>,
    program: &'a Program,
    unwind_infos: BTreeMap<u32, u32>,
    depths: BTreeMap<u32, Depth>,
    /// The functions that are being looked at, outermost first.
    way: Vec<u32>,
}

impl Stack<'_> {
    fn depth(&mut self, start: u32) -> Result<u32, StackError> {
        if let Some(depth) = self.depths.get(&start) {
            return Ok(depth.total);
        }
        let is_repeated = self.way.contains(&start);
        self.way.push(start);
        if is_repeated {
            return Err(StackError::Recursion(self.way.clone()));
        }
        // A leaf has no unwind data, and nothing but its return address on the stack.
        let frame = match self.unwind_infos.get(&start) {
            Some(&unwind_info) => frame_size(self.image, unwind_info)?,
            None => 0,
        } + RETURN_ADDRESS;
        let mut depth = Depth {
            frame,
            total: frame,
            next: None,
        };
        let program = self.program;
        let function = &program.functions[&start];
        if !function.indirect.is_empty() {
            depth.total += RETURN_ADDRESS;
        }
        let calls = function.calls.iter().map(|callee| (frame, *callee));
        // The frame is gone when a function ends in another.
        let tail_calls = function.tail_calls.iter().map(|callee| (0, *callee));
        for (above, callee) in calls.chain(tail_calls) {
            let total = above + self.depth(callee)?;
            if total > depth.total {
                depth.total = total;
                depth.next = Some(callee);
            }
        }
        self.way.pop();
        let total = depth.total;
        self.depths.insert(start, depth);
        Ok(total)
    }
}
