//! The driver's package, and the store that Windows keeps packages in.
//!
//! What does this is looked for when it is wanted: other commands do without these libraries, and
//! Wine 8 lacks some of it. N.B. Wine's `DiInstallDriverW` does nothing, and says that it did.

use super::error::{Doing, ServiceError};
use std::ffi::{CStr, OsString};
use std::io;
use std::mem::transmute;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::{HWND, MAX_PATH};
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows_sys::core::{BOOL, PCWSTR, PWSTR};
use windows_sys::w;

/// `DiInstallDriverW` and `DiUninstallDriverW` (pages of these names).
type Change = unsafe extern "system" fn(HWND, PCWSTR, u32, *mut BOOL) -> BOOL;
/// `SetupSetNonInteractiveMode` (page "SetupSetNonInteractiveMode function").
type SetNonInteractive = unsafe extern "system" fn(BOOL) -> BOOL;
/// `SetupGetInfPublishedNameW` (page "SetupGetInfPublishedNameW function").
type PublishedName = unsafe extern "system" fn(PCWSTR, PWSTR, u32, *mut u32) -> BOOL;

/// What came of it.
pub(super) enum Outcome {
    Done,
    /// It is done once the machine is restarted.
    Restart,
    /// This Windows has no such function.
    Lacking,
}

/// Has Windows take the package into its store, and make the service that the INF describes. Nobody is
/// asked whether to trust who signed it: it fails then, for there may be nobody.
pub(super) fn install(inf: &Path) -> Result<Outcome, ServiceError> {
    let _unasked = NonInteractive::begin();
    change(c"DiInstallDriverW", inf).map_err(|error| ServiceError::windows(Doing::Install, error))
}

/// Has it undo that, by the INF that was installed.
pub(super) fn uninstall(inf: &Path, doing: Doing) -> Result<Outcome, ServiceError> {
    change(c"DiUninstallDriverW", inf).map_err(|error| ServiceError::windows(doing, error))
}

/// The name that Windows goes by for an INF of its store, such as `C:\Windows\INF\oem7.inf`; its own
/// where nobody can be asked (Wine 8).
pub(super) fn published(inf: &Path) -> Result<PathBuf, ServiceError> {
    let Some(function) = function(w!("setupapi.dll"), c"SetupGetInfPublishedNameW") else {
        return Ok(inf.to_owned());
    };
    // SAFETY: the function of this name has this type.
    let function: PublishedName = unsafe { transmute(function) };
    let inf = wide(inf);
    let mut name = [0; MAX_PATH as usize];
    // SAFETY: a string that ends with a NUL, and a buffer of this length in characters.
    let told = unsafe { function(inf.as_ptr(), name.as_mut_ptr(), MAX_PATH, null_mut()) };
    if told == 0 {
        return Err(ServiceError::windows(Doing::Uninstall, last_error()));
    }
    let name = name.split(|&unit| unit == 0).next().unwrap_or_default();
    Ok(OsString::from_wide(name).into())
}

/// SetupAPI shows no dialogs for this process, as long as this lives.
struct NonInteractive {
    set: SetNonInteractive,
    before: BOOL,
}

impl NonInteractive {
    fn begin() -> Option<Self> {
        let function = function(w!("setupapi.dll"), c"SetupSetNonInteractiveMode")?;
        // SAFETY: the function of this name has this type.
        let set: SetNonInteractive = unsafe { transmute(function) };
        // SAFETY: it takes a flag, and gives back the one before.
        let before = unsafe { set(1) };
        Some(Self { set, before })
    }
}

impl Drop for NonInteractive {
    fn drop(&mut self) {
        // SAFETY: it takes a flag.
        unsafe { (self.set)(self.before) };
    }
}

fn change(name: &CStr, inf: &Path) -> io::Result<Outcome> {
    let Some(function) = function(w!("newdev.dll"), name) else {
        return Ok(Outcome::Lacking);
    };
    // SAFETY: both functions that are asked for have this type.
    let function: Change = unsafe { transmute(function) };
    let inf = wide(inf);
    let mut restart = 0;
    // SAFETY: no window, a string that ends with a NUL, and a place that lives. As there is one,
    // Windows does not ask the user to restart.
    if unsafe { function(null_mut(), inf.as_ptr(), 0, &raw mut restart) } == 0 {
        return Err(last_error());
    }
    Ok(match restart {
        0 => Outcome::Done,
        _ => Outcome::Restart,
    })
}

/// A function of a library of Windows', which stays loaded.
fn function(library: PCWSTR, name: &CStr) -> Option<unsafe extern "system" fn() -> isize> {
    // SAFETY: a name that ends with a NUL. It is sought in System32 alone: an administrator runs
    // this, and what lies beside the program may be anybody's.
    let library = unsafe { LoadLibraryExW(library, null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32) };
    if library.is_null() {
        return None;
    }
    // SAFETY: the library is loaded, and the name ends with a NUL.
    unsafe { GetProcAddress(library, name.as_ptr().cast()) }
}

/// What the last call failed with. The codes of SetupAPI's own have words in their other form alone,
/// which is that of an `HRESULT` (macro `HRESULT_FROM_SETUPAPI`).
fn last_error() -> io::Error {
    let error = io::Error::last_os_error();
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(code) if code >> 29 == 0b111 => {
            io::Error::from_raw_os_error((0x800F_0000 | code & 0xFFFF).cast_signed())
        }
        _ => error,
    }
}

fn wide(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain([0]).collect()
}
