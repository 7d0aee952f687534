//! The basic blocks of an image.

use std::collections::BTreeSet;

use iced_x86::{FlowControl, Instruction};
use ntwatch_wdk_check::{flow::Function, pe::Image, program::Program};

/// Where the basic blocks of `image` begin, relative to its base: every function, every target of
/// a jump, and what follows a jump that may not be taken.
///
/// N.B. not counted is a block that is a trap: `xtask verify` proves that control gets to none.
#[must_use]
pub fn blocks(image: &Image<'_>) -> BTreeSet<u32> {
    let program = Program::read(image);
    let functions = program.functions.iter();
    functions
        .flat_map(|(&start, function)| of_function(start, function))
        .collect()
}

fn of_function(start: u32, function: &Function) -> BTreeSet<u32> {
    let jumps = function.instructions.values().flat_map(successors);
    let tables = function.tables.iter().flat_map(|table| &table.targets);
    let mut blocks: BTreeSet<u32> = jumps.chain(tables.copied()).chain([start]).collect();
    // A jump out of the function begins a block of another one.
    blocks.retain(|block| {
        let first = function.instructions.get(block);
        first.is_some_and(|first| !is_trap(first))
    });
    blocks
}

/// Where control may go on after a jump.
fn successors(instruction: &Instruction) -> Vec<u32> {
    let target = || instruction.near_branch_target() as u32;
    match instruction.flow_control() {
        FlowControl::ConditionalBranch => vec![target(), instruction.next_ip() as u32],
        FlowControl::UnconditionalBranch => vec![target()],
        _ => Vec::new(),
    }
}

fn is_trap(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Interrupt | FlowControl::Exception
    )
}
