//! The thread object, and what a thread is made from.

use super::Process;
use super::id::Id;
use super::lent::Lent;
use crate::ke::ThreadState;
use crate::ob::{Kind, Object, ObjectRef};
use crate::se::Token;
use crate::{Current, Kernel};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_PENDING};

/// A thread to be. `None` is what is left to the kernel.
#[derive(Clone, Debug, Default)]
pub struct NewThread {
    /// Its id; otherwise the kernel chooses one.
    pub id: Option<u32>,
    /// The Win32 start address; 0 if nobody can tell, and then the kernel does not either.
    pub start_address: u64,
    /// Is it a thread of the Windows Subsystem for Linux? Otherwise it is what its process is.
    pub wsl: Option<bool>,
}

/// A modelled thread.
#[derive(Debug)]
pub struct Thread {
    /// Its id.
    pub id: u32,
    /// The process it belongs to.
    pub process: ObjectRef<Process>,
    /// The Win32 start address; 0 if nobody can tell.
    pub start_address: u64,
    /// Is it a thread of the Windows Subsystem for Linux?
    pub wsl: bool,
    /// What [`crate::ke`] keeps for it.
    pub ke: ThreadState,
    /// The process it is attached to.
    attached: Lent<Process>,
    /// The token of whom it acts for.
    impersonation: Lent<Token>,
    pub(super) exit_status: AtomicI32,
    _id: Id,
}

impl Thread {
    pub(super) fn new(process: &ObjectRef<Process>, new: &NewThread, id: Id) -> Thread {
        Thread {
            id: id.value(),
            process: process.clone(),
            start_address: new.start_address,
            wsl: new.wsl.unwrap_or(process.wsl),
            ke: ThreadState::default(),
            attached: Lent::default(),
            impersonation: Lent::default(),
            exit_status: AtomicI32::new(STATUS_PENDING),
            _id: id,
        }
    }

    /// What it ended with; `STATUS_PENDING` while it runs.
    pub fn exit_status(&self) -> NTSTATUS {
        self.exit_status.load(Ordering::Relaxed)
    }

    /// Does it belong to the System process?
    pub fn is_system(&self) -> bool {
        self.process.id == super::SYSTEM_ID
    }

    /// The process in whose address space the thread runs now: the one it is attached to, or its
    /// own. For the thread itself to call.
    pub(crate) fn current_process(&self) -> ObjectRef<Process> {
        let attached = self.attached.get();
        attached.unwrap_or_else(|| self.process.clone())
    }

    /// The address of [`Self::current_process`], to which no reference is taken.
    pub(crate) fn current_process_ptr(&self) -> *mut Process {
        let attached = self.attached.as_ptr();
        if attached.is_null() {
            self.process.as_ptr()
        } else {
            attached
        }
    }

    /// The token that decides what the thread may do: of whom it acts for, or its process'. For
    /// the thread itself to call.
    pub(crate) fn effective_token(&self) -> ObjectRef<Token> {
        let impersonated = self.impersonation.get();
        impersonated.unwrap_or_else(|| self.process.token.clone())
    }
}

impl Kernel {
    /// Runs `body` with the current thread attached to `process`, as `KeStackAttachProcess` does:
    /// that is the current process then, and its handles are the current ones.
    pub fn attach<R>(
        self: &Arc<Self>,
        process: &ObjectRef<Process>,
        body: impl FnOnce() -> R,
    ) -> R {
        let thread = Current::with(|current| current.thread.clone());
        thread.attached.during(process, body)
    }

    /// Runs `body` with the current thread acting for whoever has `token`, as
    /// `ImpersonateLoggedOnUser` does: privileges and access to devices are that one's then.
    pub fn impersonate<R>(self: &Arc<Self>, token: Token, body: impl FnOnce() -> R) -> R {
        let thread = Current::with(|current| current.thread.clone());
        let token = ObjectRef::new(&self.objects, token);
        thread.impersonation.during(&token, body)
    }
}

impl Object for Thread {
    const KIND: Kind = Kind::Thread;
    fn describe(&self) -> String {
        format!("tid {} of pid {}", self.id, self.process.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::ps::NewProcess;

    #[test]
    fn an_attached_thread_has_another_current_process_and_the_same_owner() {
        let kernel = Kernel::boot(Config::default());
        let [own, other] = [(); 2].map(|()| kernel.add_process(NewProcess::default()));
        let current = || Current::with(|current| current.thread.current_process());
        kernel.enter(&own, || {
            kernel.attach(&other, || {
                assert_eq!(current(), other);
                assert_eq!(Current::with(|c| c.thread.process.clone()), own);
            });
            assert_eq!(current(), own);
        });
    }
}
