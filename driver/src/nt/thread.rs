//! Thread objects.

use crate::nt::check;
use crate::nt::process::Process;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use ntwatch_engine::facts::Object;
use wdk_sys::ntddk::{
    IoThreadToProcess, PsGetThreadExitStatus, PsGetThreadId, PsLookupThreadByThreadId,
};
use wdk_sys::{_KTHREAD, HANDLE, PETHREAD};

// N.B. Exported, but defined inline in the WDK (page "PsGetCurrentThread").
unsafe extern "C" {
    fn PsGetCurrentThread() -> PETHREAD;
}

/// A thread that somebody else holds for `'a`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thread<'a> {
    object: NonNull<_KTHREAD>,
    held: PhantomData<&'a ()>,
}

impl<'a> Thread<'a> {
    /// # Safety
    /// The object must stay for `'a`.
    pub(crate) unsafe fn new(object: PETHREAD) -> Option<Self> {
        Some(Self {
            object: NonNull::new(object)?,
            held: PhantomData,
        })
    }

    /// The thread of a record that the worker has not given back yet.
    ///
    /// # Safety
    /// `object` comes from [`reference`] and was not released.
    pub(crate) unsafe fn of_object(object: Object) -> Option<Self> {
        let address = object.0 as usize;
        // SAFETY: a reference holds it, as the caller promises.
        unsafe { Self::new(ptr::with_exposed_provenance_mut(address)) }
    }

    /// The thread that asks. It stays as long as it runs, and the value cannot leave it. Page
    /// "PsGetCurrentThread". Any IRQL.
    #[inline]
    pub(crate) fn current() -> Option<Self> {
        // SAFETY: takes nothing.
        let object = unsafe { PsGetCurrentThread() };
        // SAFETY: see above.
        unsafe { Self::new(object) }
    }

    pub(crate) const fn as_ptr(self) -> PETHREAD {
        self.object.as_ptr()
    }

    /// Page "PsGetThreadId". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn id(self) -> u32 {
        // SAFETY: a thread object, held for `'a`.
        crate::nt::id(unsafe { PsGetThreadId(self.as_ptr()) })
    }

    /// The process that it belongs to, which may not be the one that it is attached to. Page
    /// "IoThreadToProcess". IRQL ≤ DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn process(self) -> Option<Process<'a>> {
        // SAFETY: as in `id`.
        let object = unsafe { IoThreadToProcess(self.as_ptr()) };
        // SAFETY: a thread holds its process.
        unsafe { Process::new(object) }
    }

    /// Page "PsGetThreadExitStatus". IRQL ≤ APC_LEVEL.
    pub(crate) fn exit_status(self) -> i32 {
        // SAFETY: as in `id`.
        unsafe { PsGetThreadExitStatus(self.as_ptr()) }
    }
}

/// Takes a counted reference to the thread that has `tid` now, to be given back by
/// [`release`](crate::nt::object::release). Page "PsLookupThreadByThreadId". IRQL ≤ APC_LEVEL.
pub(crate) fn reference(tid: HANDLE) -> Option<Object> {
    let mut object: PETHREAD = ptr::null_mut();
    // SAFETY: `object` is ours to write.
    let status = unsafe { PsLookupThreadByThreadId(tid, &raw mut object) };
    check(status).ok()?;
    Some(Object(object.expose_provenance() as u64))
}
