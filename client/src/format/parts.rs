//! What names are made of.

/// A file's path, taken apart: `/` separates a path of Linux, `\` one of Windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    pub(super) path: &'a str,
    pub(super) name: &'a str,
    pub(super) directory: Option<&'a str>,
}

impl<'a> File<'a> {
    pub(super) fn at(path: &'a str) -> Self {
        let separator = if path.starts_with('/') { '/' } else { '\\' };
        let (directory, name) = match path.rsplit_once(separator) {
            Some((directory, name)) => (Some(directory), name),
            None => (None, path),
        };
        Self {
            path,
            name,
            directory,
        }
    }

    /// What follows the name's last dot.
    pub(super) fn extension(&self) -> Option<&'a str> {
        let (stem, extension) = self.name.rsplit_once('.')?;
        Some(extension).filter(|_| !stem.is_empty())
    }

    /// The letter of the drive, in upper case.
    pub(super) fn drive(&self) -> Option<String> {
        let (letter, _) = self.path.split_once(r":\")?;
        let is_letter = letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_letter.then(|| letter.to_ascii_uppercase())
    }
}

/// Who a user is: `DOMAIN\name`, or a SID if no account bears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account<'a> {
    Named { domain: &'a str, name: &'a str },
    Sid(&'a str),
}

impl<'a> Account<'a> {
    pub(super) fn of(user: &'a str) -> Self {
        match user.split_once('\\') {
            Some((domain, name)) if !name.is_empty() => Self::Named { domain, name },
            None if user.starts_with("S-1-") => Self::Sid(user),
            _ => Self::Named {
                domain: "",
                name: user,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_windows_or_linux() {
        let file = File::at(r"c:\Windows\System32\cmd.exe");
        assert_eq!(file.name, "cmd.exe");
        assert_eq!(file.directory, Some(r"c:\Windows\System32"));
        assert_eq!(file.extension(), Some("exe"));
        assert_eq!(file.drive().as_deref(), Some("C"));

        let file = File::at(r"/usr/bin/back\slash");
        assert_eq!(file.name, r"back\slash");
        assert_eq!((file.extension(), file.drive()), (None, None));

        let file = File::at("System");
        assert_eq!((file.name, file.directory), ("System", None));
        assert_eq!(File::at(r"C:\.profile").extension(), None);
        assert_eq!(File::at(r"\Device\Mup\a:\b").drive(), None);
    }

    #[test]
    fn a_user_is_an_account_or_a_sid() {
        let system = Account::Named {
            domain: "NT AUTHORITY",
            name: "SYSTEM",
        };
        assert_eq!(Account::of(r"NT AUTHORITY\SYSTEM"), system);
        assert_eq!(Account::of("S-1-5-18"), Account::Sid("S-1-5-18"));
    }
}
