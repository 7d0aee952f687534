//! What a register can hold at an instruction: a proof by cases.
//!
//! Every way to an instruction passes those that dominate it. From one of them on, with nothing
//! known, all ways are followed with what each says of the registers: a comparison with a small
//! constant is a case for each value that it lets through. Where that yields a value on every way,
//! these are all that there are.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::Register;
use petgraph::{algo::dominators, graphmap::DiGraphMap};

use super::{Function, Next, next, values::Values};

/// As many states are looked at from one dominator. LLVM's checks take a few dozen.
const STATES: usize = 4096;

impl Function {
    /// Every value that `register` can have before the instruction at `at`; `None` if they are not
    /// known.
    pub(super) fn values(&self, at: u32, register: Register) -> Option<BTreeSet<u64>> {
        let edges = self.predecessors.iter();
        let edges = edges.flat_map(|(&to, from)| from.iter().map(move |&from| (from, to)));
        let graph = DiGraphMap::<u32, ()>::from_edges(edges);
        let dominators = dominators::simple_fast(&graph, self.start);
        let mut nearest_first = dominators.strict_dominators(at)?;
        nearest_first.find_map(|from| self.values_from(&graph, from, at, register))
    }

    /// The same, where nothing is known at `from`. N.B. The ways are followed beyond `at`, too, for
    /// a loop may come back to it; at `from` they end, since all that follows is looked at anyway.
    fn values_from(
        &self,
        graph: &DiGraphMap<u32, ()>,
        from: u32,
        at: u32,
        register: Register,
    ) -> Option<BTreeSet<u64>> {
        let on_the_way = self.between(from, at);
        let mut found = BTreeSet::new();
        let mut seen: BTreeMap<u32, BTreeSet<Values>> = BTreeMap::new();
        let mut states = 0;
        let mut open = vec![(from, Values::default())];
        while let Some((address, values)) = open.pop() {
            if !seen.entry(address).or_default().insert(values.clone()) {
                continue;
            }
            states += 1;
            if states > STATES {
                return None;
            }
            if address == at {
                found.insert(values.get(register)?);
            }
            let instruction = self.instructions.get(&address)?;
            for after in values.after(instruction) {
                let only = match next(instruction) {
                    Next::Branch(target) => after.is_taken(instruction).map(|is_taken| {
                        if is_taken {
                            target
                        } else {
                            instruction.next_ip() as u32
                        }
                    }),
                    _ => None,
                };
                let targets = graph.neighbors(address);
                let targets = targets.filter(|target| only.is_none_or(|only| only == *target));
                let targets = targets.filter(|target| on_the_way.contains(target));
                open.extend(targets.map(|target| (target, after.clone())));
            }
        }
        Some(found)
    }

    /// The instructions from which control gets to `at` without passing `from`, and `at`.
    fn between(&self, from: u32, at: u32) -> BTreeSet<u32> {
        let mut between = BTreeSet::new();
        let mut open = vec![at];
        while let Some(address) = open.pop() {
            if address != from && between.insert(address) {
                open.extend(self.predecessors.get(&address).into_iter().flatten());
            }
        }
        between
    }
}
