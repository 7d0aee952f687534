//! Jump tables, as LLVM makes them.

use iced_x86::{Instruction, Mnemonic, OpKind};

use super::{Bounds, Function, Origin, is_trap};

/// A table of offsets of code, relative to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JumpTable {
    /// The jump.
    pub jump: u32,
    /// Where the table is.
    pub address: u32,
    /// Where the entries lead that it is entered by.
    pub targets: Vec<u32>,
}

impl Function {
    /// `movsxd r, [table + index*4]; add r, table; jmp r`, each once for every jump.
    pub(super) fn jump_tables(&self, bounds: &Bounds<'_>) -> Vec<JumpTable> {
        let jumps = self.instructions.values();
        jumps
            .filter(|jump| jump.is_jmp_near_indirect() && jump.op0_kind() == OpKind::Register)
            .filter_map(|jump| {
                let at = jump.ip() as u32;
                let register = jump.op0_register();
                let [add] = self.definitions(at, register)[..] else {
                    return None;
                };
                let add = self.instructions.get(&add?)?;
                let [load] = self.definitions(add.ip() as u32, register)[..] else {
                    return None;
                };
                let load = self.instructions.get(&load?)?;
                let base = |at: &Instruction, register| {
                    let origins = self.origins(at.ip() as u32, register);
                    match origins.first() {
                        Some(Origin::Address(table)) if origins.len() == 1 => Some(*table),
                        _ => None,
                    }
                };
                let is_table = add.mnemonic() == Mnemonic::Add
                    && load.mnemonic() == Mnemonic::Movsxd
                    && load.memory_index_scale() == 4;
                let table = base(add, add.op1_register()).filter(|_| is_table)?;
                (base(load, load.memory_base()) == Some(table)).then(|| {
                    let mut targets = targets(bounds, self.start, table);
                    // A hole in a table leads to a trap: is the jump ever made through one?
                    let mut instructions = targets.iter().filter_map(|at| bounds.instruction(*at));
                    if instructions.any(|at| is_trap(&at))
                        && let Some(indices) = self.values(load.ip() as u32, load.memory_index())
                        && indices.iter().all(|index| *index < targets.len() as u64)
                    {
                        let entered = indices.into_iter().map(|index| targets[index as usize]);
                        targets = entered.collect();
                    }
                    JumpTable {
                        jump: at,
                        address: table,
                        targets,
                    }
                })
            })
            .collect()
    }
}

/// The targets of the table at `table`, as many as there can be: it ends before anything else that
/// code mentions, and where an entry leads out of the function.
fn targets(bounds: &Bounds<'_>, start: u32, table: u32) -> Vec<u32> {
    let extent = bounds.extent(start);
    let end = bounds.mentioned.range(table + 1..).next();
    (table..end.copied().unwrap_or(u32::MAX))
        .step_by(4)
        .map_while(|entry| bounds.image.u32_at(entry))
        .map(|offset| table.wrapping_add(offset))
        .take_while(|target| bounds.image.is_code(*target) && bounds.extent(*target) == extent)
        .collect()
}
