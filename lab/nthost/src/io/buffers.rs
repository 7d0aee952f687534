//! The buffers of a request, by the transfer method of its control code.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

use windows_sys::Wdk::Foundation::MDL;
use windows_sys::Win32::Foundation::NTSTATUS;

use super::packet::PacketInfo;
use crate::Kernel;
use crate::ke::bug_check;
use crate::mm::UserMdl;

/// What a system buffer holds behind the input: the leftovers of somebody else.
const GARBAGE: u8 = 0xcd;

/// How a control code moves data, its lowest two bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Buffered,
    InDirect,
    OutDirect,
    Neither,
}

impl Method {
    pub(super) fn of(control_code: u32) -> Method {
        match control_code & 3 {
            0 => Method::Buffered,
            1 => Method::InDirect,
            2 => Method::OutDirect,
            _ => Method::Neither,
        }
    }
}

/// What request buffers are tagged with in pool.
const TAG: u32 = u32::from_le_bytes(*b"Io  ");

/// Memory of a request, in pool. A length of 0 has no memory.
#[derive(Default)]
struct Block {
    kernel: Weak<Kernel>,
    start: Option<NonNull<c_void>>,
    length: usize,
}

// SAFETY: memory with an address, which the request travels with; who may use it is the IRP's
// business.
unsafe impl Send for Block {}

impl Block {
    /// # Panics
    /// When the host has no memory for it.
    fn new(kernel: &Arc<Kernel>, length: usize, fill: u8) -> Block {
        if length == 0 {
            return Block::default();
        }
        let start = NonNull::new(kernel.pool.allocate(length, 16, TAG, fill));
        assert!(start.is_some(), "no memory for a buffer of {length} bytes");
        Block {
            kernel: Arc::downgrade(kernel),
            start,
            length,
        }
    }

    fn with(kernel: &Arc<Kernel>, content: &[u8], length: usize, fill: u8) -> Block {
        let block = Block::new(kernel, length, fill);
        if !content.is_empty() {
            let to = block.as_ptr().cast();
            // SAFETY: `length` is at least the content's, by both callers; the memory is our own.
            unsafe { ptr::copy_nonoverlapping(content.as_ptr(), to, content.len()) };
        }
        block
    }

    fn as_ptr(&self) -> *mut c_void {
        self.start.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        let length = length.min(self.length);
        let mut bytes = vec![0; length];
        if length > 0 {
            // SAFETY: both hold that many bytes, and the driver has given the memory back.
            unsafe { ptr::copy_nonoverlapping(self.as_ptr().cast(), bytes.as_mut_ptr(), length) };
        }
        bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let (Some(kernel), Some(start)) = (self.kernel.upgrade(), self.start) {
            kernel.pool.free(start.as_ptr(), TAG);
        }
    }
}

/// The buffers of a request: the caller's own, and those the I/O manager adds.
///
/// N.B. All are locked. On Windows the caller's own buffers for `METHOD_NEITHER` may be paged out.
#[derive(Default)]
pub(super) struct Buffers {
    /// What the driver finds in `AssociatedIrp.SystemBuffer`.
    system: Block,
    /// The caller's input, where the driver is given its address.
    input: Block,
    /// The caller's output buffer.
    output: Block,
    mdl: Option<UserMdl>,
    method: Option<Method>,
}

impl Buffers {
    /// The buffers of a control request with `input` and room for `output` bytes.
    pub(super) fn of_control(
        kernel: &Arc<Kernel>,
        control_code: u32,
        input: &[u8],
        output: usize,
    ) -> Buffers {
        let method = Method::of(control_code);
        let mut buffers = Buffers {
            method: Some(method),
            ..Buffers::default()
        };
        match method {
            Method::Buffered => {
                buffers.system = Block::with(kernel, input, input.len().max(output), GARBAGE);
                buffers.output = Block::new(kernel, output, 0);
            }
            Method::InDirect | Method::OutDirect => {
                buffers.system = Block::with(kernel, input, input.len(), 0);
                buffers.output = Block::new(kernel, output, 0);
                let address = buffers.output.as_ptr();
                buffers.mdl = (output > 0).then(|| UserMdl::new(address, output as u32));
            }
            Method::Neither => {
                buffers.input = Block::with(kernel, input, input.len(), 0);
                buffers.output = Block::new(kernel, output, 0);
            }
        }
        buffers
    }

    pub(super) fn system(&self) -> *mut c_void {
        self.system.as_ptr()
    }

    pub(super) fn mdl(&mut self) -> *mut MDL {
        self.mdl.as_mut().map_or(ptr::null_mut(), UserMdl::as_ptr)
    }

    /// The address of the caller's input, for `METHOD_NEITHER`.
    pub(super) fn user_input(&self) -> *mut c_void {
        self.input.as_ptr()
    }

    /// The address of the caller's output buffer, which drivers may use for `METHOD_NEITHER` alone.
    pub(super) fn user_output(&self) -> *mut c_void {
        self.output.as_ptr()
    }

    /// What the caller finds in its output buffer when the request has ended. The buffers are gone
    /// then.
    pub(super) fn take_output(
        &mut self,
        info: &PacketInfo,
        status: NTSTATUS,
        information: usize,
    ) -> Vec<u8> {
        let Some(method) = self.method else {
            return Vec::new();
        };
        let is_error = status as u32 >> 30 == 3;
        if !is_error && information > self.output.length {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "{info} returns {information} bytes in a buffer of {}",
                self.output.length
            );
        }
        let ended = std::mem::take(self);
        match method {
            Method::Buffered if is_error => Vec::new(),
            Method::Buffered => ended.system.bytes(information),
            _ => ended.output.bytes(information),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Current;
    use crate::verify::death;
    use windows_sys::Wdk::System::SystemServices::IRP_MJ_DEVICE_CONTROL;
    use windows_sys::Win32::Foundation::STATUS_SUCCESS;

    /// With a system buffer of 32 bytes.
    fn buffers() -> Buffers {
        let kernel = Current::with(|current| Arc::clone(&current.kernel));
        Buffers::of_control(&kernel, 0, &[7; 32], 0)
    }

    #[test]
    fn a_byte_behind_a_request_s_buffer_is_not_the_driver_s() {
        let printed = death::of(|| {
            let buffers = buffers();
            let start = buffers.system().cast::<u8>();
            for at in [31, 32] {
                // SAFETY: the first is in the buffer; the other is not, and this is the breach.
                unsafe { start.wrapping_add(at).write_volatile(1) };
            }
        });
        let named = "touches offset 32 of 32 bytes of pool tagged 'Io  '";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn a_request_s_buffer_is_gone_when_it_has_ended() {
        let printed = death::of(|| {
            let mut buffers = buffers();
            let start = buffers.system().cast::<u8>();
            let info = PacketInfo {
                major: IRP_MJ_DEVICE_CONTROL,
                control_code: 0,
                process_id: 4,
                is_32_bit: false,
            };
            buffers.take_output(&info, STATUS_SUCCESS, 0);
            // SAFETY: it is not there: this is the breach.
            unsafe { start.read_volatile() };
        });
        assert!(printed.contains("IN_FREED_SPECIAL_POOL"), "{printed}");
    }
}
