//! What registers and flags are known to hold.

use std::collections::BTreeMap;

use iced_x86::{
    ConditionCode, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register, RflagsBits,
};

use super::VOLATILE;

/// Some bits of 64.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bits {
    known: u64,
    /// 0 where not known.
    value: u64,
}

/// What is known before an instruction. What is not here may hold anything.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Values {
    registers: BTreeMap<Register, Bits>,
    carry: Option<bool>,
    zero: Option<bool>,
}

/// The largest constant that a comparison is told apart by.
const CASES: u64 = 64;

fn mask(bytes: usize) -> u64 {
    match bytes {
        0 => 0,
        1..8 => (1 << (8 * bytes)) - 1,
        _ => u64::MAX,
    }
}

/// The second byte of a register has a name of its own.
fn is_high_byte(register: Register) -> bool {
    matches!(
        register,
        Register::AH | Register::BH | Register::CH | Register::DH
    )
}

impl Bits {
    fn exactly(value: u64) -> Self {
        Self {
            known: u64::MAX,
            value,
        }
    }

    fn low(self, bytes: usize) -> Self {
        Self {
            known: self.known & mask(bytes),
            value: self.value & mask(bytes),
        }
    }

    fn zero_extended(self, bytes: usize) -> Self {
        let low = self.low(bytes);
        Self {
            known: low.known | !mask(bytes),
            ..low
        }
    }

    /// The value of so many bytes, if all of them are known.
    fn all(self, bytes: usize) -> Option<u64> {
        let low = self.low(bytes);
        (low.known == mask(bytes)).then_some(low.value)
    }
}

impl Values {
    /// What is known of a register, which may be a part of another.
    fn bits(&self, register: Register) -> Bits {
        let bits = self.registers.get(&register.full_register());
        match bits {
            Some(bits) if !is_high_byte(register) => bits.low(register.size()),
            _ => Bits::default(),
        }
    }

    /// What a register holds, if all of it is known.
    pub(super) fn get(&self, register: Register) -> Option<u64> {
        self.bits(register).all(register.size())
    }

    fn set(&mut self, register: Register, bits: Bits) {
        let bits = match register.size() {
            // Clears the upper half.
            4 => bits.zero_extended(4),
            _ => bits,
        };
        // What is narrower leaves the rest.
        let written = if register.size() < 4 {
            mask(register.size())
        } else {
            u64::MAX
        };
        if !is_high_byte(register) {
            let of = self.registers.entry(register.full_register()).or_default();
            of.known = of.known & !written | bits.known & written;
            of.value = of.value & !written | bits.value & written;
        }
    }

    /// Comes to know what a register holds. Unlike a write, this says nothing of other bits.
    fn know(&mut self, register: Register, value: u64) {
        if !is_high_byte(register) {
            let mask = mask(register.size());
            let of = self.registers.entry(register.full_register()).or_default();
            of.known |= mask;
            of.value = of.value & !mask | value;
        }
    }

    fn operand(&self, instruction: &Instruction, index: u32) -> Option<u64> {
        match instruction.op_kind(index) {
            OpKind::Register => self.get(instruction.op_register(index)),
            OpKind::Memory => None,
            _ => instruction.try_immediate(index).ok(),
        }
    }

    /// The address that a memory operand has.
    fn address(&self, instruction: &Instruction) -> Option<u64> {
        let part = |register| match register {
            Register::None => Some(0),
            register if register.size() == 8 => self.get(register),
            _ => None,
        };
        let index = part(instruction.memory_index())?;
        let scale = u64::from(instruction.memory_index_scale());
        let base = part(instruction.memory_base())?.wrapping_add(index.wrapping_mul(scale));
        Some(base.wrapping_add(instruction.memory_displacement64()))
    }

    /// What may be known after an instruction: one or more cases, and no others are possible.
    pub(super) fn after(mut self, instruction: &Instruction) -> Vec<Self> {
        let size = match instruction.op0_kind() {
            OpKind::Register => instruction.op0_register().size(),
            _ => 8,
        };
        let [first, second] = [0, 1].map(|index| {
            let is_there = index < instruction.op_count();
            is_there.then(|| self.operand(instruction, index)).flatten()
        });
        let result = match instruction.mnemonic() {
            Mnemonic::Mov | Mnemonic::Movzx if instruction.op1_kind() == OpKind::Register => {
                let source = instruction.op1_register();
                let bits = self.bits(source);
                Some(match instruction.mnemonic() {
                    Mnemonic::Movzx => bits.zero_extended(source.size()),
                    _ => bits,
                })
            }
            Mnemonic::Mov => second.map(Bits::exactly),
            Mnemonic::Lea => self.address(instruction).map(Bits::exactly),
            Mnemonic::Xor
                if instruction.op1_kind() == OpKind::Register
                    && instruction.op0_register() == instruction.op1_register() =>
            {
                Some(Bits::exactly(0))
            }
            Mnemonic::Cmp => return self.compared(instruction, size, first, second),
            Mnemonic::Test => {
                self.carry = Some(false);
                self.zero = first.zip(second).map(|(a, b)| a & b == 0);
                return vec![self];
            }
            Mnemonic::Bt => {
                let bit = second.map(|bit| bit % (8 * size as u64));
                self.carry = first.zip(bit).map(|(bits, bit)| bits >> bit & 1 != 0);
                return vec![self];
            }
            _ => None,
        };
        self.forget(instruction);
        if instruction.op0_kind() == OpKind::Register
            && let Some(bits) = result
        {
            self.set(instruction.op0_register(), bits);
        }
        vec![self]
    }

    /// After a comparison. With a small constant each value that is not above it is a case.
    fn compared(
        mut self,
        instruction: &Instruction,
        size: usize,
        first: Option<u64>,
        second: Option<u64>,
    ) -> Vec<Self> {
        let register = instruction.op0_register();
        match (first, second.map(|constant| constant & mask(size))) {
            (None, Some(constant))
                if constant <= CASES && instruction.op0_kind() == OpKind::Register =>
            {
                let below = (0..=constant).map(|value| {
                    let mut case = self.clone();
                    case.know(register, value);
                    case.carry = Some(value < constant);
                    case.zero = Some(value == constant);
                    case
                });
                let mut cases: Vec<_> = below.collect();
                self.carry = Some(false);
                self.zero = Some(false);
                cases.push(self);
                cases
            }
            (first, second) => {
                let both = first.zip(second);
                self.carry = both.map(|(a, b)| a < b);
                self.zero = both.map(|(a, b)| a == b);
                vec![self]
            }
        }
    }

    /// Knows no more what an instruction writes.
    fn forget(&mut self, instruction: &Instruction) {
        let mut factory = InstructionInfoFactory::new();
        for used in factory.info(instruction).used_registers() {
            if !matches!(
                used.access(),
                OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
            ) {
                self.registers.remove(&used.register().full_register());
            }
        }
        let is_call = matches!(
            instruction.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall
        );
        if is_call {
            for register in VOLATILE {
                self.registers.remove(&register);
            }
        }
        let flags = if is_call {
            u32::MAX
        } else {
            instruction.rflags_modified()
        };
        if flags & RflagsBits::CF != 0 {
            self.carry = None;
        }
        if flags & RflagsBits::ZF != 0 {
            self.zero = None;
        }
    }

    /// Whether a conditional jump is taken, if that is known.
    pub(super) fn is_taken(&self, jump: &Instruction) -> Option<bool> {
        let (carry, zero) = (self.carry, self.zero);
        let either = match (carry, zero) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        let not = |flag: Option<bool>| flag.map(|flag| !flag);
        match jump.condition_code() {
            _ if !jump.is_jcc_short_or_near() => None,
            ConditionCode::b => carry,
            ConditionCode::ae => not(carry),
            ConditionCode::e => zero,
            ConditionCode::ne => not(zero),
            ConditionCode::be => either,
            ConditionCode::a => not(either),
            _ => None,
        }
    }
}
