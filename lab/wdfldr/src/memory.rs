//! `WdfMemory…`.

use core::ffi::c_void;
use core::ptr;

use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_TOO_SMALL, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};

use crate::driver;
use crate::kmdf::*;
use crate::nt::{self, Error, SpinLock};
use crate::object::{self, Attributes, Body, Kind, Object, create_child, hand_out};

/// Used when the driver gives no tag.
const TAG: u32 = u32::from_le_bytes(*b"WdfM");

/// A buffer, of the framework's pool or the driver's.
pub(crate) struct Memory {
    buffer: SpinLock<Buffer>,
    /// The pool tag, if the buffer is freed with the object.
    tag: Option<u32>,
}

#[derive(Clone, Copy)]
struct Buffer {
    address: *mut c_void,
    length: usize,
}

// SAFETY: the buffer is the driver's to guard; the framework copies where the driver asks it to.
unsafe impl Send for Buffer {}

impl Body for Memory {
    const KIND: Kind = Kind::Memory;
}

impl Memory {
    /// Memory that belongs to somebody else.
    pub(crate) fn over(address: *mut c_void, length: usize) -> Self {
        Self {
            buffer: SpinLock::new(Buffer { address, length }),
            tag: None,
        }
    }

    fn allocate(length: usize, tag: u32) -> Result<Self, Error> {
        if length == 0 {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let tag = if tag == 0 { TAG } else { tag };
        let address = nt::allocate_pool(length, tag);
        match address.is_null() {
            true => Err(STATUS_INSUFFICIENT_RESOURCES),
            false => Ok(Self {
                buffer: SpinLock::new(Buffer { address, length }),
                tag: Some(tag),
            }),
        }
    }
}

impl Object<Memory> {
    fn buffer(&self) -> Buffer {
        *self.buffer.lock()
    }

    /// The address `offset` bytes in, if `length` bytes follow it.
    fn at(&self, offset: usize, length: usize) -> Result<*mut u8, Error> {
        let buffer = self.buffer();
        match offset.checked_add(length) {
            Some(end) if end <= buffer.length => {
                Ok(buffer.address.cast::<u8>().wrapping_add(offset))
            }
            _ => Err(STATUS_BUFFER_TOO_SMALL),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(tag) = self.tag {
            let address = self.buffer.lock().address;
            // SAFETY: allocated with this tag by `allocate`, freed with its object.
            unsafe { nt::free_pool(address, tag) };
        }
    }
}

/// N.B. The pool type is not looked at: all memory is non-paged.
pub(crate) unsafe extern "system" fn create(
    globals: PWDF_DRIVER_GLOBALS,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    _pool_type: POOL_TYPE,
    tag: ULONG,
    length: usize,
    memory: *mut WDFMEMORY,
    buffer: *mut PVOID,
) -> NTSTATUS {
    // SAFETY: the driver's globals and attributes.
    let result = unsafe { create_below(globals, attributes, || Memory::allocate(length, tag)) };
    if let (Ok(handle), false) = (result, buffer.is_null()) {
        // SAFETY: the handle was just made.
        let address = unsafe { object::object::<Memory>(handle) }.buffer().address;
        // SAFETY: the driver's place for the address.
        unsafe { buffer.write(address) };
    }
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, memory) }
}

pub(crate) unsafe extern "system" fn create_preallocated(
    globals: PWDF_DRIVER_GLOBALS,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    buffer: PVOID,
    length: usize,
    memory: *mut WDFMEMORY,
) -> NTSTATUS {
    // SAFETY: the driver's globals and attributes.
    let result = unsafe { create_below(globals, attributes, || Ok(Memory::over(buffer, length))) };
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(result, memory) }
}

/// # Safety
/// The driver's globals and attributes.
unsafe fn create_below(
    globals: PWDF_DRIVER_GLOBALS,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    body: impl FnOnce() -> Result<Memory, Error>,
) -> Result<WDFMEMORY, Error> {
    // SAFETY: the caller's promise.
    let driver = unsafe { driver::of(globals) }?;
    // SAFETY: the caller's promise.
    let attributes = unsafe { Attributes::read(attributes) }?;
    create_child(&attributes, driver.any(), body()?)
}

pub(crate) unsafe extern "system" fn get_buffer(
    _: PWDF_DRIVER_GLOBALS,
    memory: WDFMEMORY,
    length: *mut usize,
) -> PVOID {
    // SAFETY: the driver's handle.
    let buffer = unsafe { object::object::<Memory>(memory) }.buffer();
    if !length.is_null() {
        // SAFETY: the driver's place for the length.
        unsafe { length.write(buffer.length) };
    }
    buffer.address
}

pub(crate) unsafe extern "system" fn assign_buffer(
    _: PWDF_DRIVER_GLOBALS,
    memory: WDFMEMORY,
    buffer: PVOID,
    length: usize,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let memory = unsafe { object::object::<Memory>(memory) };
    // Only for memory made over a buffer of the driver's.
    if memory.tag.is_some() || buffer.is_null() || length == 0 {
        return STATUS_INVALID_PARAMETER;
    }
    *memory.buffer.lock() = Buffer {
        address: buffer,
        length,
    };
    STATUS_SUCCESS
}

pub(crate) unsafe extern "system" fn copy_to_buffer(
    _: PWDF_DRIVER_GLOBALS,
    memory: WDFMEMORY,
    offset: usize,
    buffer: PVOID,
    length: usize,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    match unsafe { object::object::<Memory>(memory) }.at(offset, length) {
        Ok(from) => {
            // SAFETY: within the memory object, and the driver's buffer of that length.
            unsafe { ptr::copy(from, buffer.cast(), length) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

pub(crate) unsafe extern "system" fn copy_from_buffer(
    _: PWDF_DRIVER_GLOBALS,
    memory: WDFMEMORY,
    offset: usize,
    buffer: PVOID,
    length: usize,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    match unsafe { object::object::<Memory>(memory) }.at(offset, length) {
        Ok(to) => {
            // SAFETY: within the memory object, and the driver's buffer of that length.
            unsafe { ptr::copy(buffer.cast(), to, length) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}
