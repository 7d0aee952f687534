//! Registry keys.

use crate::nt::check;
use crate::wdf::driver::Driver;
use crate::wdf::wdf_call;
use core::ptr;
use wdk_sys::{KEY_QUERY_VALUE, NTSTATUS, UNICODE_STRING, WDFKEY};

/// An open key, closed when dropped.
pub(crate) struct Key(WDFKEY);

impl Driver {
    /// The Parameters key of the driver's service. Page "WdfDriverOpenParametersRegistryKey".
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn open_parameters_registry_key(self) -> Result<Key, NTSTATUS> {
        let mut key = ptr::null_mut();
        // SAFETY: our driver; `key` is ours to write.
        check(unsafe {
            wdf_call!(
                PFN_WDFDRIVEROPENPARAMETERSREGISTRYKEY,
                WdfDriverOpenParametersRegistryKeyTableIndex,
                self.0,
                KEY_QUERY_VALUE,
                ptr::null_mut(),
                &raw mut key,
            )
        })?;
        Ok(Key(key))
    }
}

impl Key {
    /// Copies the string that `name` has to `buffer`, and says how many units of it that is
    /// without a NUL at the end. N.B. With that NUL it must fit. Page
    /// "WdfRegistryQueryUnicodeString". IRQL = PASSIVE_LEVEL.
    pub(crate) fn query_string<const UNITS: usize>(
        &self,
        name: &UNICODE_STRING,
        buffer: &mut [u16; UNITS],
    ) -> Result<usize, NTSTATUS> {
        const { assert!(size_of::<[u16; UNITS]>() <= u16::MAX as usize) };
        let mut value = UNICODE_STRING {
            Length: 0,
            MaximumLength: size_of::<[u16; UNITS]>() as u16,
            Buffer: buffer.as_mut_ptr(),
        };
        // SAFETY: our key, a string that is only read, and one whose buffer is ours to write.
        check(unsafe {
            wdf_call!(
                PFN_WDFREGISTRYQUERYUNICODESTRING,
                WdfRegistryQueryUnicodeStringTableIndex,
                self.0,
                name,
                ptr::null_mut(),
                &raw mut value,
            )
        })?;
        Ok(usize::from(value.Length / 2))
    }
}

impl Drop for Key {
    /// Page "WdfRegistryClose". IRQL = PASSIVE_LEVEL.
    fn drop(&mut self) {
        // SAFETY: our key, used no more.
        unsafe { wdf_call!(PFN_WDFREGISTRYCLOSE, WdfRegistryCloseTableIndex, self.0) };
    }
}
