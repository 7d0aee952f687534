//! Cancellation.

use std::mem::transmute;
use std::sync::atomic::Ordering;

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, IRP};

use super::Moment;
use super::packet::Packet;
use crate::exports::exports;
use crate::ke::bug_check;
use crate::ke::callback::Standing;
use crate::{Current, Kernel};

exports! {
    DISPATCH_LEVEL: IoAcquireCancelSpinLock, IoReleaseCancelSpinLock;
}

type CancelRoutine = unsafe extern "win64" fn(*mut DEVICE_OBJECT, *mut IRP);

/// What `IoCancelIrp` does: marks the request as cancelled and calls its cancel routine, if the
/// driver has left one there. Returns whether it had.
pub(super) fn cancel(kernel: &Kernel, packet: &Packet) -> bool {
    let before = Standing::now();
    let lock = &kernel.io.cancel_lock;
    let irql = lock.acquire();
    // A driver sets its routine and then looks at the mark; here it is the other way round. With
    // sequential consistency one of the two sees the other.
    packet.cancel().store(true, Ordering::SeqCst);
    let routine = packet.take_cancel_routine();
    if routine.is_null() {
        lock.release(irql);
        return false;
    }
    kernel.io.notify(Moment::Cancelling, packet);
    // SAFETY: taken out of the IRP's place for cancel routines, where drivers store nothing else.
    let routine: CancelRoutine = unsafe { transmute::<*mut (), CancelRoutine>(routine) };
    packet.set_cancel_irql(irql);
    // SAFETY: the request is the driver's until its routine completes it; the cancel spin lock is
    // held, which the routine releases.
    unsafe { routine(packet.device(), packet.irp()) };
    if lock.is_mine() {
        bug_check!(
            DRIVER_RETURNED_HOLDING_CANCEL_LOCK,
            "{}: its cancel routine kept the lock",
            packet.info()
        );
    }
    before.assert_kept(format_args!("{}: a cancel", packet.info()));
    true
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn IoAcquireCancelSpinLock(irql: *mut u8) {
    let old = Current::with(|current| current.kernel.io.cancel_lock.acquire());
    // SAFETY: the driver passes a place for the IRQL.
    unsafe { irql.write(old) };
}

/// IRQL = DISPATCH_LEVEL.
extern "win64" fn IoReleaseCancelSpinLock(irql: u8) {
    Current::with(|current| current.kernel.io.cancel_lock.release(irql));
}
