//! The end of a request.

use std::sync::Arc;

use windows_sys::Wdk::Foundation::IRP;
use windows_sys::Win32::Foundation::STATUS_PENDING;

use super::Moment;
use crate::Current;
use crate::exports::exports;
use crate::ke::bug_check;

exports! {
    DISPATCH_LEVEL: IofCompleteRequest;
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn IofCompleteRequest(irp: *mut IRP, _boost: i8) {
    complete(irp);
}

/// Ends the request of `irp` with the status in it: once, without a cancel routine.
pub(super) fn complete(irp: *mut IRP) {
    Current::with(|current| {
        let io = &current.kernel.io;
        let not_there = || -> ! {
            bug_check!(
                MULTIPLE_IRP_COMPLETE_REQUESTS,
                "{irp:p} is completed and is no request of this driver; was it completed before?"
            )
        };
        let Some(packet) = io
            .packets
            .lock()
            .unwrap()
            .get(&(irp as usize))
            .map(Arc::clone)
        else {
            not_there()
        };
        io.notify(Moment::Completing, &packet);
        if io.packets.lock().unwrap().remove(&(irp as usize)).is_none() {
            not_there();
        }

        let info = packet.info();
        let (status, information) = packet.io_status();
        if !packet.take_cancel_routine().is_null() {
            bug_check!(
                CANCEL_STATE_IN_COMPLETED_IRP,
                "{info} is completed with a cancel routine set"
            );
        }
        if status == STATUS_PENDING {
            bug_check!(
                MULTIPLE_IRP_COMPLETE_REQUESTS,
                "{info} is completed with STATUS_PENDING"
            );
        }
        // Letting go of the last reference to a file closes it. Windows does that in the thread
        // that made the request, never inside of the driver's call.
        let file = packet.finish(status, information);
        if let Some(last) = file.and_then(|file| file.into_any().release_unless_last()) {
            current.kernel.workers.queue(&current.kernel, || drop(last));
        }
    });
}
