//! Where Wine differs from Windows so that this program has to know.
//!
//! It has no start keys, nor `ProcessTelemetryIdInformation`, in which they come. It shares no memory
//! between programs and drivers, so that no ring is mapped ([`super::ring`]).

use super::process::{Identity, query};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use windows_sys::Wdk::System::Threading::ProcessSessionInformation;
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, PROCESS_NAME_WIN32, QueryFullProcessImageNameW,
};
use windows_sys::w;

/// Is this Windows Wine's? Its ntdll alone exports this name.
pub(super) fn is_wine() -> bool {
    // SAFETY: the name ends with a NUL.
    let ntdll = unsafe { GetModuleHandleW(w!("ntdll.dll")) };
    if ntdll.is_null() {
        return false;
    }
    // SAFETY: ntdll stays loaded as long as the process runs, and the name ends with a NUL.
    unsafe { GetProcAddress(ntdll, c"wine_get_version".as_ptr().cast()) }.is_some()
}

/// What can be had of a process on Wine, where its time of creation is taken for its key: a driver
/// is told no other there.
pub(super) fn identity(process: &OwnedHandle) -> Option<Identity> {
    if !is_wine() {
        return None;
    }
    let create_time = create_time(process)?;
    Some(Identity {
        key: create_time.cast_unsigned(),
        create_time: Some(create_time),
        image: image(process),
        command_line: None,
        session_id: query(process, ProcessSessionInformation).map(u32::from_le_bytes),
        user: None,
    })
}

fn create_time(process: &OwnedHandle) -> Option<i64> {
    let [mut created, mut exited, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: a handle, and four places that are ours to write.
    let ok = unsafe {
        GetProcessTimes(
            process.as_raw_handle(),
            &raw mut created,
            &raw mut exited,
            &raw mut kernel,
            &raw mut user,
        )
    };
    let time = i64::from(created.dwHighDateTime) << 32 | i64::from(created.dwLowDateTime);
    (ok != 0).then_some(time)
}

fn image(process: &OwnedHandle) -> Option<String> {
    let mut path = vec![0; 0x8000];
    let mut len = path.len() as u32;
    // SAFETY: a handle, and a buffer of `len` units.
    let ok = unsafe {
        QueryFullProcessImageNameW(
            process.as_raw_handle(),
            PROCESS_NAME_WIN32,
            path.as_mut_ptr(),
            &raw mut len,
        )
    };
    let path = path.get(..len as usize)?;
    (ok != 0).then(|| String::from_utf16_lossy(path))
}
