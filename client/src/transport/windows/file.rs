//! What Windows tells of a file, and Rust's library does not.

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::time::{Duration, SystemTime};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_BASIC_INFO, FILE_READ_ATTRIBUTES, FileBasicInfo, GetFileInformationByHandleEx,
};

/// 1601, where Windows' count begins, before 1970.
const EPOCH: Duration = Duration::from_secs(11_644_473_600);
/// Windows counts 100 ns.
const TICKS_IN_SECOND: u64 = 10_000_000;

/// When anything of a file was changed, its times among that (page "FILE_BASIC_INFO structure");
/// 1601 where its file system does not note that.
pub(crate) fn changed(path: &Path) -> Option<SystemTime> {
    let mut attributes_alone = File::options();
    attributes_alone.access_mode(FILE_READ_ATTRIBUTES);
    let file = attributes_alone.open(path).ok()?;
    let mut about = FILE_BASIC_INFO::default();
    // SAFETY: the handle is open through the call, and `about` is ours and of the size given.
    let told = unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            FileBasicInfo,
            (&raw mut about).cast(),
            size_of_val(&about) as u32,
        )
    };
    if told == 0 {
        return None;
    }
    let ticks = u64::try_from(about.ChangeTime).ok()?;
    let rest = u32::try_from(ticks % TICKS_IN_SECOND).ok()? * 100;
    let since = Duration::new(ticks / TICKS_IN_SECOND, rest);
    SystemTime::UNIX_EPOCH
        .checked_sub(EPOCH)?
        .checked_add(since)
}
