//! Hands requests to drivers, and holds drivers to the rules for what they return.

use std::mem::transmute;
use std::sync::Arc;

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, DRIVER_DISPATCH, IRP};
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_PENDING};

use super::Device;
use super::packet::Packet;
use crate::Kernel;
use crate::ke::bug_check;
use crate::ke::callback::unchanged;

/// A driver's dispatch routine as it is: windows-sys' type has this host's calling convention.
pub(super) type Routine = unsafe extern "win64" fn(*mut DEVICE_OBJECT, *mut IRP) -> NTSTATUS;

/// Hands `packet` to the driver of `device`. Returns what the driver's routine returned: with
/// `STATUS_PENDING` the request may end at any time, else it has ended.
pub(super) fn send(kernel: &Kernel, device: &Device, packet: &Arc<Packet>) -> NTSTATUS {
    let irp = packet.irp();
    kernel
        .io
        .packets
        .lock()
        .unwrap()
        .insert(irp as usize, Arc::clone(packet));

    let info = packet.info();
    // SAFETY: the driver sets its routines in `DriverEntry` and leaves them.
    let routine = unsafe { (*device.driver().nt()).MajorFunction[info.major as usize] };
    assert!(
        routine.is_some(),
        "{info}: the driver has taken the routine for it away"
    );
    // SAFETY: not null, and what drivers store there has the Windows calling convention.
    let routine: Routine = unsafe { transmute::<DRIVER_DISPATCH, Routine>(routine) };
    // SAFETY: the device and the request are live, and the routine is the driver's for it.
    let status = unchanged(format_args!("{info}: a dispatch"), || unsafe {
        routine(device.nt(), irp)
    });

    let is_marked = packet.is_marked_pending();
    match status {
        STATUS_PENDING if !is_marked => bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "{info}: the driver returned STATUS_PENDING without IoMarkIrpPending"
        ),
        STATUS_PENDING => {}
        _ if is_marked => bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "{info}: the driver called IoMarkIrpPending and returned {status:#x}"
        ),
        _ if !packet.is_complete() => bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "{info}: the driver returned {status:#x} without completing the request"
        ),
        _ => {}
    }
    status
}
