//! Processes, and how other events refer to them.

use super::{Hex, text};
use crate::time::Time;
use ntwatch_protocol::process::subsystem;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A process with all that is known about it (page "PS_CREATE_NOTIFY_INFO").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessStart {
    /// The process itself.
    pub process: Process,
    /// The process that it inherits from; a creator may name another than itself.
    pub parent: Option<ProcessRef>,
    /// The thread that created it; not known of a process that ran already.
    pub creator: Option<ThreadRef>,
    /// NTSTATUS: what another driver has refused the creation with, so that nothing of it runs.
    pub creation_status: Option<u32>,
}

/// Facts of a process, as of its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Process id, used again once the process is gone.
    pub pid: u32,
    /// Start key (page "PsGetProcessStartKey"): with the pid, never used again.
    pub key: Hex,
    /// When it was created.
    pub create_time: Option<Time>,
    /// DOS path where the volume is mapped, else NT path; for WSL the Linux path.
    pub image: Option<Arc<str>>,
    /// Was it started by the file's exact name (`FileOpenNameAvailable`)?
    pub image_exact: Option<bool>,
    /// As passed to it; for WSL the arguments, each ended by a NUL.
    pub command_line: Option<String>,
    /// Terminal Services session.
    pub session: Option<u32>,
    /// `DOMAIN\name`, or the SID if no account bears it.
    pub user: Option<Arc<str>>,
    /// The logon session's LUID (page "TOKEN_STATISTICS", `AuthenticationId`).
    pub logon_id: Option<Hex>,
    /// Integrity level.
    pub integrity: Option<Integrity>,
    /// Is the token elevated?
    pub elevated: Option<bool>,
    /// Protection level.
    pub protection: Option<Protection>,
    /// A 32-bit process on 64-bit Windows?
    pub wow64: Option<bool>,
    /// Win32 or WSL.
    pub subsystem: Option<Subsystem>,
    /// SHA-256 of the image's file, lower case hexadecimal; only if it was asked for, and the file
    /// can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Arc<str>>,
}

impl Process {
    /// The command line as people read it: the arguments of WSL with spaces between them.
    #[must_use]
    pub fn spaced_command_line(&self) -> Option<Cow<'_, str>> {
        let line = self.command_line.as_deref()?;
        Some(match line.contains('\0') {
            true => line.trim_end_matches('\0').replace('\0', " ").into(),
            false => line.into(),
        })
    }
}

/// A process that an event refers to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessRef {
    /// Process id.
    pub pid: u32,
    /// Start key.
    pub key: Option<Hex>,
    /// As [`Process::image`].
    pub image: Option<Arc<str>>,
}

/// A thread that an event refers to: who acted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadRef {
    /// Its process id.
    pub pid: u32,
    /// Its thread id.
    pub tid: u32,
    /// Start key of its process.
    pub key: Option<Hex>,
    /// As [`Process::image`], of its process.
    pub image: Option<Arc<str>>,
}

/// A process ended (page "PCREATE_PROCESS_NOTIFY_ROUTINE_EX").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessExit {
    /// Which one.
    pub process: ExitedProcess,
    /// The exit code or NTSTATUS that it ended with.
    pub exit_status: u32,
}

/// What is said again of a process that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitedProcess {
    /// Process id.
    pub pid: u32,
    /// Start key.
    pub key: Hex,
    /// When it was created.
    pub create_time: Option<Time>,
    /// As [`Process::image`].
    pub image: Option<Arc<str>>,
}

/// An integrity level, the last part of its SID (page "Mandatory Integrity Control"): a word for
/// the ones that Windows names, else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integrity(pub u32);

/// The words for them, lowest first.
pub(super) const INTEGRITIES: [(u32, &str); 7] = [
    (0x0000, "untrusted"),
    (0x1000, "low"),
    (0x2000, "medium"),
    (0x2100, "medium_plus"),
    (0x3000, "high"),
    (0x4000, "system"),
    (0x5000, "protected"),
];

impl Integrity {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        let known = INTEGRITIES.iter().find(|(level, _)| *level == self.0);
        known.map_or_else(|| text::numbered(self.0), |(_, name)| (*name).into())
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl FromStr for Integrity {
    type Err = text::Unknown;

    fn from_str(text: &str) -> Result<Self, text::Unknown> {
        match INTEGRITIES.iter().find(|(_, name)| *name == text) {
            Some((level, _)) => Ok(Self(*level)),
            None => text::hex(text).map(Self),
        }
    }
}

text::in_json!(Integrity, name);

/// `PS_PROTECTION`, of one byte (page "ZwQueryInformationProcess"): `none`, or the signer and how
/// far it goes, such as `antimalware_light` or `windows_tcb`; else `0x…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection(pub u8);

impl Protection {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        // Type in bits 0 to 2, audit in bit 3, signer in bits 4 to 7.
        let signer = SIGNERS.get(usize::from(self.0 >> 4)).copied();
        let name = match self.0 & 0x7 {
            0 => Some("none"),
            1 => signer,
            2 => signer.and_then(|light| light.strip_suffix(LIGHT)),
            _ => None,
        };
        name.map_or_else(|| text::numbered(self.0), Into::into)
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// `PS_PROTECTED_SIGNER`, by its number, for those that are protected lightly.
pub(super) const SIGNERS: [&str; 9] = [
    "no_signer_light",
    "authenticode_light",
    "code_gen_light",
    "antimalware_light",
    "lsa_light",
    "windows_light",
    "windows_tcb_light",
    "windows_system_light",
    "app_light",
];
pub(super) const LIGHT: &str = "_light";

impl FromStr for Protection {
    type Err = text::Unknown;

    fn from_str(text: &str) -> Result<Self, text::Unknown> {
        if text == "none" {
            return Ok(Self(0));
        }
        let named = (0u8..).zip(SIGNERS).find_map(|(number, light)| {
            let kind = match text {
                _ if light == text => 1,
                _ if light.strip_suffix(LIGHT) == Some(text) => 2,
                _ => return None,
            };
            Some(number << 4 | kind)
        });
        Ok(Self(named.map_or_else(|| text::hex(text), Ok)?))
    }
}

text::in_json!(Protection, name);

/// Whose process it is (page "SUBSYSTEM_INFORMATION_TYPE").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subsystem {
    /// A Windows process.
    Win32,
    /// A Linux process, of the Windows Subsystem for Linux.
    Wsl,
}

impl Subsystem {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Win32 => "win32",
            Self::Wsl => "wsl",
        }
    }

    /// `None` for a value that this version does not know.
    #[must_use]
    pub const fn from_wire(value: u32) -> Option<Self> {
        match value {
            subsystem::WIN32 => Some(Self::Win32),
            subsystem::WSL => Some(Self::Wsl),
            _ => None,
        }
    }
}
