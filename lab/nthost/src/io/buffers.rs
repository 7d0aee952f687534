//! The buffers of a request, by the transfer method of its control code.

use std::ffi::c_void;
use std::ptr;

use windows_sys::Wdk::Foundation::MDL;
use windows_sys::Win32::Foundation::NTSTATUS;

use super::packet::PacketInfo;
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

/// Memory of a request, aligned as pool is. A length of 0 has no memory.
#[derive(Default)]
struct Block {
    units: Vec<u128>,
    length: usize,
}

impl Block {
    fn new(length: usize, fill: u8) -> Block {
        let units = vec![u128::from_ne_bytes([fill; 16]); length.div_ceil(size_of::<u128>())];
        Block { units, length }
    }

    fn with(content: &[u8], length: usize, fill: u8) -> Block {
        let block = Block::new(length, fill);
        // SAFETY: `length` is at least the content's, by both callers; the memory is our own.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), block.as_ptr().cast(), content.len()) };
        block
    }

    fn as_ptr(&self) -> *mut c_void {
        if self.length == 0 {
            ptr::null_mut()
        } else {
            self.units.as_ptr().cast_mut().cast()
        }
    }

    fn bytes(&self, length: usize) -> Vec<u8> {
        let length = length.min(self.length);
        let mut bytes = vec![0; length];
        // SAFETY: both hold that many bytes, and the driver has given the memory back.
        unsafe { ptr::copy_nonoverlapping(self.as_ptr().cast(), bytes.as_mut_ptr(), length) };
        bytes
    }
}

/// The buffers of a request: the caller's own, and those the I/O manager adds.
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
    pub(super) fn of_control(control_code: u32, input: &[u8], output: usize) -> Buffers {
        let method = Method::of(control_code);
        let mut buffers = Buffers {
            method: Some(method),
            ..Buffers::default()
        };
        match method {
            Method::Buffered => {
                buffers.system = Block::with(input, input.len().max(output), GARBAGE);
                buffers.output = Block::new(output, 0);
            }
            Method::InDirect | Method::OutDirect => {
                buffers.system = Block::with(input, input.len(), 0);
                buffers.output = Block::new(output, 0);
                let address = buffers.output.as_ptr();
                buffers.mdl = (output > 0).then(|| UserMdl::new(address, output as u32));
            }
            Method::Neither => {
                buffers.input = Block::with(input, input.len(), 0);
                buffers.output = Block::new(output, 0);
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

    /// What the caller finds in its output buffer when the request has ended.
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
        match method {
            Method::Buffered if is_error => Vec::new(),
            Method::Buffered => self.system.bytes(information),
            _ => self.output.bytes(information),
        }
    }
}
