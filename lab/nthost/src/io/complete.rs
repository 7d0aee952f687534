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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffers::Buffers;
    use crate::io::packet::{Packet, PacketInfo};
    use crate::verify::boundary::import;
    use crate::verify::death;
    use crate::{Config, Kernel, LeakReport};
    use std::mem::transmute;
    use windows_sys::Wdk::Foundation::IO_STACK_LOCATION;
    use windows_sys::Wdk::System::SystemServices::IRP_MJ_DEVICE_CONTROL;

    /// A request that a driver of the current machine has to complete.
    fn sent() -> Arc<Packet> {
        let info = PacketInfo {
            major: IRP_MJ_DEVICE_CONTROL,
            control_code: 0x22_2000,
            process_id: 8,
            is_32_bit: false,
        };
        let (location, buffers) = (IO_STACK_LOCATION::default(), Buffers::default());
        let packet = Packet::new(info, None, location, buffers, None);
        Current::with(|current| {
            let mut packets = current.kernel.io.packets.lock().unwrap();
            packets.insert(packet.irp() as usize, Arc::clone(&packet));
        });
        packet
    }

    #[test]
    fn a_request_is_completed_once() {
        let printed = death::of(|| {
            type Complete = unsafe extern "win64" fn(*mut IRP, i8);
            // SAFETY: the function's type.
            let complete = unsafe { transmute::<usize, Complete>(import("IofCompleteRequest")) };
            let packet = sent();
            for _ in 0..2 {
                // SAFETY: a request that lives; the second time this is the breach.
                unsafe { complete(packet.irp(), 0) };
            }
        });
        for text in ["MULTIPLE_IRP_COMPLETE_REQUESTS", "was it completed before?"] {
            assert!(printed.contains(text), "{printed}");
        }
    }

    #[test]
    fn a_request_that_was_not_completed_is_left_behind_with_who_made_it() {
        let kernel = Kernel::boot(Config::default());
        let packet = kernel.enter(&kernel.ps.system, sent);
        let named = "request IRP_MJ_DEVICE_CONTROL 0x222000 of pid 8, never completed";
        let leaks = LeakReport::of(&kernel).to_string();
        assert!(leaks.contains(named), "{leaks}");
        kernel.enter(&kernel.ps.system, || complete(packet.irp()));
        assert_eq!(
            LeakReport::of(&kernel).to_string(),
            "nothing was left behind"
        );
    }
}
