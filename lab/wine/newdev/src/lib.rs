//! `newdev.dll`, by which Windows installs driver packages. Wine's says that it did, and does nothing.
//!
//! It does what Microsoft's pages say of `DiInstallDriverW`, `DiUninstallDriverW` and primitive
//! drivers, for the one package that `ntwatch install` knows. It knows no signatures: the text of the
//! catalogue says what Windows would have thought of it, as the code of an error (`0x800b0109`), or
//! that it wants a restart, asks whether to trust somebody (who is there says yes), or takes the
//! package and makes no service of it.
//!
//! N.B. It is written from the same pages as what calls it. No Windows did so here.
#![cfg(windows)]

mod package;

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_INVALID_FLAGS, HWND, SetLastError,
};
use windows_sys::core::{BOOL, PCWSTR};

/// What comes of a call: is a restart wanted?
type Outcome = Result<bool, u32>;

/// Page "DiInstallDriverW function".
///
/// # Safety
/// `inf` ends with a NUL, and `restart` is null or has room.
#[unsafe(no_mangle)]
unsafe extern "system" fn DiInstallDriverW(
    _window: HWND,
    inf: PCWSTR,
    flags: u32,
    restart: *mut BOOL,
) -> BOOL {
    // SAFETY: the caller's promise.
    unsafe { change(inf, flags, restart, package::install) }
}

/// Page "DiUninstallDriverW function".
///
/// # Safety
/// `inf` ends with a NUL, and `restart` is null or has room.
#[unsafe(no_mangle)]
unsafe extern "system" fn DiUninstallDriverW(
    _window: HWND,
    inf: PCWSTR,
    flags: u32,
    restart: *mut BOOL,
) -> BOOL {
    // SAFETY: the caller's promise.
    unsafe { change(inf, flags, restart, package::uninstall) }
}

/// # Safety
/// `inf` ends with a NUL, and `restart` is null or has room.
unsafe fn change(
    inf: PCWSTR,
    flags: u32,
    restart: *mut BOOL,
    change: impl FnOnce(&Path) -> Outcome,
) -> BOOL {
    // SAFETY: the caller's promise.
    let inf = unsafe { path(inf) };
    let outcome = checked(&inf, flags).and_then(|()| change(&inf));
    // SAFETY: the caller's promise.
    unsafe { answer(outcome, restart) }
}

fn checked(inf: &Path, flags: u32) -> Result<(), u32> {
    if flags != 0 {
        return Err(ERROR_INVALID_FLAGS);
    }
    // It wants the full path.
    if inf.is_absolute() && inf.is_file() {
        Ok(())
    } else {
        Err(ERROR_FILE_NOT_FOUND)
    }
}

/// # Safety
/// It ends with a NUL.
unsafe fn path(inf: PCWSTR) -> PathBuf {
    let mut units = Vec::new();
    let mut unit = inf;
    loop {
        // SAFETY: no NUL was met before this one.
        match unsafe { unit.read() } {
            0 => return OsString::from_wide(&units).into(),
            other => units.push(other),
        }
        unit = unit.wrapping_add(1);
    }
}

/// # Safety
/// `restart` is null or has room.
unsafe fn answer(outcome: Outcome, restart: *mut BOOL) -> BOOL {
    match outcome {
        Ok(wanted) => {
            if !restart.is_null() {
                // SAFETY: the caller's promise.
                unsafe { restart.write(wanted.into()) };
            }
            1
        }
        Err(code) => {
            // SAFETY: it takes any code.
            unsafe { SetLastError(code) };
            0
        }
    }
}
