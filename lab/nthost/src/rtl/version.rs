//! The version of the modelled system.

use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_SUCCESS};
use windows_sys::Win32::System::SystemInformation::OSVERSIONINFOEXW;

use crate::exports::exports;

exports! {
    PASSIVE_LEVEL: RtlGetVersion;
}

/// Windows 10 22H2.
const VERSION: (u32, u32, u32) = (10, 0, 19045);
const VER_PLATFORM_WIN32_NT: u32 = 2;
const VER_NT_WORKSTATION: u8 = 1;

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn RtlGetVersion(information: *mut OSVERSIONINFOEXW) -> NTSTATUS {
    // SAFETY: the driver passes an OSVERSIONINFOW at least, and says its size.
    let size = unsafe { (*information).dwOSVersionInfoSize };
    let version = OSVERSIONINFOEXW {
        dwOSVersionInfoSize: size,
        dwMajorVersion: VERSION.0,
        dwMinorVersion: VERSION.1,
        dwBuildNumber: VERSION.2,
        dwPlatformId: VER_PLATFORM_WIN32_NT,
        wProductType: VER_NT_WORKSTATION,
        ..OSVERSIONINFOEXW::default()
    };
    let size = (size as usize).min(size_of::<OSVERSIONINFOEXW>());
    // SAFETY: the structure holds the size it says; the shorter one is a prefix of the longer.
    unsafe {
        std::ptr::copy_nonoverlapping((&raw const version).cast::<u8>(), information.cast(), size)
    };
    STATUS_SUCCESS
}
