//! Where the value that a call or a jump uses comes from.

use std::collections::BTreeSet;

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::{Function, VOLATILE};

/// Where the value of a register comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The address itself.
    Address(u32),
    /// The 8 bytes at an address.
    Memory(u32),
    /// The 8 bytes so far into a table whose address is in the 8 bytes at an address.
    Table {
        /// Where the address of the table is.
        base: u32,
        /// In bytes.
        offset: u32,
    },
    /// Something else, from the instruction at an address (the function's first, for an argument).
    Unknown(u32),
}

/// Moves that are followed back, from one place to another. Compilers need one or two.
const MOVES: u32 = 4;

impl Function {
    /// Where the operand that `instruction` reads comes from.
    pub(super) fn read_by(&self, instruction: &Instruction) -> BTreeSet<Origin> {
        self.read_after(instruction, MOVES)
    }

    /// Where the value that `register` has before the instruction at `at` may come from.
    pub(super) fn origins(&self, at: u32, register: Register) -> BTreeSet<Origin> {
        self.origins_after(at, register, MOVES)
    }

    fn read_after(&self, instruction: &Instruction, moves: u32) -> BTreeSet<Origin> {
        let at = instruction.ip() as u32;
        let last = instruction.op_count().saturating_sub(1);
        match instruction.op_kind(last) {
            OpKind::Register => self.origins_after(at, instruction.op_register(last), moves),
            OpKind::Memory if instruction.is_ip_rel_memory_operand() => {
                let address = instruction.ip_rel_memory_address() as u32;
                let is_address = instruction.mnemonic() == Mnemonic::Lea;
                BTreeSet::from([if is_address {
                    Origin::Address(address)
                } else {
                    Origin::Memory(address)
                }])
            }
            OpKind::Memory
                if instruction.memory_index() == Register::None
                    && instruction.mnemonic() != Mnemonic::Lea =>
            {
                let offset = instruction.memory_displacement64() as u32;
                self.origins_after(at, instruction.memory_base(), moves)
                    .into_iter()
                    .map(|origin| match origin {
                        Origin::Memory(base) => Origin::Table { base, offset },
                        _ => Origin::Unknown(at),
                    })
                    .collect()
            }
            _ => BTreeSet::from([Origin::Unknown(at)]),
        }
    }

    fn origins_after(&self, at: u32, register: Register, moves: u32) -> BTreeSet<Origin> {
        let definitions = self.definitions(at, register);
        definitions
            .into_iter()
            .flat_map(|definition| {
                let instruction = definition.and_then(|at| self.instructions.get(&at));
                match instruction {
                    Some(mov)
                        if moves > 0 && matches!(mov.mnemonic(), Mnemonic::Mov | Mnemonic::Lea) =>
                    {
                        self.read_after(mov, moves - 1)
                    }
                    other => {
                        let at = other.map_or(self.start, |instruction| instruction.ip() as u32);
                        BTreeSet::from([Origin::Unknown(at)])
                    }
                }
            })
            .collect()
    }

    /// The instructions that may have written what `register` has before the one at `at`; `None`
    /// is the caller.
    pub(super) fn definitions(&self, at: u32, register: Register) -> Vec<Option<u32>> {
        let register = register.full_register();
        let mut factory = InstructionInfoFactory::new();
        let mut definitions = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![at];
        while let Some(address) = open.pop() {
            if address == self.start {
                definitions.insert(None);
            }
            for &before in self.predecessors.get(&address).into_iter().flatten() {
                if !seen.insert(before) {
                    continue;
                }
                let instruction = &self.instructions[&before];
                if writes(&mut factory, instruction, register) {
                    definitions.insert(Some(before));
                } else {
                    open.push(before);
                }
            }
        }
        definitions.into_iter().collect()
    }
}

fn writes(
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
    register: Register,
) -> bool {
    let is_call = matches!(
        instruction.flow_control(),
        FlowControl::Call | FlowControl::IndirectCall
    );
    let used = factory.info(instruction).used_registers().iter();
    let mut written = used.filter(|used| {
        matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    });
    (is_call && VOLATILE.contains(&register))
        || written.any(|used| used.register().full_register() == register)
}
