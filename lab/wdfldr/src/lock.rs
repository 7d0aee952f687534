//! `WdfSpinLock…` and `WdfWaitLock…`.

use windows_sys::Win32::Foundation::{STATUS_SUCCESS, STATUS_TIMEOUT};

use crate::driver;
use crate::kmdf::*;
use crate::nt::{self, Event};
use crate::object::{self, Attributes, Body, Kind, create_child, create_child_with, hand_out};

/// A spin lock of the driver's.
struct SpinLock(nt::RawSpinLock);

impl Body for SpinLock {
    const KIND: Kind = Kind::SpinLock;
}

/// A lock that may be waited for: an event that lets one through.
struct WaitLock(Event);

impl Body for WaitLock {
    const KIND: Kind = Kind::WaitLock;
}

pub(crate) unsafe extern "system" fn spin_lock_create(
    globals: PWDF_DRIVER_GLOBALS,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    lock: *mut WDFSPINLOCK,
) -> NTSTATUS {
    // SAFETY: the driver's globals and attributes.
    let result = unsafe { driver::of(globals) }.and_then(|driver| {
        // SAFETY: likewise.
        let attributes = unsafe { Attributes::read(attributes) }?;
        create_child(&attributes, driver.any(), SpinLock(nt::RawSpinLock::new()))
    });
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, lock) }
}

pub(crate) unsafe extern "system" fn spin_lock_acquire(_: PWDF_DRIVER_GLOBALS, lock: WDFSPINLOCK) {
    // SAFETY: the driver's handle.
    unsafe { object::object::<SpinLock>(lock) }.0.acquire();
}

pub(crate) unsafe extern "system" fn spin_lock_release(_: PWDF_DRIVER_GLOBALS, lock: WDFSPINLOCK) {
    // SAFETY: the driver's handle.
    let lock = unsafe { object::object::<SpinLock>(lock) };
    // SAFETY: the driver releases what it acquired.
    unsafe { lock.0.release() };
}

pub(crate) unsafe extern "system" fn wait_lock_create(
    globals: PWDF_DRIVER_GLOBALS,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    lock: *mut WDFWAITLOCK,
) -> NTSTATUS {
    // SAFETY: the driver's globals and attributes.
    let result = unsafe { driver::of(globals) }.and_then(|driver| {
        // SAFETY: likewise.
        let attributes = unsafe { Attributes::read(attributes) }?;
        create_child_with(
            &attributes,
            driver.any(),
            WaitLock(Event::uninitialized()),
            |lock| {
                lock.0.initialize_synchronization(true);
                Ok(())
            },
        )
    });
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, lock) }
}

/// Without a timeout it waits for ever, and returns `STATUS_SUCCESS`. The holder is in a critical
/// region, as with KMDF.
pub(crate) unsafe extern "system" fn wait_lock_acquire(
    _: PWDF_DRIVER_GLOBALS,
    lock: WDFWAITLOCK,
    timeout: PLONGLONG,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let lock = unsafe { object::object::<WaitLock>(lock) };
    // SAFETY: the driver's timeout, or null for none.
    let timeout = unsafe { timeout.as_ref() }.copied();
    nt::enter_critical_region();
    if lock.0.wait_for(timeout) {
        return STATUS_SUCCESS;
    }
    nt::leave_critical_region();
    STATUS_TIMEOUT
}

pub(crate) unsafe extern "system" fn wait_lock_release(_: PWDF_DRIVER_GLOBALS, lock: WDFWAITLOCK) {
    // SAFETY: the driver's handle.
    unsafe { object::object::<WaitLock>(lock) }.0.set();
    nt::leave_critical_region();
}
