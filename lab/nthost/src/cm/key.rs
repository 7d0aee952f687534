//! Open keys, and what drivers read through them.

use super::{Value, Values};
use crate::Current;
use crate::exports::exports;
use crate::ob::{Kind, Object, ObjectRef, handle};
use crate::rtl::text;
use std::sync::Arc;
use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::System::Registry::{KEY_VALUE_INFORMATION_CLASS, KeyValuePartialInformation};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS, UNICODE_STRING,
};
use windows_sys::Win32::System::Registry::{KEY_QUERY_VALUE, KEY_READ};

exports! {
    PASSIVE_LEVEL: ZwOpenKey, ZwQueryValueKey;
}

const GENERIC_READ: u32 = 0x8000_0000;

/// An open key.
#[derive(Debug)]
pub struct Key {
    path: String,
    values: Values,
}

impl Object for Key {
    const KIND: Kind = Kind::Key;
    fn describe(&self) -> String {
        self.path.clone()
    }
}

impl Key {
    fn value(&self, name: &str) -> Option<&Value> {
        let same = |known: &str| known.to_lowercase() == name.to_lowercase();
        let found = self.values.iter().find(|(known, _)| same(known));
        found.map(|(_, value)| value)
    }
}

/// The key behind a handle, and the access it was granted.
fn held(handle: usize) -> Result<(ObjectRef<Key>, u32), NTSTATUS> {
    let (object, granted) = handle::held(handle)?;
    match object.downcast() {
        Ok(key) => Ok((key, granted)),
        Err(_) => Err(STATUS_OBJECT_TYPE_MISMATCH),
    }
}

/// IRQL = PASSIVE_LEVEL. Page "ZwOpenKey".
///
/// N.B. The model grants what is asked: it only knows the keys of services, and who asks is a
/// driver.
unsafe extern "win64" fn ZwOpenKey(
    handle: *mut usize,
    desired: u32,
    attributes: *const OBJECT_ATTRIBUTES,
) -> NTSTATUS {
    // SAFETY: the driver passes valid attributes.
    let attributes = unsafe { &*attributes };
    // SAFETY: their name is a valid string.
    let name = unsafe { text(attributes.ObjectName) };
    let path = match attributes.RootDirectory as usize {
        0 => name,
        root => match held(root) {
            Ok((root, _)) => format!(r"{}\{name}", root.path),
            Err(status) => return status,
        },
    };
    let kernel = Current::with(|current| Arc::clone(&current.kernel));
    let Some(values) = kernel.registry.find(&path) else {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    };
    let desired = match desired & GENERIC_READ {
        0 => desired,
        _ => desired & !GENERIC_READ | KEY_READ,
    };
    let key = ObjectRef::new(&kernel.objects, Key { path, values });
    match handle::open(&key.into_any(), attributes.Attributes, desired) {
        Ok(value) => {
            // SAFETY: the driver passes a place for the handle.
            unsafe { handle.write(value) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// `KEY_VALUE_PARTIAL_INFORMATION` up to its data: title index, type and length of the data.
const PARTIAL_HEAD: usize = 12;

/// IRQL = PASSIVE_LEVEL. Page "ZwQueryValueKey". Of the classes the one that has the value alone.
unsafe extern "win64" fn ZwQueryValueKey(
    key: usize,
    name: *const UNICODE_STRING,
    class: KEY_VALUE_INFORMATION_CLASS,
    information: *mut u8,
    len: u32,
    needed: *mut u32,
) -> NTSTATUS {
    if class != KeyValuePartialInformation {
        return STATUS_INVALID_PARAMETER;
    }
    let key = match held(key) {
        Ok((key, granted)) if granted & KEY_QUERY_VALUE != 0 => key,
        Ok(_) => return STATUS_ACCESS_DENIED,
        Err(status) => return status,
    };
    // SAFETY: the driver passes a valid string.
    let name = unsafe { text(name) };
    let Some(value) = key.value(&name) else {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    };
    let data = value.data();
    let mut answer = [0, value.kind(), data.len() as u32]
        .map(u32::to_le_bytes)
        .concat();
    answer.extend(data);
    // SAFETY: the driver passes a place for the length.
    unsafe { needed.write(answer.len() as u32) };
    let len = len as usize;
    if len < PARTIAL_HEAD {
        return STATUS_BUFFER_TOO_SMALL;
    }
    let fits = answer.len().min(len);
    // SAFETY: the driver passes a buffer of `len` bytes, and this is no more.
    unsafe { information.copy_from_nonoverlapping(answer.as_ptr(), fits) };
    if fits < answer.len() {
        return STATUS_BUFFER_OVERFLOW;
    }
    STATUS_SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::NtString;
    use crate::{Config, Kernel};

    fn open(path: &str, root: usize, access: u32) -> Result<usize, NTSTATUS> {
        let name = NtString::from(path);
        let name = name.as_nt();
        let attributes = OBJECT_ATTRIBUTES {
            Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
            RootDirectory: root as _,
            ObjectName: &raw const name,
            ..OBJECT_ATTRIBUTES::default()
        };
        let mut handle = 0;
        // SAFETY: all are locals, and the name is a valid string.
        match unsafe { ZwOpenKey(&raw mut handle, access, &raw const attributes) } {
            STATUS_SUCCESS => Ok(handle),
            status => Err(status),
        }
    }

    /// Reads a value into a buffer of `len` bytes: status, length needed, and the buffer.
    fn query(key: usize, name: &str, len: u32) -> (NTSTATUS, u32, Vec<u8>) {
        let name = NtString::from(name);
        let name = name.as_nt();
        let mut buffer = vec![0xee; len as usize];
        let mut needed = 0;
        let (class, to) = (KeyValuePartialInformation, buffer.as_mut_ptr());
        // SAFETY: the buffer has `len` bytes; all else are locals.
        let status =
            unsafe { ZwQueryValueKey(key, &raw const name, class, to, len, &raw mut needed) };
        (status, needed, buffer)
    }

    #[test]
    fn a_value_is_read_whole_or_in_part_and_its_length_is_told() {
        let kernel = Kernel::boot(Config::default());
        let values = [
            ("Altitude".into(), Value::String("1".into())),
            ("Size".into(), Value::Dword(7)),
        ];
        kernel.registry.set(r"\Registry\A\Parameters", &values);
        kernel.registry.set(r"\Registry\A", &[]);
        kernel.enter(&kernel.ps.system, || {
            let root = open(r"\registry\a", 0, KEY_READ).unwrap();
            let key = open("PARAMETERS", root, GENERIC_READ).unwrap();
            let whole = [0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, b'1', 0, 0, 0];
            let answer = query(key, "altitude", 16);
            assert_eq!(answer, (STATUS_SUCCESS, 16, whole.into()));
            let answer = query(key, "altitude", 14);
            assert_eq!(answer, (STATUS_BUFFER_OVERFLOW, 16, whole[..14].into()));
            let answer = query(key, "altitude", 11);
            assert_eq!(answer, (STATUS_BUFFER_TOO_SMALL, 16, vec![0xee; 11]));
            let (status, needed, number) = query(key, "Size", 16);
            assert_eq!((status, needed), (STATUS_SUCCESS, 16));
            assert_eq!(number[4..], [4, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0]);
            assert_eq!(query(key, "Shape", 16).0, STATUS_OBJECT_NAME_NOT_FOUND);
            let blind = open("Parameters", root, 0).unwrap();
            assert_eq!(query(blind, "Size", 16).0, STATUS_ACCESS_DENIED);
            assert_eq!(open("Nowhere", root, 1), Err(STATUS_OBJECT_NAME_NOT_FOUND));
        });
    }
}
