//! The parameters in a stack location.
//!
//! N.B. windows-sys' own structures for these are not what drivers see: its metadata lacks the
//! 8-byte alignment (`POINTER_ALIGNMENT`) that wdm.h gives some of the fields.

use std::ffi::c_void;
use std::mem::transmute;

use windows_sys::Wdk::Foundation::{IO_SECURITY_CONTEXT, IO_STACK_LOCATION_0};

/// `Parameters.Create`; see IO_STACK_LOCATION.
#[repr(C)]
struct Create {
    security_context: *mut IO_SECURITY_CONTEXT,
    options: Padded<u32, 1>,
    file_attributes: u16,
    share_access: Padded<u16, 2>,
    ea_length: Padded<u32, 1>,
}

/// `Parameters.DeviceIoControl`; see IO_STACK_LOCATION.
#[repr(C)]
struct DeviceControl {
    output_length: Padded<u32, 1>,
    input_length: Padded<u32, 1>,
    control_code: Padded<u32, 1>,
    type3_input: *mut c_void,
}

/// A field and what fills it up to the next 8 bytes.
#[repr(C)]
struct Padded<T, const N: usize>(T, [T; N]);

/// The parameters of IRP_MJ_CREATE.
pub(super) fn create(
    security_context: *mut IO_SECURITY_CONTEXT,
    options: u32,
    share_access: u16,
) -> IO_STACK_LOCATION_0 {
    let create = Create {
        security_context,
        options: Padded(options, [0]),
        file_attributes: 0,
        share_access: Padded(share_access, [0; 2]),
        ea_length: Padded(0, [0]),
    };
    // SAFETY: of the union's size, without padding, and the union is plain data.
    unsafe { transmute(create) }
}

/// The parameters of IRP_MJ_DEVICE_CONTROL.
pub(super) fn device_control(
    control_code: u32,
    input_length: u32,
    output_length: u32,
    type3_input: *mut c_void,
) -> IO_STACK_LOCATION_0 {
    let control = DeviceControl {
        output_length: Padded(output_length, [0]),
        input_length: Padded(input_length, [0]),
        control_code: Padded(control_code, [0]),
        type3_input,
    };
    // SAFETY: of the union's size, without padding, and the union is plain data.
    unsafe { transmute(control) }
}
