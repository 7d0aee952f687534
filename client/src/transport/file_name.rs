//! By which name Windows opens a file whose path an event tells. Needs nothing of Windows, so that
//! it is tested anywhere.

/// The name for `CreateFileW` (page "Naming Files, Paths, and Namespaces"). Behind `\\?\` nothing
/// of a path is taken for something else, and its length does not count; `GLOBALROOT` is the root
/// of the kernel's own names. `device` is what a drive stands for, such as `C:`.
///
/// `None` for what is no path of a file of Windows', as WSL's, and for a file on another machine:
/// whoever starts a program chooses where it lies, and this client would log on there.
pub(crate) fn file_name(path: &str, device: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let dos_path = path.strip_prefix(r"\??\");
    let name = dos_path.unwrap_or(path);
    match name.as_bytes() {
        [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic() => {
            is_here(&device(&name[..2])?).then(|| format!(r"\\?\{name}"))
        }
        _ if dos_path.is_some() => name.starts_with("Volume{").then(|| format!(r"\\?\{name}")),
        _ => is_here(path).then(|| format!(r"\\?\GLOBALROOT{path}")),
    }
}

/// What files of other machines are reached by, all of them by the first (page "Support for UNC
/// Naming and MUP"), which other names lead to.
const REDIRECTORS: [&str; 3] = ["Mup", "LanmanRedirector", "WebDavRedirector"];

/// Does a path of the kernel's lie on a device of this machine?
fn is_here(path: &str) -> bool {
    let Some(below) = path.strip_prefix(r"\Device\") else {
        return path.starts_with(r"\SystemRoot\");
    };
    let device = below.split('\\').next().unwrap_or_default();
    !REDIRECTORS
        .iter()
        .any(|redirector| device.eq_ignore_ascii_case(redirector))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(path: &str) -> Option<String> {
        file_name(path, |drive| {
            let device = match drive {
                "C:" => r"\Device\HarddiskVolume3",
                "S:" => r"\Device\LanmanRedirector\;S:0000000000012345\server\share",
                "U:" => r"\??\UNC\server\share",
                _ => return None,
            };
            Some(device.to_owned())
        })
    }

    #[test]
    fn a_path_of_an_event_is_opened_as_it_stands() {
        for (path, name) in [
            (r"C:\Windows\a.exe", r"\\?\C:\Windows\a.exe"),
            (r"\??\C:\Windows\b.exe", r"\\?\C:\Windows\b.exe"),
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
            assert_eq!(name_of(path).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_lies_on_another_machine_is_not_opened() {
        for path in [
            r"\\server\share\a.exe",
            r"\\?\UNC\server\share\a.exe",
            r"\??\UNC\server\share\a.exe",
            r"\??\unc\server\share\a.exe",
            r"\??\GLOBALROOT\Device\Mup\server\share\a.exe",
            r"\Device\Mup\server\share\a.exe",
            r"\Device\mup\;WebDavRedirector\server\share\a.exe",
            r"\Device\LanmanRedirector\server\share\a.exe",
            r"S:\a.exe",
            r"\??\S:\a.exe",
            r"U:\a.exe",
        ] {
            assert_eq!(name_of(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_of_windows_is_not_opened() {
        for path in [
            "/usr/bin/true",
            "Registry",
            "C:relative",
            r"Q:\no\such\drive.exe",
            "a.exe",
            "",
        ] {
            assert_eq!(name_of(path), None, "{path}");
        }
    }
}
