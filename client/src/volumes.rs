//! From the kernel's paths to those that people know, and back.

use std::borrow::Cow;

/// A DOS drive and the device that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Such as `C:`.
    pub drive: String,
    /// Such as `\Device\HarddiskVolume3`.
    pub device: String,
}

/// The redirectors' common device: network paths lie below it.
const MUP: &str = r"\Device\Mup";

/// The drives of a machine, for turning paths.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    /// Longest device first, so that the first match is the right one.
    drives: Vec<Volume>,
}

impl Volumes {
    /// Takes what `QueryDosDeviceW` says. Where two drives stand for one device, the first counts.
    #[must_use]
    pub fn new(mut drives: Vec<Volume>) -> Self {
        // A drive made by `subst` stands for `\??\C:\…`, which is no device.
        drives.retain(|volume| volume.device.starts_with(r"\Device\"));
        drives.sort_by_key(|volume| std::cmp::Reverse(volume.device.len()));
        Self { drives }
    }

    /// `C:\…` or `\\server\share\…` for a path as the kernel writes it; the path itself where no
    /// drive stands for its device, or where it is no such path (WSL's, for one).
    #[must_use]
    pub fn dos_path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        for link in [r"\??\", r"\DosDevices\"] {
            if let Some(rest) = strip_prefix(path, link) {
                return match strip_prefix(rest, r"UNC\") {
                    Some(share) => Cow::Owned(format!(r"\\{share}")),
                    None if has_drive(rest) => Cow::Borrowed(rest),
                    None => Cow::Borrowed(path),
                };
            }
        }
        if let Some(rest) = strip_device(path, MUP) {
            return Cow::Owned(format!(r"\{}", after_redirector(rest)));
        }
        self.drives
            .iter()
            .find_map(|volume| {
                let rest = strip_device(path, &volume.device)?;
                Some(Cow::Owned(format!("{}{rest}", volume.drive)))
            })
            .unwrap_or(Cow::Borrowed(path))
    }

    /// The pattern that means the same to the driver, which knows devices but no drives:
    /// `C:\Windows\*` becomes `\Device\HarddiskVolume3\Windows\*`, `\\server\…` becomes
    /// `\Device\Mup\server\…`, anything else stays. `None` when no such drive is mounted.
    #[must_use]
    pub fn nt_pattern<'a>(&self, pattern: &'a str) -> Option<Cow<'a, str>> {
        if let Some(share) = pattern.strip_prefix(r"\\") {
            return Some(Cow::Owned(format!(r"{MUP}\{share}")));
        }
        if !has_drive(pattern) {
            return Some(Cow::Borrowed(pattern));
        }
        let (drive, rest) = pattern.split_at(2);
        let volume = self
            .drives
            .iter()
            .find(|volume| volume.drive.eq_ignore_ascii_case(drive))?;
        Some(Cow::Owned(format!("{}{rest}", volume.device)))
    }
}

/// Does it begin with a drive and a colon?
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// What follows `prefix`, whose case does not count.
fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = path.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// What follows `device`, if that ends where a component of `path` ends: nothing, or `\…`.
fn strip_device<'a>(path: &'a str, device: &str) -> Option<&'a str> {
    let rest = strip_prefix(path, device)?;
    (rest.is_empty() || rest.starts_with('\\')).then_some(rest)
}

/// Drops what the redirectors put before the server: `\;LanmanRedirector\;Z:0000…\server\share`.
fn after_redirector(mut path: &str) -> &str {
    while let Some(rest) = path.strip_prefix(r"\;") {
        path = rest.find('\\').map_or("", |end| &rest[end..]);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn machine() -> Volumes {
        let volume = |drive: &str, device: &str| Volume {
            drive: drive.into(),
            device: device.into(),
        };
        Volumes::new(vec![
            volume("C:", r"\Device\HarddiskVolume1"),
            volume("D:", r"\Device\HarddiskVolume12"),
            volume("S:", r"\??\C:\sources"),
        ])
    }

    #[test]
    fn kernel_paths_become_the_ones_people_know() {
        for (nt, dos) in [
            (
                r"\Device\HarddiskVolume1\Windows\a.exe",
                r"C:\Windows\a.exe",
            ),
            (r"\device\harddiskvolume12\b.exe", r"D:\b.exe"),
            (r"\??\C:\Windows\c.exe", r"C:\Windows\c.exe"),
            (r"\??\UNC\server\share\d.exe", r"\\server\share\d.exe"),
            (r"\Device\Mup\server\share\e.exe", r"\\server\share\e.exe"),
            (
                r"\Device\Mup\;LanmanRedirector\;Z:01\server\share\f.exe",
                r"\\server\share\f.exe",
            ),
        ] {
            assert_eq!(machine().dos_path(nt), dos);
        }
    }

    #[test]
    fn a_path_without_a_drive_stays_as_it_is() {
        for path in [
            r"\Device\HarddiskVolume123\a.exe",
            r"\Device\HarddiskVolume",
            r"\SystemRoot\System32\smss.exe",
            r"\??\Volume{00000000-0000-0000-0000-000000000000}\a.exe",
            r"C:\already.exe",
            "/usr/bin/true",
            "Registry",
            "",
        ] {
            assert_eq!(machine().dos_path(path), path);
        }
    }

    #[test]
    fn a_pattern_with_a_drive_is_one_the_driver_understands() {
        let machine = machine();
        let turned = |pattern| machine.nt_pattern(pattern).map(Cow::into_owned);
        assert_eq!(
            turned(r"c:\Win*").as_deref(),
            Some(r"\Device\HarddiskVolume1\Win*")
        );
        assert_eq!(
            turned(r"\\server\*").as_deref(),
            Some(r"\Device\Mup\server\*")
        );
        assert_eq!(turned("cmd.exe").as_deref(), Some("cmd.exe"));
        assert_eq!(turned(r"Q:\*"), None);
    }

    proptest! {
        #[test]
        fn any_text_has_some_path(path in r"(\\Device\\|\\\?\?\\|\\Mup|\\;|[a-zé:0-9\\]){0,12}") {
            let _ = machine().dos_path(&path);
            let _ = machine().nt_pattern(&path);
        }

        #[test]
        fn a_file_on_a_drive_keeps_its_path(rest in r"\\[a-z\\é .]{0,20}") {
            let nt = format!(r"\Device\HarddiskVolume12{rest}");
            prop_assert_eq!(machine().dos_path(&nt), format!("D:{rest}"));
        }
    }
}
