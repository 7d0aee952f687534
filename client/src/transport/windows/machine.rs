//! What Windows tells of the machine.

use super::device::{last_fault, wide};
use crate::time::Time;
use crate::transport::{Fault, Host};
use crate::volumes::Volume;
use std::ptr::null;
use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SystemTimeOfDayInformation,
};
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::Security::LookupAccountSidW;
use windows_sys::Win32::Storage::FileSystem::{GetLogicalDrives, QueryDosDeviceW};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNameDnsHostname, GetComputerNameExW, GetSystemTimePreciseAsFileTime,
};
use windows_sys::Win32::System::WindowsProgramming::SYSTEM_TIMEOFDAY_INFORMATION;

/// UTF-16 units for a name; `DOMAIN\name` and DNS names have at most 256 each.
const NAME_UNITS: usize = 512;

/// Drives and their devices.
pub(super) fn volumes() -> Vec<Volume> {
    // SAFETY: takes nothing.
    let drives = unsafe { GetLogicalDrives() };
    (0..26)
        .filter(|letter| drives >> letter & 1 != 0)
        .filter_map(|letter| {
            let drive = format!("{}:", char::from(b'A' + letter));
            let device = device(&drive)?;
            Some(Volume { drive, device })
        })
        .collect()
}

/// The device that a drive stands for now (page "QueryDosDeviceW function").
pub(super) fn device(drive: &str) -> Option<String> {
    let name = wide(drive);
    let mut target = [0u16; NAME_UNITS];
    // SAFETY: `name` ends with a NUL, and `target` has the length given.
    let len = unsafe { QueryDosDeviceW(name.as_ptr(), target.as_mut_ptr(), target.len() as u32) };
    // The present target comes first; older ones follow its NUL.
    (len != 0).then(|| until_nul(&target))
}

/// Name, boot time and clock.
pub(super) fn host() -> Result<Host, Fault> {
    let mut name = [0u16; NAME_UNITS];
    let mut len = name.len() as u32;
    // SAFETY: `name` has the length that `len` says.
    let ok =
        unsafe { GetComputerNameExW(ComputerNameDnsHostname, name.as_mut_ptr(), &raw mut len) };
    if ok == 0 {
        return Err(last_fault());
    }
    let mut now = FILETIME::default();
    // SAFETY: `now` is ours to write.
    unsafe { GetSystemTimePreciseAsFileTime(&raw mut now) };
    let now = u64::from(now.dwHighDateTime) << 32 | u64::from(now.dwLowDateTime);
    Ok(Host {
        name: until_nul(&name),
        boot_time: boot_time(),
        now: Time(now.cast_signed()),
    })
}

/// The structure's first field (page "NtQuerySystemInformation function" keeps it opaque;
/// `SYSTEM_TIMEOFDAY_INFORMATION.BootTime` in the kernel's own debug symbols).
fn boot_time() -> Option<Time> {
    let mut times = SYSTEM_TIMEOFDAY_INFORMATION::default();
    let size = size_of_val(&times) as u32;
    // SAFETY: `times` has the length given; the returned length may be null.
    let status = unsafe {
        NtQuerySystemInformation(
            SystemTimeOfDayInformation,
            (&raw mut times).cast(),
            size,
            std::ptr::null_mut(),
        )
    };
    let boot_time = times.Reserved1.first_chunk()?;
    if status == 0 {
        Time::known(i64::from_le_bytes(*boot_time))
    } else {
        None
    }
}

/// `DOMAIN\name` (page "LookupAccountSidW function"). May ask a domain controller.
pub(super) fn account(sid: &[u8]) -> Option<String> {
    // The call trusts the SID's own count of parts.
    crate::sid::to_text(sid)?;
    let (mut name, mut domain) = ([0u16; NAME_UNITS], [0u16; NAME_UNITS]);
    let (mut name_len, mut domain_len) = (name.len() as u32, domain.len() as u32);
    let mut kind = 0;
    // SAFETY: `sid` is a whole SID, as was checked, and is only read; the buffers have the
    // lengths given.
    let ok = unsafe {
        LookupAccountSidW(
            null(),
            sid.as_ptr().cast_mut().cast(),
            name.as_mut_ptr(),
            &raw mut name_len,
            domain.as_mut_ptr(),
            &raw mut domain_len,
            &raw mut kind,
        )
    };
    if ok == 0 {
        return None;
    }
    let (name, domain) = (until_nul(&name), until_nul(&domain));
    Some(if domain.is_empty() {
        name
    } else {
        format!(r"{domain}\{name}")
    })
}

fn until_nul(units: &[u16]) -> String {
    String::from_utf16_lossy(units.split(|unit| *unit == 0).next().unwrap_or_default())
}
