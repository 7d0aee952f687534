//! Process objects.

use crate::nt::check;
use crate::nt::pool::SystemBuffer;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use ntwatch_engine::facts::Object;
use wdk_sys::ntddk::{
    ObfDereferenceObject, ObfReferenceObject, PsGetProcessCreateTimeQuadPart,
    PsGetProcessExitStatus, PsGetProcessStartKey, PsLookupProcessByProcessId,
    SeLocateProcessImageName,
};
use wdk_sys::{_KPROCESS, HANDLE, PEPROCESS};

/// A process that somebody else holds for `'a`.
#[derive(Clone, Copy)]
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

    /// Page "PsGetProcessStartKey". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn start_key(self) -> u64 {
        // SAFETY: a process object, held for `'a`.
        unsafe { PsGetProcessStartKey(self.as_ptr()) }
    }

    /// 100 ns units since 1601, UTC. Page "PsGetProcessCreateTimeQuadPart". Any IRQL.
    pub(crate) fn create_time(self) -> i64 {
        // SAFETY: as in `start_key`.
        unsafe { PsGetProcessCreateTimeQuadPart(self.as_ptr()) }
    }

    /// Page "PsGetProcessExitStatus". IRQL = PASSIVE_LEVEL.
    pub(crate) fn exit_status(self) -> i32 {
        // SAFETY: as in `start_key`.
        unsafe { PsGetProcessExitStatus(self.as_ptr()) }
    }

    /// Takes a counted reference, to be given back by [`release`]. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn reference(self) -> Object {
        // SAFETY: as in `start_key`.
        unsafe { ObfReferenceObject(self.as_ptr().cast()) };
        Object(self.as_ptr().expose_provenance() as u64)
    }

    /// Full NT path, UTF-16LE. Page "SeLocateProcessImageName". IRQL = PASSIVE_LEVEL.
    pub(crate) fn image_path(self) -> Option<SystemBuffer> {
        let mut name = ptr::null_mut();
        // SAFETY: as in `start_key`; `name` is ours to write.
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

/// Gives back a reference. IRQL = PASSIVE_LEVEL, as it may be the last one.
///
/// # Safety
/// `object` comes from [`Process::reference`] and was not given back before.
pub(crate) unsafe fn release(object: Object) {
    let address = ptr::with_exposed_provenance_mut(object.0 as usize);
    // SAFETY: the reference was taken, and is given back here, as the caller promises.
    unsafe { ObfDereferenceObject(address) };
}

/// Start key of the process that has `pid` now. IRQL ≤ APC_LEVEL.
pub(crate) fn start_key_of(pid: HANDLE) -> Option<u64> {
    with_process_of(pid, |process| process.start_key())
}

/// What `find_out` says of the process that has `pid` now. IRQL ≤ APC_LEVEL.
pub(crate) fn with_pid<R>(pid: u32, find_out: impl FnOnce(Process<'_>) -> R) -> Option<R> {
    with_process_of(ptr::without_provenance_mut(pid as usize), find_out)
}

/// Page "PsLookupProcessByProcessId".
fn with_process_of<R>(pid: HANDLE, find_out: impl FnOnce(Process<'_>) -> R) -> Option<R> {
    let mut object = ptr::null_mut();
    // SAFETY: `object` is ours to write.
    let status = unsafe { PsLookupProcessByProcessId(pid, &raw mut object) };
    check(status).ok()?;
    // SAFETY: on success the look-up took a reference, which is given back below.
    let found = unsafe { Process::new(object) }.map(find_out);
    // SAFETY: the reference of the look-up.
    unsafe { ObfDereferenceObject(object.cast()) };
    found
}
