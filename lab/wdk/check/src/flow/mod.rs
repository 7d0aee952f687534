//! One function's instructions, and where control goes from each.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, Register};

use crate::pe::Image;

mod indices;
mod origin;
mod tables;
mod values;

pub use origin::Origin;
pub use tables::JumpTable;

/// A function, as far as control gets from its beginning.
#[derive(Debug)]
pub struct Function {
    start: u32,
    /// Its instructions, by address.
    pub instructions: BTreeMap<u32, Instruction>,
    /// Functions that it calls.
    pub calls: BTreeSet<u32>,
    /// Functions that it ends in, by a jump.
    pub tail_calls: BTreeSet<u32>,
    /// Where it calls or jumps to through memory or a register: the instruction, and what it
    /// goes through.
    pub indirect: BTreeMap<u32, BTreeSet<Origin>>,
    /// Its jump tables.
    pub tables: Vec<JumpTable>,
    predecessors: BTreeMap<u32, BTreeSet<u32>>,
}

/// Where code may be: what ends functions and jump tables.
#[derive(Debug)]
pub struct Bounds<'a> {
    image: &'a Image<'a>,
    functions: Vec<Range<u32>>,
    /// Addresses that instructions mention: each may be where a table begins.
    mentioned: BTreeSet<u32>,
}

impl<'a> Bounds<'a> {
    /// Reads the function table of `image`, and all the code in it.
    #[must_use]
    pub fn new(image: &'a Image<'a>) -> Self {
        let functions: Vec<_> = image.functions().into_iter().map(|f| f.code).collect();
        let mentioned = functions
            .iter()
            .flat_map(|code| decode(image, code.clone()))
            .filter(Instruction::is_ip_rel_memory_operand)
            .map(|instruction| instruction.ip_rel_memory_address() as u32)
            .collect();
        Self {
            image,
            functions,
            mentioned,
        }
    }

    /// The extent of the function with `address` in it. What has no unwind data is a leaf, of which
    /// only the beginning is known.
    fn extent(&self, address: u32) -> Option<&Range<u32>> {
        self.functions.iter().find(|code| code.contains(&address))
    }

    fn instruction(&self, address: u32) -> Option<Instruction> {
        let bytes = self.image.bytes_at(address);
        let decoder = Decoder::with_ip(64, bytes, address.into(), DecoderOptions::NONE);
        decoder.into_iter().next()
    }
}

fn is_trap(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Interrupt | FlowControl::Exception
    ) || instruction.code() == Code::INVALID
}

fn decode(image: &Image<'_>, code: Range<u32>) -> impl Iterator<Item = Instruction> {
    let bytes = image.bytes_at(code.start);
    let bytes = &bytes[..bytes.len().min(code.len())];
    Decoder::with_ip(64, bytes, code.start.into(), DecoderOptions::NONE).into_iter()
}

/// Registers that a call does not preserve (page "x64 calling convention").
const VOLATILE: [Register; 7] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
];

/// What may follow an instruction inside its function.
enum Next {
    /// Nothing.
    End,
    /// The next instruction.
    On,
    /// Another one.
    Jump(u32),
    /// Either.
    Branch(u32),
    /// What a register or memory says.
    Indirect,
}

fn next(instruction: &Instruction) -> Next {
    let target = || instruction.near_branch_target() as u32;
    match instruction.flow_control() {
        FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => Next::On,
        FlowControl::UnconditionalBranch => Next::Jump(target()),
        FlowControl::ConditionalBranch => Next::Branch(target()),
        FlowControl::IndirectBranch => Next::Indirect,
        _ => Next::End,
    }
}

impl Function {
    /// Follows control from `start`.
    #[must_use]
    pub fn read(bounds: &Bounds<'_>, start: u32) -> Self {
        // A jump table is found through the instructions that lead to it, and finds more of them.
        let mut tables: Vec<JumpTable> = Vec::new();
        loop {
            let mut function = Self::walk(bounds, start, &tables);
            let found = function.jump_tables(bounds);
            if found == tables {
                function.tables = tables;
                function.find_indirect();
                return function;
            }
            tables = found;
        }
    }

    fn walk(bounds: &Bounds<'_>, start: u32, tables: &[JumpTable]) -> Self {
        let mut function = Self {
            start,
            instructions: BTreeMap::new(),
            calls: BTreeSet::new(),
            tail_calls: BTreeSet::new(),
            indirect: BTreeMap::new(),
            tables: Vec::new(),
            predecessors: BTreeMap::new(),
        };
        let extent = bounds.extent(start);
        let mut open = vec![start];
        while let Some(address) = open.pop() {
            if function.instructions.contains_key(&address) {
                continue;
            }
            let Some(instruction) = bounds.instruction(address) else {
                continue;
            };
            function.instructions.insert(address, instruction);
            if instruction.flow_control() == FlowControl::Call {
                function
                    .calls
                    .insert(instruction.near_branch_target() as u32);
            }
            let on = instruction.next_ip() as u32;
            let targets = match next(&instruction) {
                Next::End => Vec::new(),
                Next::On => vec![on],
                Next::Jump(target) => vec![target],
                Next::Branch(target) => vec![on, target],
                Next::Indirect => tables
                    .iter()
                    .filter(|table| table.jump == address)
                    .flat_map(|table| table.targets.clone())
                    .collect(),
            };
            for target in targets {
                if bounds.extent(target) == extent {
                    let predecessors = function.predecessors.entry(target).or_default();
                    predecessors.insert(address);
                    open.push(target);
                } else {
                    function.tail_calls.insert(target);
                }
            }
        }
        function
    }

    /// The instructions that control gets to and that end in an exception.
    #[must_use]
    pub fn traps(&self) -> Vec<u32> {
        let traps = self.instructions.values().filter(|at| is_trap(at));
        traps.map(|trap| trap.ip() as u32).collect()
    }

    /// The code whose address it takes.
    #[must_use]
    pub fn addresses_taken(&self, image: &Image<'_>) -> BTreeSet<u32> {
        let taken = self.instructions.values().filter(|instruction| {
            instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand()
        });
        taken
            .map(|lea| lea.ip_rel_memory_address() as u32)
            .filter(|address| image.is_code(*address))
            .collect()
    }

    fn find_indirect(&mut self) {
        let indirect = self.instructions.values().filter(|instruction| {
            let at = instruction.ip() as u32;
            let calls = instruction.flow_control() == FlowControl::IndirectCall;
            let jumps = instruction.flow_control() == FlowControl::IndirectBranch;
            calls || (jumps && self.tables.iter().all(|table| table.jump != at))
        });
        self.indirect = indirect
            .map(|instruction| {
                let at = instruction.ip() as u32;
                (at, self.read_by(instruction))
            })
            .collect();
    }
}
