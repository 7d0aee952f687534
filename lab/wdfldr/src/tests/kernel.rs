//! A double of the kernel functions that `nt` declares: as little as they promise, on real threads.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use windows_sys::Wdk::Foundation::{
    DEVICE_OBJECT, DRIVER_EXTENSION, DRIVER_OBJECT, IO_STACK_LOCATION, IRP, KEVENT,
    OBJECT_ATTRIBUTES,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, STATUS_BUFFER_OVERFLOW, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
    STATUS_TIMEOUT, UNICODE_STRING,
};
use windows_sys::Win32::System::Kernel::SynchronizationEvent;

const DISPATCH_LEVEL: u8 = 2;
const DO_DEVICE_INITIALIZING: u32 = 0x80;

thread_local!(static IRQL: Cell<u8> = const { Cell::new(0) });

thread_local!(static IN_32_BIT_PROCESS: Cell<bool> = const { Cell::new(false) });

/// Runs `body` in a 32-bit process.
pub(super) fn in_32_bit_process<R>(body: impl FnOnce() -> R) -> R {
    let before = IN_32_BIT_PROCESS.replace(true);
    let result = body();
    IN_32_BIT_PROCESS.set(before);
    result
}

#[unsafe(no_mangle)]
extern "system" fn IoIs32bitProcess(_: *const IRP) -> bool {
    IN_32_BIT_PROCESS.get()
}

/// Runs `body` at DISPATCH_LEVEL.
pub(super) fn at_dispatch<R>(body: impl FnOnce() -> R) -> R {
    let before = IRQL.replace(DISPATCH_LEVEL);
    let result = body();
    IRQL.set(before);
    result
}

/// The lock around the marking and calling of cancel routines.
static CANCEL_LOCK: AtomicUsize = AtomicUsize::new(0);

fn acquire(lock: &AtomicUsize) -> u8 {
    while lock.swap(1, Ordering::Acquire) != 0 {
        thread::yield_now();
    }
    let before = IRQL.replace(DISPATCH_LEVEL);
    assert!(before <= DISPATCH_LEVEL);
    before
}

fn release(lock: &AtomicUsize, irql: u8) {
    assert_eq!(IRQL.get(), DISPATCH_LEVEL);
    assert_eq!(
        lock.swap(0, Ordering::Release),
        1,
        "released without being held"
    );
    IRQL.set(irql);
}

fn expect_passive() {
    assert_eq!(IRQL.get(), 0, "called above PASSIVE_LEVEL");
}

#[unsafe(no_mangle)]
unsafe extern "system" fn KeAcquireSpinLockRaiseToDpc(lock: *mut usize) -> u8 {
    // SAFETY: the caller's lock.
    acquire(unsafe { AtomicUsize::from_ptr(lock) })
}

#[unsafe(no_mangle)]
unsafe extern "system" fn KeReleaseSpinLock(lock: *mut usize, irql: u8) {
    // SAFETY: the caller's lock.
    release(unsafe { AtomicUsize::from_ptr(lock) }, irql);
}

#[unsafe(no_mangle)]
extern "system" fn IoReleaseCancelSpinLock(irql: u8) {
    release(&CANCEL_LOCK, irql);
}

#[unsafe(no_mangle)]
extern "system" fn KeGetCurrentIrql() -> u8 {
    IRQL.get()
}

#[unsafe(no_mangle)]
extern "system" fn KeEnterCriticalRegion() {}

#[unsafe(no_mangle)]
extern "system" fn KeLeaveCriticalRegion() {}

#[unsafe(no_mangle)]
extern "system" fn PsGetCurrentProcessId() -> HANDLE {
    ptr::without_provenance_mut(std::process::id() as usize)
}

#[unsafe(no_mangle)]
extern "system" fn KeBugCheckEx(code: u32, a: usize, b: usize, c: usize, d: usize) {
    eprintln!("bug check {code:#x} ({a:#x}, {b:#x}, {c:#x}, {d:#x})");
    std::process::abort();
}

#[unsafe(no_mangle)]
extern "system" fn ExAllocatePool2(_flags: u64, size: usize, _tag: u32) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { calloc(1, size) }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn ExFreePoolWithTag(block: *mut c_void, _tag: u32) {
    // SAFETY: the caller gives back what it was given.
    unsafe { free(block) }
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
}

/// All events change and are waited for under this lock.
static EVENTS: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

/// The state of an event, and whether it lets only one waiter through.
unsafe fn event<'a>(event: *mut KEVENT) -> (&'a AtomicI32, *mut i32) {
    let state = event.wrapping_byte_add(offset_of!(KEVENT, Header.SignalState));
    // The wait list is not used, so its head holds the type.
    let kind = event.wrapping_byte_add(offset_of!(KEVENT, Header.WaitListHead));
    // SAFETY: the caller's event.
    (unsafe { AtomicI32::from_ptr(state.cast()) }, kind.cast())
}

#[unsafe(no_mangle)]
unsafe extern "system" fn KeInitializeEvent(pointer: *mut KEVENT, kind: i32, signalled: bool) {
    // SAFETY: the caller's event.
    let (state, type_place) = unsafe { event(pointer) };
    // SAFETY: likewise.
    unsafe { type_place.write(kind) };
    state.store(signalled.into(), Ordering::Relaxed);
}

#[unsafe(no_mangle)]
unsafe extern "system" fn KeSetEvent(pointer: *mut KEVENT, _increment: i32, _wait: bool) -> i32 {
    let _events = EVENTS.0.lock().unwrap();
    // SAFETY: the caller's event.
    let before = unsafe { event(pointer) }.0.swap(1, Ordering::Relaxed);
    EVENTS.1.notify_all();
    before
}

#[unsafe(no_mangle)]
unsafe extern "system" fn KeResetEvent(pointer: *mut KEVENT) -> i32 {
    let _events = EVENTS.0.lock().unwrap();
    // SAFETY: the caller's event.
    unsafe { event(pointer) }.0.swap(0, Ordering::Relaxed)
}

#[unsafe(no_mangle)]
unsafe extern "system" fn KeWaitForSingleObject(
    object: *mut c_void,
    _reason: i32,
    _mode: i8,
    _alertable: bool,
    timeout: *const i64,
) -> NTSTATUS {
    assert!(IRQL.get() < DISPATCH_LEVEL || !timeout.is_null());
    // SAFETY: the caller's event.
    let (state, type_place) = unsafe { event(object.cast()) };
    let mut events = EVENTS.0.lock().unwrap();
    while state.load(Ordering::Relaxed) == 0 {
        if !timeout.is_null() {
            return STATUS_TIMEOUT;
        }
        events = EVENTS.1.wait(events).unwrap();
    }
    // SAFETY: the caller's event.
    if unsafe { type_place.read() } == SynchronizationEvent {
        state.store(0, Ordering::Relaxed);
    }
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "system" fn MmMapLockedPagesSpecifyCache(
    _mdl: *mut c_void,
    _mode: i8,
    _cache: i32,
    _address: *const c_void,
    _bug_check: u32,
    _priority: u32,
) -> *mut c_void {
    ptr::null_mut()
}

#[unsafe(no_mangle)]
unsafe extern "system" fn ObOpenObjectByPointer(
    object: *mut c_void,
    _attributes: u32,
    _state: *const c_void,
    _access: u32,
    _type: isize,
    _mode: i8,
    handle: *mut HANDLE,
) -> NTSTATUS {
    expect_passive();
    // SAFETY: the caller's place for the handle.
    unsafe { handle.write(object) };
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "system" fn ZwSetSecurityObject(_: HANDLE, _: u32, _: *const c_void) -> NTSTATUS {
    expect_passive();
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "system" fn ZwClose(handle: HANDLE) -> NTSTATUS {
    if handle.addr() == KEY {
        expect_passive();
        KEYS.fetch_sub(1, Ordering::Relaxed);
    }
    STATUS_SUCCESS
}

/// A driver object and its one extension, which lies behind its DRIVER_EXTENSION.
pub(super) fn driver_object() -> Box<DRIVER_OBJECT> {
    let mut driver = Box::<DRIVER_OBJECT>::default();
    let extension = Box::new((DRIVER_EXTENSION::default(), ptr::null_mut::<c_void>()));
    driver.DriverExtension = Box::into_raw(extension).cast();
    driver
}

#[unsafe(no_mangle)]
unsafe extern "system" fn IoAllocateDriverObjectExtension(
    driver: *mut DRIVER_OBJECT,
    _key: *const c_void,
    size: u32,
    place: *mut *mut c_void,
) -> NTSTATUS {
    assert_eq!(size as usize, size_of::<*mut c_void>());
    // SAFETY: the caller's driver object.
    let extension = unsafe { IoGetDriverObjectExtension(driver, ptr::null()) };
    // SAFETY: the caller's place for the result.
    unsafe { place.write(extension) };
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "system" fn IoGetDriverObjectExtension(
    driver: *const DRIVER_OBJECT,
    _key: *const c_void,
) -> *mut c_void {
    // SAFETY: made by `driver_object`.
    let extension = unsafe { (*driver).DriverExtension };
    extension.wrapping_add(1).cast()
}

#[unsafe(no_mangle)]
unsafe extern "system" fn IoCreateDevice(
    driver: *mut DRIVER_OBJECT,
    extension_size: u32,
    _name: *const UNICODE_STRING,
    _type: u32,
    _characteristics: u32,
    _exclusive: bool,
    place: *mut *mut DEVICE_OBJECT,
) -> NTSTATUS {
    expect_passive();
    let mut device = Box::<DEVICE_OBJECT>::default();
    device.DriverObject = driver;
    device.Flags = DO_DEVICE_INITIALIZING;
    // SAFETY: any size may be asked for.
    device.DeviceExtension = unsafe { calloc(1, extension_size as usize) };
    let device = Box::into_raw(device);
    // SAFETY: the caller's driver object, which has one device at most.
    unsafe { (*driver).DeviceObject = device };
    // SAFETY: the caller's place for the result.
    unsafe { place.write(device) };
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "system" fn IoDeleteDevice(device: *mut DEVICE_OBJECT) {
    // SAFETY: made by `IoCreateDevice`, deleted once.
    let device = unsafe { Box::from_raw(device) };
    // SAFETY: the driver object outlives its device.
    unsafe { (*device.DriverObject).DeviceObject = ptr::null_mut() };
    // SAFETY: allocated by `IoCreateDevice`.
    unsafe { free(device.DeviceExtension) };
}

/// Symbolic links that exist now, by all tests together.
pub(super) static LINKS: AtomicI32 = AtomicI32::new(0);

#[unsafe(no_mangle)]
extern "system" fn IoCreateSymbolicLink(
    _: *const UNICODE_STRING,
    _: *const UNICODE_STRING,
) -> NTSTATUS {
    expect_passive();
    LINKS.fetch_add(1, Ordering::Relaxed);
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
extern "system" fn IoDeleteSymbolicLink(_: *const UNICODE_STRING) -> NTSTATUS {
    expect_passive();
    LINKS.fetch_sub(1, Ordering::Relaxed);
    STATUS_SUCCESS
}

type Routine = unsafe extern "system" fn(*mut DEVICE_OBJECT, *mut c_void);

#[unsafe(no_mangle)]
extern "system" fn IoAllocateWorkItem(device: *mut DEVICE_OBJECT) -> isize {
    Box::into_raw(Box::new(device)) as isize
}

#[unsafe(no_mangle)]
unsafe extern "system" fn IoFreeWorkItem(item: isize) {
    // SAFETY: made by `IoAllocateWorkItem`.
    drop(unsafe { Box::from_raw(item as *mut *mut DEVICE_OBJECT) });
}

#[unsafe(no_mangle)]
unsafe extern "system" fn IoQueueWorkItem(
    _item: isize,
    routine: Routine,
    _queue: i32,
    context: *mut c_void,
) {
    let context = context as usize;
    thread::spawn(move || {
        // SAFETY: the caller's routine and context.
        unsafe { routine(ptr::null_mut(), context as *mut c_void) };
        assert_eq!(IRQL.get(), 0, "the work item left the IRQL raised");
    });
}

/// An IRP with its stack location, its system buffer and its end.
#[repr(C)]
pub(super) struct Packet {
    irp: IRP,
    stack: IO_STACK_LOCATION,
    end: Mutex<Option<(NTSTATUS, usize)>>,
    ended: Condvar,
}

// SAFETY: the IRP is shared by the rules of the I/O manager; the rest is behind a lock.
unsafe impl Send for Packet {}
// SAFETY: as above.
unsafe impl Sync for Packet {}

impl Packet {
    /// An IRP for a major function, with four words of parameters.
    pub(super) fn new(major: u32, file: *mut c_void, parameters: [usize; 4]) -> Box<Self> {
        let mut packet = Box::new(Self {
            irp: IRP::default(),
            stack: IO_STACK_LOCATION::default(),
            end: Mutex::new(None),
            ended: Condvar::new(),
        });
        packet.stack.MajorFunction = major as u8;
        packet.stack.FileObject = file.cast();
        // SAFETY: the parameters are four words.
        unsafe {
            (&raw mut packet.stack.Parameters)
                .cast::<[usize; 4]>()
                .write(parameters)
        };
        let stack = &raw mut packet.stack;
        packet
            .irp
            .Tail
            .Overlay
            .Anonymous2
            .Anonymous
            .CurrentStackLocation = stack;
        packet
    }

    /// A device control IRP of METHOD_BUFFERED over `buffer`.
    pub(super) fn control(file: *mut c_void, code: u32, buffer: &mut [u8]) -> Box<Self> {
        let length = buffer.len();
        let mut packet = Self::new(14, file, [length, length, code as usize, 0]);
        packet.irp.AssociatedIrp.SystemBuffer = buffer.as_mut_ptr().cast();
        packet
    }

    pub(super) fn irp(&self) -> *mut IRP {
        (&raw const self.irp).cast_mut()
    }

    /// Sends it to the dispatch routine of the device.
    pub(super) fn send(&self, device: *mut DEVICE_OBJECT) -> NTSTATUS {
        // SAFETY: the test keeps the device.
        let driver = unsafe { (*device).DriverObject };
        // SAFETY: likewise.
        let routine = unsafe { (*driver).MajorFunction }[usize::from(self.stack.MajorFunction)];
        // SAFETY: the dispatch routine of the driver, with its device and an IRP.
        unsafe { routine.expect("set by WdfDriverCreate")(device, self.irp()) }
    }

    /// `IoCancelIrp`.
    pub(super) fn cancel(&self) {
        let before = acquire(&CANCEL_LOCK);
        // SAFETY: a byte that all sides change atomically.
        let flag = unsafe {
            std::sync::atomic::AtomicU8::from_ptr((&raw const self.irp.Cancel).cast_mut().cast())
        };
        flag.store(1, Ordering::SeqCst);
        // SAFETY: a word that all sides change atomically.
        let routine = unsafe {
            AtomicPtr::<c_void>::from_ptr((&raw const self.irp.CancelRoutine).cast_mut().cast())
        };
        let routine = routine.swap(ptr::null_mut(), Ordering::SeqCst);
        if routine.is_null() {
            return release(&CANCEL_LOCK, before);
        }
        // SAFETY: the IRP has a cancel routine, so it is not completed.
        unsafe { (*self.irp()).CancelIrql = before };
        // SAFETY: the driver's cancel routine.
        let routine = unsafe {
            std::mem::transmute::<
                *mut c_void,
                unsafe extern "system" fn(*mut DEVICE_OBJECT, *mut IRP),
            >(routine)
        };
        // SAFETY: called with the lock held, once.
        unsafe { routine(ptr::null_mut(), self.irp()) };
        assert_eq!(
            IRQL.get(),
            before,
            "the cancel routine kept the cancel spin lock"
        );
    }

    /// Status and information, once it is completed.
    pub(super) fn end(&self) -> Option<(NTSTATUS, usize)> {
        *self.end.lock().unwrap()
    }

    /// Waits for the completion.
    pub(super) fn wait(&self) -> (NTSTATUS, usize) {
        let end = self
            .ended
            .wait_while(self.end.lock().unwrap(), |end| end.is_none())
            .unwrap();
        end.unwrap()
    }
}

#[unsafe(no_mangle)]
unsafe extern "system" fn IofCompleteRequest(irp: *mut IRP, _boost: i8) {
    assert!(IRQL.get() <= DISPATCH_LEVEL);
    // SAFETY: every IRP is the first member of a packet, which its test keeps.
    let packet = unsafe { &*irp.cast::<Packet>() };
    assert!(
        packet.irp.CancelRoutine.is_none(),
        "completed with a cancel routine"
    );
    // SAFETY: a status is stored before completion.
    let status = unsafe { packet.irp.IoStatus.Anonymous.Status };
    let mut end = packet.end.lock().unwrap();
    assert!(end.is_none(), "completed twice");
    *end = Some((status, packet.irp.IoStatus.Information));
    packet.ended.notify_all();
}

/// The values of the one key that there is, by name: type and data.
pub(super) const PARAMETERS: &str = r"\Registry\Machine\System\test\Parameters";
pub(super) const VALUES: &[(&str, u32, &[u8])] = &[
    ("Text", 1, b"4\x002\x00\x00\x00"),
    ("Bare", 1, b"4\x002\x00"),
    ("Empty", 1, b""),
    ("Number", 4, b"\x2a\x00\x00\x00"),
];

/// Keys that are open now.
pub(super) static KEYS: AtomicI32 = AtomicI32::new(0);
const KEY: usize = 0x4b4559;

/// # Safety
/// The string and its buffer are valid.
unsafe fn text(string: *const UNICODE_STRING) -> String {
    // SAFETY: the caller's promise.
    String::from_utf16(unsafe { crate::driver::units(string) }).unwrap()
}

#[unsafe(no_mangle)]
unsafe extern "system" fn ZwOpenKey(
    key: *mut HANDLE,
    _access: u32,
    attributes: *const OBJECT_ATTRIBUTES,
) -> NTSTATUS {
    expect_passive();
    // SAFETY: the caller's attributes.
    let name = unsafe { (*attributes).ObjectName };
    // SAFETY: the caller's name.
    if unsafe { text(name) } != PARAMETERS {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    KEYS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the caller's place for the handle.
    unsafe { key.write(ptr::without_provenance_mut(KEY)) };
    STATUS_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "system" fn ZwQueryValueKey(
    key: HANDLE,
    name: *const UNICODE_STRING,
    class: i32,
    information: *mut c_void,
    length: u32,
    result_length: *mut u32,
) -> NTSTATUS {
    expect_passive();
    assert_eq!((key.addr(), class), (KEY, 2));
    // SAFETY: the caller's name.
    let name = unsafe { text(name) };
    let Some((_, kind, data)) = VALUES.iter().find(|(known, ..)| *known == name) else {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    };
    let mut told: Vec<u8> = [0, *kind, data.len() as u32]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    told.extend_from_slice(data);
    // SAFETY: the caller's place for the length.
    unsafe { result_length.write(told.len() as u32) };
    let written = told.len().min(length as usize);
    // SAFETY: within the caller's memory.
    unsafe { ptr::copy_nonoverlapping(told.as_ptr(), information.cast(), written) };
    if written < told.len() {
        STATUS_BUFFER_OVERFLOW
    } else {
        STATUS_SUCCESS
    }
}
