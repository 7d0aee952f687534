//! What a process of Linux looks like on Windows.

use super::procfs::{self, Facts};
use crate::Kernel;
use crate::ps::{NewProcess, Parent};
use crate::se::{Sid, Token};
use crate::source::volume;

/// As whose processes Linux's own are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guise {
    /// As Windows': a path such as `/usr/bin/cc` is `C:\usr\bin\cc`, and arguments are one
    /// command line, quoted as on Windows.
    #[default]
    Win32,
    /// As those of the Windows Subsystem for Linux: the path is Linux's, and each argument ends
    /// with a NUL (page "SUBSYSTEM_INFORMATION_TYPE"). There is no image that Windows knows of.
    Wsl,
}

impl Guise {
    /// The process that Linux tells these facts of. User 1000 is the SID `S-1-22-1-1000`, as Samba
    /// has it.
    pub(super) fn new_process(
        self,
        kernel: &Kernel,
        host: &str,
        (pid, parent): (u32, Option<u32>),
        facts: &Facts,
    ) -> NewProcess {
        let user = facts.user_id.map(|id| {
            let sid = Sid::new(22, &[1, id]);
            if let Some(name) = procfs::user_name(id) {
                let name = format!(r"{host}\{name}");
                kernel.ps.accounts.add(sid.clone(), &name);
            }
            sid
        });
        let new = NewProcess {
            id: Some(pid),
            parent: parent.map(|id| Parent {
                id,
                key: kernel.ps.find(id).map(|process| process.key),
            }),
            token: Token {
                user,
                ..Token::default()
            },
            ..NewProcess::default()
        };
        let arguments = facts.arguments.as_deref();
        match self {
            Guise::Win32 => {
                let path = |path: &String| format!("C:{}", path.replace('/', r"\"));
                let path = facts.exe.as_ref().map(path);
                NewProcess {
                    image_name: path.as_deref().map(volume::open_name),
                    image_path: path.as_deref().map(volume::device_path),
                    command_line: arguments.map(command_line),
                    ..new
                }
            }
            Guise::Wsl => NewProcess {
                image_name: facts.exe.clone(),
                command_line: arguments.map(nul_ended),
                wsl: true,
                ..new
            },
        }
    }
}

fn nul_ended(arguments: &[String]) -> String {
    arguments.iter().flat_map(|a| [a.as_str(), "\0"]).collect()
}

/// Arguments as one Windows command line: quoted where they have to be, so that a program would
/// split it into the same arguments (page "Parsing C Command-Line Arguments").
fn command_line(arguments: &[String]) -> String {
    let quoted: Vec<String> = arguments.iter().map(|argument| quote(argument)).collect();
    quoted.join(" ")
}

fn quote(argument: &str) -> String {
    if !argument.is_empty() && !argument.contains([' ', '\t', '\n', '"']) {
        return argument.to_owned();
    }
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for c in argument.chars() {
        // Backslashes count only in front of a quote: there each is doubled.
        match c {
            '\\' => backslashes += 1,
            '"' => {
                quoted.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        quoted.push(c);
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes));
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_where_a_program_would_split_them() {
        let line = |arguments: &[&str]| {
            command_line(
                &arguments
                    .iter()
                    .map(|a| (*a).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(line(&["sh", "-c", "echo hi"]), r#"sh -c "echo hi""#);
        assert_eq!(
            line(&["a", "", r#"b"c"#, r"d\", r"e \"]),
            r#"a "" "b\"c" d\ "e \\""#
        );
    }

    #[test]
    fn a_process_of_wsl_has_its_linux_path_and_arguments_or_none() {
        let kernel = Kernel::boot(crate::Config::default());
        let seen = |facts: &Facts| {
            let new = Guise::Wsl.new_process(&kernel, "PC", (100, None), facts);
            assert!(new.wsl && new.image_path.is_none());
            (new.image_name, new.command_line)
        };
        let facts = Facts {
            exe: Some("/usr/bin/cat".into()),
            arguments: Some(["cat", "", "a b"].map(Into::into).into()),
            ..Facts::default()
        };
        let expected = (Some("/usr/bin/cat".into()), Some("cat\0\0a b\0".into()));
        assert_eq!(seen(&facts), expected);
        assert_eq!(seen(&Facts::default()), (None, None));
    }
}
