//! By which name Windows opens a file whose path an event tells. Needs nothing of Windows, so that
//! it is tested anywhere.

/// The name for `CreateFileW` (page "Naming Files, Paths, and Namespaces"). Behind `\\?\` nothing
/// of a path is taken for something else, and its length does not count; `GLOBALROOT` is the root
/// of the kernel's own names. `None` for what is no path of a file of Windows', as WSL's.
pub(crate) fn file_name(path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix(r"\??\") {
        return Some(format!(r"\\?\{rest}"));
    }
    if let Some(share) = path.strip_prefix(r"\\") {
        return Some(format!(r"\\?\UNC\{share}"));
    }
    match path.as_bytes() {
        [b'\\', ..] => Some(format!(r"\\?\GLOBALROOT{path}")),
        [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic() => Some(format!(r"\\?\{path}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_an_event_is_opened_as_it_stands() {
        for (path, name) in [
            (r"C:\Windows\a.exe", r"\\?\C:\Windows\a.exe"),
            (r"\\server\share\b.exe", r"\\?\UNC\server\share\b.exe"),
            (
                r"\Device\HarddiskVolume9\c.exe",
                r"\\?\GLOBALROOT\Device\HarddiskVolume9\c.exe",
            ),
            (
                r"\SystemRoot\System32\d.sys",
                r"\\?\GLOBALROOT\SystemRoot\System32\d.sys",
            ),
            (r"\??\Volume{0}\e.exe", r"\\?\Volume{0}\e.exe"),
        ] {
            assert_eq!(file_name(path).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_is_no_path_of_windows_is_not_opened() {
        for path in ["/usr/bin/true", "Registry", "C:relative", "a.exe", ""] {
            assert_eq!(file_name(path), None, "{path}");
        }
    }
}
