//! One call of a driver.

use crate::Current;
use crate::exports::Export;

/// The general registers, in the order in which the boundary saves them.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Registers {
    pub(super) rax: u64,
    pub(super) rcx: u64,
    pub(super) rdx: u64,
    pub(super) rbx: u64,
    pub(super) rbp: u64,
    pub(super) rsi: u64,
    pub(super) rdi: u64,
    pub(super) r8: u64,
    pub(super) r9: u64,
    pub(super) r10: u64,
    pub(super) r11: u64,
    pub(super) r12: u64,
    pub(super) r13: u64,
    pub(super) r14: u64,
    pub(super) r15: u64,
}

/// A call that a driver is about to make.
#[derive(Debug)]
pub struct Call<'a> {
    /// What it calls.
    pub export: &'static Export,
    /// Where the call returns to, in the driver.
    pub return_address: usize,
    /// The driver's stack pointer before the call.
    pub stack: usize,
    pub(super) registers: &'a Registers,
}

impl Call<'_> {
    /// The first four arguments, as far as the function has them and they are no floating point
    /// numbers. What is narrower than a register has rubbish above it.
    pub fn arguments(&self) -> [u64; 4] {
        let Registers {
            rcx, rdx, r8, r9, ..
        } = *self.registers;
        [rcx, rdx, r8, r9]
    }

    /// Where the call returns to, for people.
    pub(super) fn place(&self) -> String {
        place(self.return_address)
    }
}

/// An address in a driver, for people: the image, the offset in it, and the function.
pub(super) fn place(address: usize) -> String {
    let image = match Current::exists() {
        true => Current::with(|current| current.kernel.modules.find(address)),
        false => None,
    };
    match image {
        Some(image) => image.describe(address),
        None => format!("{address:#x}"),
    }
}
