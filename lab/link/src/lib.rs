//! What a client says to `nthost` over a Unix socket, in place of Windows.
//!
//! One connection is one process of the modelled machine, with one handle. Its first request is
//! [`Request::Open`]; requests after that are overlapped and told apart by tag. Closing the socket
//! is the death of the process: Windows closes its handle and cancels its requests.
//!
//! A frame is its length in bytes (`u32`, little endian) and then one [`Request`] or [`Reply`] as
//! `postcard` writes it. What both sides share comes as a file beside the frame ([`Inbox`]).
#![forbid(unsafe_code)]

mod file;

pub use file::{Inbox, send_with_file};

use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// No frame is longer, in bytes.
pub const MAX_FRAME: usize = 16 << 20;

/// What the client's process asks of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// `CreateFileW`. Answered with [`Reply::Completed`], `tag` 0.
    Open {
        /// A Win32 name, such as `\\.\ntwatch`.
        name: &'a str,
        /// Desired access, such as `GENERIC_READ | GENERIC_WRITE`.
        access: u32,
    },
    /// `DeviceIoControl`, overlapped. Answered with [`Reply::Completed`] at some time.
    Control {
        /// Chosen by the client; free again once the request is completed.
        tag: u32,
        /// The control code.
        code: u32,
        /// The input buffer.
        input: &'a [u8],
        /// Bytes of the output buffer.
        output_len: u32,
    },
    /// `CancelIoEx` of one request. Not answered itself; the request completes one way or another.
    Cancel {
        /// The request to cancel.
        tag: u32,
    },
    /// What Windows tells any process. Answered with [`Reply::Answer`].
    Query {
        /// As for [`Request::Control`].
        tag: u32,
        /// What is asked.
        query: Query,
    },
}

/// What Windows tells any process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// The processes that run now (`NtQuerySystemInformation` and what each can be asked).
    Processes,
    /// The process that has this pid now.
    Process(u32),
    /// Enables a privilege of the client's token (`AdjustTokenPrivileges`), such as
    /// `SeDebugPrivilege`.
    EnablePrivilege(String),
    /// DOS drives and the devices behind them (`QueryDosDeviceW`).
    Volumes,
    /// The machine's name and boot time.
    Host,
    /// The account of a binary SID (`LookupAccountSidW`).
    Account(Vec<u8>),
    /// An event that resets itself (`CreateEventW`). The answer, [`Answer::Handle`], carries an
    /// `eventfd`: it can be read whenever the event is signalled, and reading resets it.
    CreateEvent,
    /// A view of a whole section (`MapViewOfFile`). The answer, [`Answer::View`], carries the
    /// memory, opened as the handle allows: mapping it otherwise is refused. N.B. Who opens the
    /// file anew (through `/proc`) is not: Linux judges that by user, not by handle.
    MapView {
        /// The section.
        handle: u64,
        /// `FILE_MAP_WRITE` besides `FILE_MAP_READ`?
        write: bool,
    },
    /// `DuplicateHandle`, within the process. Answered with [`Answer::Handle`].
    DuplicateHandle {
        /// What to duplicate.
        handle: u64,
        /// Desired access; `None` for the same (`DUPLICATE_SAME_ACCESS`).
        access: Option<u32>,
    },
    /// `CloseHandle`, of a handle that is not the device's. Views stay. Answered with
    /// [`Answer::Status`].
    CloseHandle(u64),
}

/// What the machine says back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// A request is done.
    Completed {
        /// Which one.
        tag: u32,
        /// NTSTATUS.
        status: u32,
        /// `IO_STATUS_BLOCK.Information`, in bytes for a control request.
        information: u64,
        /// That many bytes of the output buffer.
        output: &'a [u8],
    },
    /// A question is answered.
    Answer {
        /// Which one.
        tag: u32,
        /// With what.
        answer: Answer,
    },
}

/// Answers to [`Query`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// In order of creation.
    Processes(Vec<Process>),
    /// `None` if nobody has the pid.
    Process(Option<Process>),
    /// NTSTATUS: of [`Query::EnablePrivilege`] `STATUS_NOT_ALL_ASSIGNED` (0x106) if the token does
    /// not have it. To any question, that it was refused.
    Status(u32),
    /// A handle of the process. Of [`Query::CreateEvent`], with a file.
    Handle(u64),
    /// A section, with a file that can be mapped.
    View {
        /// Its size in bytes.
        len: u64,
    },
    /// Device (`\Device\HarddiskVolume1`) by drive (`C:`).
    Volumes(Vec<Volume>),
    /// See [`Host`].
    Host(Host),
    /// `DOMAIN\name`, or `None` for a SID that nobody bears.
    Account(Option<String>),
}

/// What a snapshot tells of a process. `None` is what Windows would not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start key.
    pub key: u64,
    /// 100 ns units since 1601, UTC.
    pub create_time: Option<i64>,
    /// The parent's process id.
    pub parent_pid: Option<u32>,
    /// The parent's start key, if that process is known to be the parent and not a later bearer
    /// of its pid.
    pub parent_key: Option<u64>,
    /// The image's NT path, UTF-16.
    pub image: Option<Vec<u16>>,
    /// UTF-16.
    pub command_line: Option<Vec<u16>>,
    /// Terminal Services session.
    pub session_id: Option<u32>,
    /// The user's SID, binary.
    pub user: Option<Vec<u8>>,
    /// `AuthenticationId` of the token.
    pub logon_id: Option<u64>,
    /// The integrity level's RID.
    pub integrity: Option<u32>,
    /// Is the token elevated?
    pub elevated: Option<bool>,
    /// `PS_PROTECTION`.
    pub protection: Option<u8>,
    /// Is it a 32-bit process?
    pub wow64: Option<bool>,
    /// `SUBSYSTEM_INFORMATION_TYPE`.
    pub subsystem: Option<u32>,
}

/// A DOS drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Such as `C:`.
    pub drive: String,
    /// Such as `\Device\HarddiskVolume1`.
    pub device: String,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// 100 ns units since 1601, UTC.
    pub boot_time: i64,
    /// The clock now, in the same units. In a replay it is the recording's.
    pub now: i64,
}

/// Why a frame could not be passed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket failed.
    #[error("the lab's socket failed: {0}")]
    Io(#[from] io::Error),
    /// The other side does not speak this protocol.
    #[error("not a frame of the lab's protocol ({0}); is the other side another version?")]
    Malformed(#[from] postcard::Error),
    /// A length above [`MAX_FRAME`].
    #[error("a frame of {0} bytes is too long for the lab's protocol")]
    TooLong(usize),
}

/// Sends one frame.
///
/// # Errors
/// When the socket fails or the message is too long.
pub fn send<T: Serialize>(mut to: impl Write, message: &T) -> Result<(), LinkError> {
    to.write_all(&frame(message)?)?;
    Ok(())
}

/// The message with its length in front.
fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, LinkError> {
    let mut frame = postcard::to_extend(message, vec![0; 4])?;
    let len = frame.len() - 4;
    if len > MAX_FRAME {
        return Err(LinkError::TooLong(len));
    }
    frame[..4].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(frame)
}

/// Receives one frame into `buffer`, to be read with [`decode`]. `false` when the other side has
/// closed between frames.
///
/// # Errors
/// When the socket fails, closes inside a frame, or announces one that is too long.
pub fn receive(mut from: impl Read, buffer: &mut Vec<u8>) -> Result<bool, LinkError> {
    let mut len = [0; 4];
    let mut have = 0;
    while have < len.len() {
        match from.read(&mut len[have..]) {
            Ok(0) if have == 0 => return Ok(false),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    let len = u32::from_le_bytes(len) as usize;
    if len > MAX_FRAME {
        return Err(LinkError::TooLong(len));
    }
    buffer.resize(len, 0);
    from.read_exact(buffer)?;
    Ok(true)
}

/// The message in a received frame.
///
/// # Errors
/// When it is not one.
pub fn decode<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, LinkError> {
    Ok(postcard::from_bytes(frame)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_frame_arrives_as_it_was_sent(
            tag: u32, code: u32, input: Vec<u8>, output_len: u32,
        ) {
            let sent = Request::Control { tag, code, input: &input, output_len };
            let mut wire = Vec::new();
            send(&mut wire, &sent).unwrap();
            let (mut from, mut buffer) = (wire.as_slice(), Vec::new());
            prop_assert!(receive(&mut from, &mut buffer).unwrap());
            prop_assert_eq!(decode::<Request>(&buffer).unwrap(), sent);
            prop_assert!(!receive(&mut from, &mut buffer).unwrap());
        }

        #[test]
        fn rubbish_is_an_error_or_a_message_but_never_a_crash(wire: Vec<u8>) {
            let mut buffer = Vec::new();
            if let Ok(true) = receive(wire.as_slice(), &mut buffer) {
                let _ = decode::<Request>(&buffer);
                let _ = decode::<Reply>(&buffer);
            }
        }
    }

    #[test]
    fn a_frame_that_claims_gigabytes_is_refused_before_it_is_read() {
        let wire = u32::MAX.to_le_bytes();
        let refused = receive(wire.as_slice(), &mut Vec::new());
        assert!(matches!(refused, Err(LinkError::TooLong(_))));
    }
}
