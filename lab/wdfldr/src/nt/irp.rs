//! An I/O request packet, and the inline functions of wdm.h that work on one.

use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use windows_sys::Wdk::Foundation::{
    DEVICE_OBJECT, FILE_OBJECT, IO_STACK_LOCATION, IO_STACK_LOCATION_0, IRP, MDL,
};
use windows_sys::Wdk::System::SystemServices::{
    IoIs32bitProcess, IoReleaseCancelSpinLock, IofCompleteRequest, SL_PENDING_RETURNED,
};
use windows_sys::Win32::Foundation::NTSTATUS;

// The offsets that the public headers give on x64, and that every driver is compiled with.
const _: () = assert!(offset_of!(IRP, AssociatedIrp) == 0x18);
const _: () = assert!(offset_of!(IRP, IoStatus) == 0x30);
const _: () = assert!(offset_of!(IRP, Cancel) == 0x44);
const _: () = assert!(offset_of!(IRP, CancelRoutine) == 0x68);
const _: () = assert!(offset_of!(IRP, Tail) == 0x78);
const _: () = assert!(offset_of!(IO_STACK_LOCATION, Parameters) == 0x08);
const _: () = assert!(offset_of!(IO_STACK_LOCATION, FileObject) == 0x30);

/// An IRP the driver was called with.
///
/// Whoever makes one promises to use it only until [`complete`](Self::complete); the rest of the
/// framework keeps that by taking it out of its request first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Irp(NonNull<IRP>);

// SAFETY: an IRP may be worked on from any thread; the framework sees to it that one owner does.
unsafe impl Send for Irp {}
// SAFETY: as above.
unsafe impl Sync for Irp {}

/// How the I/O manager passes the buffers of a control code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Buffered,
    InDirect,
    OutDirect,
    Neither,
}

/// `Parameters.DeviceIoControl` of a stack location.
///
/// N.B. wdm.h aligns the second and third member to a pointer (`POINTER_ALIGNMENT`), which
/// windows-sys, made from metadata without it, does not; so it is declared here.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct DeviceControl {
    pub(crate) output_length: u32,
    _pad0: u32,
    pub(crate) input_length: u32,
    _pad1: u32,
    pub(crate) code: u32,
    _pad2: u32,
    /// The caller's own pointer, for METHOD_NEITHER.
    pub(crate) type3_input: *mut c_void,
}

const _: () = assert!(size_of::<DeviceControl>() == 32);

/// `Parameters.Read` and `Parameters.Write`, aligned as above.
#[repr(C)]
#[derive(Clone, Copy)]
struct ReadWrite {
    length: u32,
    _pad0: u32,
    key: u32,
    _flags: u32,
    offset: i64,
}

impl DeviceControl {
    pub(crate) fn method(&self) -> Method {
        match self.code & 3 {
            0 => Method::Buffered,
            1 => Method::InDirect,
            2 => Method::OutDirect,
            _ => Method::Neither,
        }
    }
}

impl Irp {
    /// # Safety
    /// `irp` was given to this driver, which has not completed it.
    pub(crate) unsafe fn new(irp: NonNull<IRP>) -> Self {
        Self(irp)
    }

    pub(crate) fn as_ptr(self) -> *mut IRP {
        self.0.as_ptr()
    }

    /// A member of the IRP, by its offset.
    fn member<T>(self, offset: usize) -> *mut T {
        self.as_ptr().wrapping_byte_add(offset).cast()
    }

    fn stack(self) -> *mut IO_STACK_LOCATION {
        let current = self.member::<*mut IO_STACK_LOCATION>(offset_of!(
            IRP,
            Tail.Overlay.Anonymous2.Anonymous.CurrentStackLocation
        ));
        // SAFETY: the IRP is ours; the I/O manager set the current location before it called us.
        unsafe { current.read() }
    }

    fn parameters<T>(self) -> *const T {
        const { assert!(size_of::<T>() <= size_of::<IO_STACK_LOCATION_0>()) };
        let offset = offset_of!(IO_STACK_LOCATION, Parameters);
        self.stack().wrapping_byte_add(offset).cast()
    }

    /// `MajorFunction` and `MinorFunction`.
    pub(crate) fn function(self) -> (u8, u8) {
        let stack = self.stack();
        // SAFETY: the stack location belongs to the IRP.
        let major = unsafe { (*stack).MajorFunction };
        // SAFETY: likewise.
        (major, unsafe { (*stack).MinorFunction })
    }

    pub(crate) fn file_object(self) -> *mut FILE_OBJECT {
        let stack = self.stack();
        // SAFETY: the stack location belongs to the IRP.
        unsafe { (*stack).FileObject }
    }

    /// The control code and lengths, of a device control IRP.
    pub(crate) fn device_control(self) -> DeviceControl {
        // SAFETY: every bit pattern of the parameters is a valid DeviceControl.
        unsafe { self.parameters::<DeviceControl>().read() }
    }

    /// Length, key and offset, of a read or write IRP.
    pub(crate) fn read_write(self) -> (u32, u32, i64) {
        // SAFETY: every bit pattern of the parameters is a valid ReadWrite.
        let read = unsafe { self.parameters::<ReadWrite>().read() };
        (read.length, read.key, read.offset)
    }

    /// The parameters as four words, for the types we do not take apart.
    pub(crate) fn raw_parameters(self) -> [usize; 4] {
        // SAFETY: every bit pattern is four words.
        unsafe { self.parameters::<[usize; 4]>().read() }
    }

    pub(crate) fn system_buffer(self) -> *mut c_void {
        // SAFETY: a pointer in every IRP that reaches a device of ours.
        unsafe {
            self.member::<*mut c_void>(offset_of!(IRP, AssociatedIrp))
                .read()
        }
    }

    pub(crate) fn mdl(self) -> *mut MDL {
        // SAFETY: the IRP is ours.
        unsafe { (*self.as_ptr()).MdlAddress }
    }

    /// `KernelMode` (0) or `UserMode` (1).
    pub(crate) fn requestor_mode(self) -> i8 {
        // SAFETY: the IRP is ours.
        unsafe { (*self.as_ptr()).RequestorMode }
    }

    /// Is it from a 32-bit process on a 64-bit system? At most DISPATCH_LEVEL.
    pub(crate) fn is_from_32_bit_process(self) -> bool {
        // SAFETY: the IRP is ours.
        unsafe { IoIs32bitProcess(self.as_ptr()) }
    }

    fn status_member(self) -> *mut NTSTATUS {
        self.member(offset_of!(IRP, IoStatus))
    }

    pub(crate) fn status(self) -> NTSTATUS {
        // SAFETY: the IRP is ours, and every bit pattern is a status.
        unsafe { self.status_member().read() }
    }

    pub(crate) fn information(self) -> usize {
        // SAFETY: the IRP is ours.
        unsafe { (*self.as_ptr()).IoStatus.Information }
    }

    pub(crate) fn set_information(self, information: usize) {
        // SAFETY: the IRP is ours.
        unsafe { (*self.as_ptr()).IoStatus.Information = information };
    }

    /// `IoMarkIrpPending`: the dispatch routine must then return `STATUS_PENDING`.
    pub(crate) fn mark_pending(self) {
        let stack = self.stack();
        // SAFETY: the stack location belongs to the IRP.
        unsafe { (*stack).Control |= SL_PENDING_RETURNED as u8 };
    }

    /// `DriverContext[0]`, the driver's while it owns the IRP.
    fn context_member(self) -> *mut *mut c_void {
        self.member(offset_of!(IRP, Tail))
    }

    /// One word of ours in the IRP, for the cancel routine. KMDF keeps its request there too.
    pub(crate) fn set_context(self, context: *mut c_void) {
        // SAFETY: the IRP is ours.
        unsafe { self.context_member().write(context) };
    }

    /// What [`set_context`](Self::set_context) stored.
    pub(crate) fn context(self) -> *mut c_void {
        // SAFETY: the IRP is ours.
        unsafe { self.context_member().read() }
    }

    fn cancel_routine(&self) -> &AtomicPtr<c_void> {
        // SAFETY: the member is a pointer-sized, aligned word that all sides change atomically.
        unsafe { AtomicPtr::from_ptr(self.member(offset_of!(IRP, CancelRoutine))) }
    }

    /// `IoSetCancelRoutine`. True if there was none before.
    ///
    /// The exchange orders it before [`is_cancelled`](Self::is_cancelled), as `IoCancelIrp` sets
    /// the flag before it exchanges the routine: one of the two sees the other.
    pub(crate) fn set_cancel_routine(
        self,
        routine: unsafe extern "system" fn(*mut DEVICE_OBJECT, *mut IRP),
    ) -> bool {
        self.cancel_routine()
            .swap(routine as *mut c_void, Ordering::SeqCst)
            .is_null()
    }

    /// `IoSetCancelRoutine(Irp, NULL)`. True if the routine was still set, so will not be called.
    pub(crate) fn clear_cancel_routine(self) -> bool {
        !self
            .cancel_routine()
            .swap(ptr::null_mut(), Ordering::SeqCst)
            .is_null()
    }

    pub(crate) fn is_cancelled(self) -> bool {
        // SAFETY: the member is a byte that the I/O manager sets while we may read it.
        let flag = unsafe { AtomicU8::from_ptr(self.member(offset_of!(IRP, Cancel))) };
        flag.load(Ordering::SeqCst) != 0
    }

    /// First thing in a cancel routine: `IoReleaseCancelSpinLock(Irp->CancelIrql)`.
    ///
    /// # Safety
    /// Called in a cancel routine of this IRP, once.
    pub(crate) unsafe fn release_cancel_spin_lock(self) {
        // SAFETY: the I/O manager stored the IRQL before it called the routine.
        let irql = unsafe { (*self.as_ptr()).CancelIrql };
        // SAFETY: the I/O manager calls cancel routines with the lock held.
        unsafe { IoReleaseCancelSpinLock(irql) };
    }

    /// Gives the IRP back to the I/O manager. At most DISPATCH_LEVEL.
    pub(crate) fn complete(self, status: NTSTATUS, boost: i8) {
        // SAFETY: the IRP is ours.
        unsafe { self.status_member().write(status) };
        // SAFETY: the IRP is ours and completed once; it is not used again.
        unsafe { IofCompleteRequest(self.as_ptr(), boost) };
    }
}
