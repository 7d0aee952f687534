//! The kernel below: the few DDIs the framework stands on.
//!
//! What `windows-sys` declares for ntoskrnl.exe is used as it is; what it lacks, or gives to
//! ntdll.dll, is declared here.

mod irp;
mod key;
mod sync;

use alloc::alloc::{Layout, alloc};
use alloc::boxed::Box;
use core::ffi::c_void;
use core::ptr::{self, NonNull};

use windows_sys::Wdk::Foundation::{
    DEVICE_OBJECT, DRIVER_OBJECT, MDL, OBJECT_ATTRIBUTES, PIO_WORKITEM,
};
use windows_sys::Wdk::Storage::FileSystem::ObOpenObjectByPointer;
use windows_sys::Wdk::System::SystemServices::{
    DelayedWorkQueue, ExAllocatePool2, ExFreePoolWithTag, FILE_DEVICE_SECURE_OPEN,
    IoAllocateWorkItem, IoCreateDevice, IoCreateSymbolicLink, IoDeleteDevice, IoDeleteSymbolicLink,
    IoFreeWorkItem, IoQueueWorkItem, KeBugCheckEx, KeGetCurrentIrql, KernelMode,
    MdlMappingNoExecute, MmCached, MmMapLockedPagesSpecifyCache, NormalPagePriority,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, OBJ_KERNEL_HANDLE, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    UNICODE_STRING,
};
use windows_sys::Win32::Security::DACL_SECURITY_INFORMATION;
use windows_sys::Win32::System::Diagnostics::Debug::WDF_VIOLATION;

pub(crate) use irp::{Irp, Method};
pub(crate) use key::Key;
pub(crate) use sync::{Event, RawSpinLock, SpinLock};

/// An NTSTATUS that is no success.
pub(crate) type Error = NTSTATUS;

/// Sub-code of the bug check for a panic of this library; KMDF uses no such number.
pub(crate) const PANIC: usize = 0x100;

const POOL_FLAG_NON_PAGED: u64 = 0x40;
const WRITE_DAC: u32 = 0x0004_0000;
const MDL_MAPPED_TO_SYSTEM_VA: i16 = 0x0001;
const MDL_SOURCE_IS_NONPAGED_POOL: i16 = 0x0004;

#[cfg_attr(
    windows,
    link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")
)]
unsafe extern "system" {
    fn KeAcquireSpinLockRaiseToDpc(lock: *mut usize) -> u8;
    fn KeReleaseSpinLock(lock: *mut usize, irql: u8);
    fn ZwSetSecurityObject(handle: HANDLE, information: u32, descriptor: *const c_void)
    -> NTSTATUS;
    fn ZwClose(handle: HANDLE) -> NTSTATUS;
    fn ZwOpenKey(key: *mut HANDLE, access: u32, attributes: *const OBJECT_ATTRIBUTES) -> NTSTATUS;
    fn ZwQueryValueKey(
        key: HANDLE,
        name: *const UNICODE_STRING,
        class: i32,
        information: *mut c_void,
        length: u32,
        result_length: *mut u32,
    ) -> NTSTATUS;
    fn KeEnterCriticalRegion();
    fn KeLeaveCriticalRegion();
    fn PsGetCurrentProcessId() -> HANDLE;
}

#[cfg(windows)]
unsafe extern "C" {
    fn DbgPrint(format: *const core::ffi::c_char, ...) -> u32;
}

/// Ends the system with `WDF_VIOLATION`, as KMDF does. Any IRQL.
pub(crate) fn bug_check(code: usize, first: usize, second: usize, third: usize) -> ! {
    loop {
        // SAFETY: no precondition; it does not return.
        unsafe { KeBugCheckEx(WDF_VIOLATION, code, first, second, third) };
    }
}

/// A line for the kernel debugger. PASSIVE to DISPATCH_LEVEL.
pub(crate) fn debug_print(text: &core::ffi::CStr) {
    #[cfg(windows)]
    // SAFETY: both are strings that end with NUL, and the format asks for one string.
    unsafe {
        DbgPrint(c"wdfldr: %s\n".as_ptr(), text.as_ptr());
    }
    #[cfg(not(windows))]
    let _ = text;
}

/// Zeroed, non-paged, no-execute, aligned to 16 bytes; null when the pool is exhausted.
/// At most DISPATCH_LEVEL.
pub(crate) fn allocate_pool(size: usize, tag: u32) -> *mut c_void {
    // SAFETY: every size is allowed, and the tag is not zero.
    unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED, size.max(1), tag) }
}

/// At most DISPATCH_LEVEL.
///
/// # Safety
/// `block` is from [`allocate_pool`] with this tag and is not used again.
pub(crate) unsafe fn free_pool(block: *mut c_void, tag: u32) {
    // SAFETY: the caller's promise.
    unsafe { ExFreePoolWithTag(block, tag) }
}

/// `Box::new` that can fail. At most DISPATCH_LEVEL.
pub(crate) fn try_box<T>(value: T) -> Result<Box<T>, Error> {
    const { assert!(size_of::<T>() != 0) };
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if memory.is_null() {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    // SAFETY: the memory is fresh, and large and aligned enough.
    unsafe { memory.write(value) };
    // SAFETY: allocated by the global allocator with this layout.
    Ok(unsafe { Box::from_raw(memory) })
}

/// Any IRQL.
pub(crate) fn is_passive() -> bool {
    // SAFETY: no precondition.
    unsafe { KeGetCurrentIrql() == 0 }
}

/// At most APC_LEVEL.
pub(crate) fn enter_critical_region() {
    // SAFETY: no precondition below DISPATCH_LEVEL.
    unsafe { KeEnterCriticalRegion() }
}

/// At most APC_LEVEL, after [`enter_critical_region`] on the same thread.
pub(crate) fn leave_critical_region() {
    // SAFETY: the region was entered by this thread.
    unsafe { KeLeaveCriticalRegion() }
}

/// Any IRQL.
pub(crate) fn current_process_id() -> u32 {
    // SAFETY: no precondition.
    unsafe { PsGetCurrentProcessId() as usize as u32 }
}

/// A device object of ours, deleted with this value.
pub(crate) struct Device(NonNull<DEVICE_OBJECT>);

// SAFETY: the device object is guarded by the I/O manager; we write to it only before it is ready
// and through `ready`, which has one caller.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// `IoCreateDevice` with an extension of one pointer. PASSIVE_LEVEL.
    ///
    /// # Safety
    /// `driver` is the driver object we were bound for; `name` is a valid string or null.
    pub(crate) unsafe fn create(
        driver: *const DRIVER_OBJECT,
        name: *const UNICODE_STRING,
        device_type: u32,
        characteristics: u32,
        exclusive: bool,
    ) -> Result<Self, Error> {
        let mut device = ptr::null_mut();
        // SAFETY: the caller's promise, and `device` is a valid place for the result.
        let status = unsafe {
            IoCreateDevice(
                driver,
                size_of::<*mut c_void>() as u32,
                name,
                device_type,
                characteristics | FILE_DEVICE_SECURE_OPEN,
                exclusive,
                &mut device,
            )
        };
        match NonNull::new(device) {
            Some(device) if status >= 0 => Ok(Self(device)),
            _ if status < 0 => Err(status),
            _ => Err(STATUS_INSUFFICIENT_RESOURCES),
        }
    }

    /// The WDM device object.
    pub(crate) fn as_ptr(&self) -> *mut DEVICE_OBJECT {
        self.0.as_ptr()
    }

    /// Sets the I/O type flags and what [`extension`](Self::extension) returns, before the device
    /// is ready.
    pub(crate) fn set_up(&self, flags: u32, extension: *mut c_void) {
        let device = self.0.as_ptr();
        // SAFETY: the device object lives as long as `self`, and nobody else writes its flags
        // before it is ready.
        unsafe { (*device).Flags |= flags };
        // SAFETY: as above.
        let place: *mut *mut c_void = unsafe { (*device).DeviceExtension }.cast();
        // SAFETY: the extension has room for one pointer.
        unsafe { place.write(extension) };
    }

    /// What [`set_up`](Self::set_up) stored.
    ///
    /// # Safety
    /// `device` was made by [`create`](Self::create) and set up.
    pub(crate) unsafe fn extension(device: *const DEVICE_OBJECT) -> *mut c_void {
        // SAFETY: the device object is alive while the I/O manager calls us for it.
        let extension = unsafe { (*device).DeviceExtension };
        // SAFETY: the extension holds the pointer that `set_up` wrote.
        unsafe { extension.cast::<*mut c_void>().read() }
    }

    /// Lets the I/O manager open the device.
    pub(crate) fn ready(&self) {
        const DO_DEVICE_INITIALIZING: u32 = 0x80;
        // SAFETY: the device object lives as long as `self`; one caller, see above.
        unsafe { (*self.0.as_ptr()).Flags &= !DO_DEVICE_INITIALIZING };
    }

    /// Replaces the DACL by that of a self-relative security descriptor. PASSIVE_LEVEL.
    pub(crate) fn set_security(&self, descriptor: &[u8]) -> Result<(), Error> {
        let mut handle = ptr::null_mut();
        // SAFETY: the object is ours and alive; a null type means any in kernel mode.
        check(unsafe {
            ObOpenObjectByPointer(
                self.0.as_ptr().cast(),
                OBJ_KERNEL_HANDLE,
                ptr::null(),
                WRITE_DAC,
                0,
                KernelMode as i8,
                &mut handle,
            )
        })?;
        // SAFETY: the handle was just opened, and the descriptor is complete in `descriptor`.
        let set = check(unsafe {
            ZwSetSecurityObject(
                handle,
                DACL_SECURITY_INFORMATION,
                descriptor.as_ptr().cast(),
            )
        });
        // SAFETY: the handle is ours and closed once.
        unsafe { ZwClose(handle) };
        set
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: created by `create`, deleted once.
        unsafe { IoDeleteDevice(self.0.as_ptr()) }
    }
}

/// PASSIVE_LEVEL.
pub(crate) fn create_symbolic_link(
    link: &UNICODE_STRING,
    target: &UNICODE_STRING,
) -> Result<(), Error> {
    // SAFETY: both strings are valid for the call.
    check(unsafe { IoCreateSymbolicLink(link, target) })
}

/// PASSIVE_LEVEL.
pub(crate) fn delete_symbolic_link(link: &UNICODE_STRING) {
    // SAFETY: the string is valid for the call. A link that is gone already is no harm.
    unsafe { IoDeleteSymbolicLink(link) };
}

/// A system work item, for the delayed work queue.
pub(crate) struct WorkItem(PIO_WORKITEM);

/// The routine and its context, called at PASSIVE_LEVEL on a system thread.
pub(crate) type WorkRoutine = unsafe extern "system" fn(*mut DEVICE_OBJECT, *mut c_void);

impl WorkItem {
    /// At most DISPATCH_LEVEL.
    pub(crate) fn allocate(device: &Device) -> Result<Self, Error> {
        // SAFETY: the device object is alive.
        match unsafe { IoAllocateWorkItem(device.as_ptr()) } {
            0 => Err(STATUS_INSUFFICIENT_RESOURCES),
            item => Ok(Self(item)),
        }
    }

    /// At most DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The item is not queued already, and `context` stays what `routine` expects until it ran.
    pub(crate) unsafe fn queue(&self, routine: WorkRoutine, context: *mut c_void) {
        // N.B. windows-sys declares the routine without its parameters.
        // SAFETY: the kernel calls it as a WorkRoutine.
        let routine =
            unsafe { core::mem::transmute::<WorkRoutine, unsafe extern "system" fn()>(routine) };
        // SAFETY: the caller's promise; the kernel keeps the device object alive until the routine
        // returned.
        unsafe { IoQueueWorkItem(self.0, Some(routine), DelayedWorkQueue, context) };
    }
}

impl Drop for WorkItem {
    fn drop(&mut self) {
        // SAFETY: allocated by `allocate`, not queued any more.
        unsafe { IoFreeWorkItem(self.0) }
    }
}

/// The system address of a locked buffer, null when there are no system addresses left: what
/// `MmGetSystemAddressForMdlSafe` does in the header. At most DISPATCH_LEVEL.
///
/// # Safety
/// `mdl` describes locked pages and outlives the use of the address.
pub(crate) unsafe fn system_address(mdl: *mut MDL) -> *mut c_void {
    // SAFETY: the caller's promise.
    let flags = unsafe { (*mdl).MdlFlags };
    if flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL) != 0 {
        // SAFETY: the flags say that the address is set.
        return unsafe { (*mdl).MappedSystemVa };
    }
    let priority = NormalPagePriority as u32 | MdlMappingNoExecute;
    // SAFETY: the pages are locked; a mapping for kernel mode fails with null and does not raise.
    unsafe {
        MmMapLockedPagesSpecifyCache(mdl, KernelMode as i8, MmCached, ptr::null(), 0, priority)
    }
}

/// A counted string over `units`, for functions that only read it.
pub(crate) fn unicode_string(units: &[u16]) -> UNICODE_STRING {
    let length = size_of_val(units) as u16;
    UNICODE_STRING {
        Length: length,
        MaximumLength: length,
        Buffer: units.as_ptr().cast_mut(),
    }
}

/// A status as a result.
pub(crate) fn check(status: NTSTATUS) -> Result<(), Error> {
    if status >= STATUS_SUCCESS {
        Ok(())
    } else {
        Err(status)
    }
}

/// A result as a status.
pub(crate) fn status(result: Result<(), Error>) -> NTSTATUS {
    result.err().unwrap_or(STATUS_SUCCESS)
}
