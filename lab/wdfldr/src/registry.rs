//! `WdfRegistry…`, as far as drivers ask for parameters of their own.

use alloc::vec::Vec;

use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_OVERFLOW, STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
};

use crate::driver::Driver;
use crate::kmdf::*;
use crate::nt::{self, Error};
use crate::object::{self, Attributes, Body, Kind, Object, create_child, delete, hand_out};

const REG_SZ: u32 = 1;
const PARAMETERS: &str = r"\Parameters";

/// An open registry key.
struct Key(nt::Key);

impl Body for Key {
    const KIND: Kind = Kind::Key;
}

/// N.B. KMDF creates the key if it is not there. Nothing here writes to a registry: then it is not
/// found.
pub(crate) unsafe extern "system" fn open_parameters(
    _: PWDF_DRIVER_GLOBALS,
    driver: WDFDRIVER,
    access: ACCESS_MASK,
    attributes: PWDF_OBJECT_ATTRIBUTES,
    key: *mut WDFKEY,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let driver = unsafe { object::object::<Driver>(driver) };
    // SAFETY: the driver's attributes.
    let opened = unsafe { Attributes::read(attributes) }.and_then(|attributes| {
        let opened = Key(driver.open_parameters(access)?);
        create_child(&attributes, driver.any(), opened)
    });
    // SAFETY: the driver's place for the result.
    unsafe { hand_out(opened, key) }
}

impl Object<Driver> {
    fn open_parameters(&self, access: u32) -> Result<nt::Key, Error> {
        let service = self.registry_path();
        let mut path = Vec::new();
        path.try_reserve_exact(service.len() + PARAMETERS.len())
            .map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        path.extend_from_slice(service);
        path.extend(PARAMETERS.encode_utf16());
        nt::Key::open(&nt::unicode_string(&path), access)
    }
}

pub(crate) unsafe extern "system" fn query_unicode_string(
    _: PWDF_DRIVER_GLOBALS,
    key: WDFKEY,
    name: PCUNICODE_STRING,
    length: PUSHORT,
    string: PUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the driver's handle.
    let key = unsafe { object::object::<Key>(key) };
    // SAFETY: the driver's string, or null for none.
    let string = unsafe { string.as_mut() };
    let room = string
        .as_ref()
        .map_or(0, |string| usize::from(string.MaximumLength));
    // SAFETY: the driver's name.
    let value = match unsafe { key.0.query(name, room) } {
        Ok(value) => value,
        Err(status) => return status,
    };
    // N.B. KMDF does not look at the type of what has no room.
    let units = value.units();
    if units.is_some() && value.kind != REG_SZ {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if !length.is_null() {
        // SAFETY: the driver's place for the length.
        unsafe { length.write(value.length as u16) };
    }
    let Some(units) = units else {
        return STATUS_BUFFER_OVERFLOW;
    };
    if let Some(string) = string {
        let mut written = 0;
        let mut last = None;
        for unit in units {
            // SAFETY: the driver's buffer, which has room for all of the value.
            unsafe { string.Buffer.wrapping_add(written).write(unit) };
            written += 1;
            last = Some(unit);
        }
        // A NUL at the end does not count.
        let text = written - usize::from(last == Some(0));
        string.Length = (text * 2) as u16;
    }
    STATUS_SUCCESS
}

pub(crate) unsafe extern "system" fn close(_: PWDF_DRIVER_GLOBALS, key: WDFKEY) {
    // SAFETY: the driver's handle.
    delete(unsafe { object::object::<Key>(key) }.header());
}
