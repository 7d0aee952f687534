//! The parameters of a driver.

use std::sync::atomic::Ordering;

use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_OVERFLOW, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH,
};

use super::*;

fn open(driver: &Driver) -> Result<WDFKEY, NTSTATUS> {
    const KEY_READ: u32 = 0x20019;
    let mut key = ptr::null_mut();
    let status = wdf!(WdfDriverOpenParametersRegistryKey(
        NO_GLOBALS,
        driver.handle,
        KEY_READ,
        ptr::null(),
        &mut key
    ));
    if status == STATUS_SUCCESS {
        Ok(key)
    } else {
        assert!(key.is_null());
        Err(status)
    }
}

/// The value of a name, read into a buffer of `room` bytes, and the length that is told of it.
fn query(key: WDFKEY, name: &str, room: u16) -> Result<(String, u16), (NTSTATUS, u16)> {
    let (_name, name) = unicode(name);
    let mut units = vec![0xEEEE_u16; usize::from(room / 2)];
    let mut value = UNICODE_STRING {
        Length: 0,
        MaximumLength: room,
        Buffer: units.as_mut_ptr(),
    };
    let mut length = 0;
    let status = wdf!(WdfRegistryQueryUnicodeString(
        NO_GLOBALS,
        key,
        &name,
        &mut length,
        &mut value
    ));
    if status == STATUS_SUCCESS {
        let text = &units[..usize::from(value.Length / 2)];
        Ok((String::from_utf16(text).expect("text"), length))
    } else {
        Err((status, length))
    }
}

#[test]
fn a_driver_reads_the_strings_among_its_parameters() {
    let driver = Driver::start(None);
    let key = open(&driver).expect("the key is there");
    assert_eq!(query(key, "Text", 64), Ok(("42".into(), 6)));
    assert_eq!(query(key, "Text", 6), Ok(("42".into(), 6)));
    assert_eq!(query(key, "Text", 4), Err((STATUS_BUFFER_OVERFLOW, 6)));
    assert_eq!(query(key, "Bare", 4), Ok(("42".into(), 4)));
    assert_eq!(query(key, "Empty", 4), Ok((String::new(), 0)));
    assert_eq!(
        query(key, "Number", 64),
        Err((STATUS_OBJECT_TYPE_MISMATCH, 0))
    );
    assert_eq!(
        query(key, "None", 64),
        Err((STATUS_OBJECT_NAME_NOT_FOUND, 0))
    );
    let open_before = kernel::KEYS.load(Ordering::Relaxed);
    wdf!(WdfRegistryClose(NO_GLOBALS, key));
    assert_eq!(kernel::KEYS.load(Ordering::Relaxed), open_before - 1);
    driver.unload();
}

#[test]
fn a_driver_without_parameters_is_told_so() {
    let driver = Driver::start_as(r"\Registry\Machine\System\bare", None);
    assert_eq!(open(&driver), Err(STATUS_OBJECT_NAME_NOT_FOUND));
    driver.unload();
}
