//! Registry keys.

use alloc::vec::Vec;
use core::mem::offset_of;
use core::ptr;

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::System::SystemServices::KEY_VALUE_PARTIAL_INFORMATION;
use windows_sys::Win32::Foundation::{
    HANDLE, OBJ_CASE_INSENSITIVE, OBJ_KERNEL_HANDLE, STATUS_BUFFER_OVERFLOW,
    STATUS_INSUFFICIENT_RESOURCES, UNICODE_STRING,
};

use super::{Error, ZwClose, ZwOpenKey, ZwQueryValueKey, check};

/// Of `KEY_VALUE_INFORMATION_CLASS`.
const KEY_VALUE_PARTIAL_INFORMATION_CLASS: i32 = 2;
/// Where the data of a value begin in what the kernel tells of it.
const HEADER: usize = offset_of!(KEY_VALUE_PARTIAL_INFORMATION, Data);
const _: () = assert!(HEADER == 12);

/// An open key, closed with this value.
pub(crate) struct Key(HANDLE);

// SAFETY: a kernel handle, good in every thread.
unsafe impl Send for Key {}
// SAFETY: as above.
unsafe impl Sync for Key {}

/// What the kernel tells of a value.
pub(crate) struct Value {
    /// `REG_SZ` and others.
    pub(crate) kind: u32,
    /// Of all its data, in bytes.
    pub(crate) length: usize,
    /// 12 bytes of header, then the data, if there was room for them.
    words: Option<Vec<u32>>,
}

impl Value {
    /// The data in 16-bit units, the last of an odd number of bytes left out; `None` if there was
    /// no room for them.
    pub(crate) fn units(&self) -> Option<impl Iterator<Item = u16>> {
        let words = self.words.as_ref()?.iter().skip(HEADER / size_of::<u32>());
        let units = words.flat_map(|word| [*word as u16, (*word >> 16) as u16]);
        Some(units.take(self.length / 2))
    }
}

impl Key {
    /// PASSIVE_LEVEL.
    pub(crate) fn open(path: &UNICODE_STRING, access: u32) -> Result<Self, Error> {
        let attributes = OBJECT_ATTRIBUTES {
            Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
            RootDirectory: ptr::null_mut(),
            ObjectName: path,
            Attributes: OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE,
            SecurityDescriptor: ptr::null(),
            SecurityQualityOfService: ptr::null(),
        };
        let mut key = ptr::null_mut();
        // SAFETY: the attributes and the name are valid for the call.
        check(unsafe { ZwOpenKey(&mut key, access, &attributes) })?;
        Ok(Self(key))
    }

    /// The value of a name, with its data if they are at most `room` bytes. PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The name is a valid string.
    pub(crate) unsafe fn query(
        &self,
        name: *const UNICODE_STRING,
        room: usize,
    ) -> Result<Value, Error> {
        let count = (HEADER + room).div_ceil(size_of::<u32>());
        let mut words = Vec::new();
        words
            .try_reserve_exact(count)
            .map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        words.resize(count, 0u32);
        let mut length = 0;
        // SAFETY: our key, the caller's name, and our memory of that size.
        let status = unsafe {
            ZwQueryValueKey(
                self.0,
                name,
                KEY_VALUE_PARTIAL_INFORMATION_CLASS,
                words.as_mut_ptr().cast(),
                (HEADER + room) as u32,
                &mut length,
            )
        };
        if status != STATUS_BUFFER_OVERFLOW {
            check(status)?;
        }
        // The header is there in both cases.
        Ok(Value {
            kind: words.get(1).copied().unwrap_or_default(),
            length: words.get(2).copied().unwrap_or_default() as usize,
            words: (status != STATUS_BUFFER_OVERFLOW).then_some(words),
        })
    }
}

impl Drop for Key {
    /// PASSIVE_LEVEL.
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once.
        unsafe { ZwClose(self.0) };
    }
}
