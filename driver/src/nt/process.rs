//! Process objects.

use crate::nt::check;
use crate::nt::pool::SystemBuffer;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use ntwatch_engine::facts::Object;
use ntwatch_engine::process_table::ProcessId;
use wdk_sys::ntddk::{
    IoGetCurrentProcess, ObfDereferenceObject, ObfReferenceObject, PsGetProcessCreateTimeQuadPart,
    PsGetProcessExitStatus, PsGetProcessId, PsGetProcessStartKey, PsLookupProcessByProcessId,
    SeLocateProcessImageName,
};
use wdk_sys::{_KPROCESS, HANDLE, PEPROCESS};

/// A process that somebody else holds for `'a`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process<'a> {
    object: NonNull<_KPROCESS>,
    held: PhantomData<&'a ()>,
}

impl Process<'_> {
    /// # Safety
    /// The object must stay for `'a`.
    pub(crate) unsafe fn new(object: PEPROCESS) -> Option<Self> {
        Some(Self {
            object: NonNull::new(object)?,
            held: PhantomData,
        })
    }

    /// The process of a record that the worker has not given back yet.
    ///
    /// # Safety
    /// `object` comes from [`Self::reference`] and was not released.
    pub(crate) unsafe fn of_object(object: Object) -> Option<Self> {
        let address = object.0 as usize;
        // SAFETY: a reference holds it, as the caller promises.
        unsafe { Self::new(ptr::with_exposed_provenance_mut(address)) }
    }

    pub(crate) const fn as_ptr(self) -> PEPROCESS {
        self.object.as_ptr()
    }

    /// The process whose address space the thread that asks is in: the one it belongs to, or is
    /// attached to. N.B. Nothing of ours attaches or detaches, so it is that as long as anything of
    /// ours runs in this thread, and the value cannot leave it. Page "IoGetCurrentProcess".
    /// IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn current() -> Option<Self> {
        // SAFETY: takes nothing.
        let object = unsafe { IoGetCurrentProcess() };
        // SAFETY: see above.
        unsafe { Self::new(object) }
    }

    /// Which one it is. Pages "PsGetProcessId" and "PsGetProcessStartKey". IRQL ≤ DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn id(self) -> ProcessId {
        ProcessId {
            pid: self.pid(),
            key: self.start_key(),
        }
    }

    /// Page "PsGetProcessId". IRQL ≤ DISPATCH_LEVEL.
    #[inline]
    pub(crate) fn pid(self) -> u32 {
        // SAFETY: a process object, held for `'a`.
        crate::nt::id(unsafe { PsGetProcessId(self.as_ptr()) })
    }

    /// Page "PsGetProcessStartKey". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn start_key(self) -> u64 {
        // SAFETY: as in `pid`.
        unsafe { PsGetProcessStartKey(self.as_ptr()) }
    }

    /// 100 ns units since 1601, UTC. Page "PsGetProcessCreateTimeQuadPart". Any IRQL.
    pub(crate) fn create_time(self) -> i64 {
        // SAFETY: as in `pid`.
        unsafe { PsGetProcessCreateTimeQuadPart(self.as_ptr()) }
    }

    /// `STATUS_PENDING` while it runs. Page "PsGetProcessExitStatus". IRQL ≤ APC_LEVEL.
    pub(crate) fn exit_status(self) -> i32 {
        // SAFETY: as in `pid`.
        unsafe { PsGetProcessExitStatus(self.as_ptr()) }
    }

    /// Takes a counted reference, to be given back by [`release`](crate::nt::object::release).
    /// IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn reference(self) -> Object {
        // SAFETY: as in `pid`.
        unsafe { ObfReferenceObject(self.as_ptr().cast()) };
        Object(self.as_ptr().expose_provenance() as u64)
    }

    /// Full NT path, UTF-16LE. Page "SeLocateProcessImageName". IRQL = PASSIVE_LEVEL.
    pub(crate) fn image_path(self) -> Option<SystemBuffer> {
        let mut name = ptr::null_mut();
        // SAFETY: as in `pid`; `name` is ours to write.
        let status = unsafe { SeLocateProcessImageName(self.as_ptr(), &raw mut name) };
        check(status).ok()?;
        // SAFETY: on success a string that is ours, its text in the same allocation.
        let string = unsafe { name.as_ref() }?;
        let text = string.Buffer.cast();
        // SAFETY: as above; to be freed as one.
        let path = unsafe { SystemBuffer::new(name.cast(), text, usize::from(string.Length)) }?;
        // N.B. A process without an image file has an empty name, not none.
        (!path.as_ref().is_empty()).then_some(path)
    }
}

/// A process that this value holds a reference to.
pub(crate) struct HeldProcess(Process<'static>);

impl HeldProcess {
    /// The process that has `pid` now. Page "PsLookupProcessByProcessId". IRQL ≤ APC_LEVEL.
    pub(crate) fn lookup(pid: HANDLE) -> Option<Self> {
        let mut object = ptr::null_mut();
        // SAFETY: `object` is ours to write.
        let status = unsafe { PsLookupProcessByProcessId(pid, &raw mut object) };
        check(status).ok()?;
        // SAFETY: the look-up took a reference, which is given back when the value is dropped, and
        // `get` lends the process for no longer.
        unsafe { Process::new(object) }.map(Self)
    }

    /// The process of this identity, which may have exited. IRQL ≤ APC_LEVEL.
    pub(crate) fn find(id: ProcessId) -> Option<Self> {
        let process = Self::lookup(crate::nt::id_handle(id.pid))?;
        // N.B. The two low bits of an id do not count where it is looked up: 4713 finds 4712.
        (process.get().id() == id).then_some(process)
    }

    pub(crate) const fn get(&self) -> Process<'_> {
        self.0
    }
}

impl Drop for HeldProcess {
    /// IRQL ≤ APC_LEVEL.
    fn drop(&mut self) {
        // SAFETY: the reference of the look-up.
        unsafe { ObfDereferenceObject(self.0.as_ptr().cast()) };
    }
}

/// Start key of the process that has `pid` now. IRQL ≤ APC_LEVEL.
pub(crate) fn start_key_of(pid: HANDLE) -> Option<u64> {
    HeldProcess::lookup(pid).map(|process| process.get().start_key())
}
