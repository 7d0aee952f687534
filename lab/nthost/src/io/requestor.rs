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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ps::NewProcess;
    use crate::{Config, Kernel};
    use std::ptr;

    #[test]
    fn without_a_request_the_current_process_counts() {
        let kernel = Kernel::boot(Config::default());
        for (wow64, expected) in [(None, 0), (Some(false), 0), (Some(true), 1)] {
            let process = kernel.add_process(NewProcess {
                wow64,
                ..NewProcess::default()
            });
            let is_32_bit = || IoIs32bitProcess(ptr::null());
            assert_eq!(kernel.enter(&process, is_32_bit), expected);
            let attached = || kernel.attach(&process, is_32_bit);
            assert_eq!(kernel.enter(&kernel.ps.system, attached), expected);
        }
    }
}
