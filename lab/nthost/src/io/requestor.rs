//! Who a request is from.

use crate::Current;
use crate::exports::exports;
use windows_sys::Wdk::Foundation::IRP;

exports! {
    DISPATCH_LEVEL: IoIs32bitProcess;
}

/// IRQL ≤ DISPATCH_LEVEL. Page "IoIs32bitProcess". About the process that made the request, or
/// without a request about the current one. Requests of drivers are none of a 32-bit process.
extern "win64" fn IoIs32bitProcess(irp: *const IRP) -> u8 {
    let is_32_bit = Current::with(|current| {
        if irp.is_null() {
            return current.thread.current_process().wow64 == Some(true);
        }
        let packets = current.kernel.io.packets.lock().unwrap();
        let packet = packets.get(&(irp as usize));
        packet.is_some_and(|packet| packet.info().is_32_bit)
    });
    u8::from(is_32_bit)
}
