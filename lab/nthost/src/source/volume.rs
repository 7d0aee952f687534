//! DOS paths and what the kernel calls the same files.
//!
//! A notify routine sees the name that the creator opened, `\??\C:\…`; the kernel itself speaks
//! of the device, `\Device\HarddiskVolume3\…` (pages "PS_CREATE_NOTIFY_INFO" and
//! "SeLocateProcessImageName").

/// The device behind a drive letter: C: is the third volume, as on most machines.
pub fn device(drive: char) -> String {
    let number = drive.to_ascii_uppercase() as u32 - 'A' as u32 + 1;
    format!(r"\Device\HarddiskVolume{number}")
}

/// The name that a process is created by. What is not a DOS path stays as it is.
pub fn open_name(path: &str) -> String {
    match split(path) {
        Split::Drive(drive, rest) => format!(r"\??\{drive}:{rest}"),
        Split::Share(rest) => format!(r"\??\UNC\{rest}"),
        Split::Other => path.into(),
    }
}

/// The path on its device. What is not a DOS path stays as it is.
pub fn device_path(path: &str) -> String {
    match split(path) {
        Split::Drive(drive, rest) => format!("{}{rest}", device(drive)),
        Split::Share(rest) => format!(r"\Device\Mup\{rest}"),
        Split::Other => path.into(),
    }
}

/// The drive letter of a DOS path, in upper case.
pub fn drive(path: &str) -> Option<char> {
    match split(path) {
        Split::Drive(drive, _) => Some(drive.to_ascii_uppercase()),
        _ => None,
    }
}

enum Split<'a> {
    /// A letter, and what follows the colon.
    Drive(char, &'a str),
    /// What follows the two backslashes of `\\server\share\…`.
    Share(&'a str),
    Other,
}

fn split(path: &str) -> Split<'_> {
    let path = path.strip_prefix(r"\\?\").unwrap_or(path);
    if let Some(rest) = path.strip_prefix(r"\\") {
        return Split::Share(rest);
    }
    let mut chars = path.chars();
    match (chars.next(), chars.next(), chars.clone().next()) {
        (Some(drive), Some(':'), Some('\\')) if drive.is_ascii_alphabetic() => {
            Split::Drive(drive, chars.as_str())
        }
        _ => Split::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_name_for_its_creator_and_one_for_the_kernel() {
        for (dos, open, device) in [
            (
                r"C:\Windows\a.exe",
                r"\??\C:\Windows\a.exe",
                r"\Device\HarddiskVolume3\Windows\a.exe",
            ),
            (r"\\?\d:\b", r"\??\d:\b", r"\Device\HarddiskVolume4\b"),
            (
                r"\\srv\tools\c.exe",
                r"\??\UNC\srv\tools\c.exe",
                r"\Device\Mup\srv\tools\c.exe",
            ),
            ("Registry", "Registry", "Registry"),
            ("C:relative", "C:relative", "C:relative"),
        ] {
            assert_eq!(open_name(dos), open);
            assert_eq!(device_path(dos), device);
        }
    }
}
