//! One call of a driver.

use std::cell::Cell;
use std::fmt;

use super::framework;
use super::stack::{self, Context, Stack, word_on_stack};
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

    /// The driver's stack, from where the call returns to.
    pub fn stack(&self) -> Stack {
        Stack::of(&self.context())
    }

    /// The bytes of stack that the image has taken for it to come to this call, since it was called
    /// itself; `None` if that cannot be told.
    pub fn depth(&self) -> Option<usize> {
        stack::depth(&self.context())
    }

    fn context(&self) -> Context {
        let of = self.registers;
        Context {
            instruction: self.return_address,
            registers: [
                of.rax,
                of.rcx,
                of.rdx,
                of.rbx,
                self.stack as u64,
                of.rbp,
                of.rsi,
                of.rdi,
                of.r8,
                of.r9,
                of.r10,
                of.r11,
                of.r12,
                of.r13,
                of.r14,
                of.r15,
            ],
            is_calling: true,
        }
    }

    /// Makes it the thread's last, for [`Whereabouts`].
    pub(super) fn remember(&self) {
        let here = Some(Whereabouts {
            function: Some(self.export.name),
            context: self.context(),
        });
        LAST.set(here);
        if framework::is_of(self.export) {
            LAST_OF_FRAMEWORK.set(here);
        }
    }
}

thread_local! {
    /// Where this host thread was last seen in a driver.
    static LAST: Cell<Option<Whereabouts>> = const { Cell::new(None) };
    /// The same, of calls to the framework, which calls the kernel itself.
    static LAST_OF_FRAMEWORK: Cell<Option<Whereabouts>> = const { Cell::new(None) };
}

/// Where a thread is, or was when it called the kernel, in a driver.
#[derive(Clone, Copy)]
pub(crate) struct Whereabouts {
    /// What it called, if it did.
    function: Option<&'static str>,
    context: Context,
}

impl Whereabouts {
    /// Where this thread is in a driver, if its drivers are verified: in the last call that it made
    /// to the kernel if that has not returned, or where it was interrupted.
    pub(crate) fn now() -> Option<Whereabouts> {
        let verifies = Current::exists() && Current::with(|now| now.kernel.verifier.is_some());
        LAST.get().filter(|last| verifies && last.is_there())
    }

    /// The function of the framework's that this thread is in, as far as [`Self::now`] can tell.
    pub(crate) fn in_framework() -> Option<&'static str> {
        Whereabouts::now()?;
        let last = LAST_OF_FRAMEWORK.get().filter(Whereabouts::is_there)?;
        last.function
    }

    /// Whether the thread is still there.
    fn is_there(&self) -> bool {
        let Context {
            instruction,
            registers,
            is_calling,
        } = self.context;
        // N.B. who returned has left the address where it was, until the place is used anew. The
        // thread is then either above it or has written there.
        let return_address = || word_on_stack(registers[RSP] as usize - size_of::<usize>());
        !is_calling || return_address() == Some(instruction)
    }

    /// Notes where this thread was interrupted, if that was in a driver.
    pub(super) fn interrupted(context: Context) {
        let at = context.instruction;
        if Current::with(|current| current.kernel.modules.find(at)).is_some() {
            let function = None;
            LAST.set(Some(Whereabouts { function, context }));
        }
    }

    /// The stack there.
    pub(crate) fn stack(&self) -> Stack {
        Stack::of(&self.context)
    }
}

/// The number of the stack pointer.
pub(super) const RSP: usize = 4;

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let irql = Current::with(|current| current.thread.ke.irql());
        match self.function {
            Some(function) => write!(f, "in {function}, called at IRQL {irql} by")?,
            None => write!(f, "at IRQL {irql} in")?,
        }
        write!(f, "{}", self.stack())
    }
}
