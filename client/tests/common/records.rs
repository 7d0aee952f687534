//! Records as a driver would write them.

use ntwatch_client::protocol::handle::{self, HandleOpen};
use ntwatch_client::protocol::image::{self, ImageLoad};
use ntwatch_client::protocol::lost::{Lost, stage};
use ntwatch_client::protocol::process::{ProcessExit, ProcessStart, flags, known};
use ntwatch_client::protocol::record::{FIRST_SEQ, KIND_SLOTS, Kind, RecordHeader, Span};
use ntwatch_client::protocol::thread::{self, ThreadExit, ThreadStart};
use ntwatch_client::protocol::writer::{Writer, record_size};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// 2024-02-29, midnight.
pub(crate) const MIDNIGHT: i64 = 133_536_384_000_000_000;

/// The SID of the local system.
pub(crate) const SYSTEM: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];

/// A process start of which all is known that matters to a test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) pid: u32,
    pub(crate) key: u64,
    pub(crate) parent: (u32, Option<u64>),
    pub(crate) name: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) command_line: Option<&'a [u16]>,
    pub(crate) wsl: bool,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self {
            pid: 4711,
            key: 0x1_0000_0000_4711,
            parent: (4, None),
            name: Some(r"\??\C:\Windows\System32\cmd.exe"),
            path: Some(r"\Device\HarddiskVolume3\Windows\System32\cmd.exe"),
            command_line: None,
            wsl: false,
        }
    }
}

pub(crate) fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn bytes(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

pub(crate) fn start(nth: u64, start: &Start<'_>) -> Vec<u8> {
    let text = |text: Option<&str>| text.map(|text| bytes(&utf16(text)));
    let facts = [
        text(start.name),
        text(start.path),
        start.command_line.map(bytes),
        Some(SYSTEM.to_vec()),
    ];
    let mut fixed = ProcessStart::new_zeroed();
    fixed.key = start.key;
    fixed.create_time = MIDNIGHT;
    (fixed.pid, fixed.parent_pid) = (start.pid, start.parent.0);
    (fixed.creator_pid, fixed.creator_tid) = (start.parent.0, 8);
    fixed.flags = flags::IMAGE_EXACT;
    fixed.known = known::SESSION_ID | known::INTEGRITY | known::LOGON_ID;
    (fixed.session_id, fixed.integrity, fixed.logon_id) = (1, 0x4000, 0x3e7);
    if let Some(key) = start.parent.1 {
        fixed.known |= known::PARENT_KEY | known::CREATOR_KEY;
        (fixed.parent_key, fixed.creator_key) = (key, key);
    }
    if start.wsl {
        fixed.flags |= flags::SUBSYSTEM_PROCESS;
    }
    record(Kind::ProcessStart, nth, &facts, |header, spans| {
        fixed.header = header;
        fixed.image_name = spans[0];
        fixed.image_path = spans[1];
        fixed.command_line = spans[2];
        fixed.user = spans[3];
        fixed
    })
}

pub(crate) fn exit(nth: u64, pid: u32, key: u64) -> Vec<u8> {
    let mut fixed = ProcessExit::new_zeroed();
    (fixed.pid, fixed.key, fixed.exit_status) = (pid, key, 1);
    fixed.create_time = MIDNIGHT;
    record(Kind::ProcessExit, nth, &[None], |header, spans| {
        fixed.header = header;
        fixed.image = spans[0];
        fixed
    })
}

/// A thread of `process`, started by a thread 8 of `creator`.
pub(crate) fn thread_start(
    nth: u64,
    process: (u32, u64),
    tid: u32,
    creator: (u32, u64),
    start_address: u64,
) -> Vec<u8> {
    thread_start_but(nth, process, tid, creator, start_address, |_| {})
}

/// As [`thread_start`]; `change` makes it another.
pub(crate) fn thread_start_but(
    nth: u64,
    process: (u32, u64),
    tid: u32,
    creator: (u32, u64),
    start_address: u64,
    change: impl FnOnce(&mut ThreadStart),
) -> Vec<u8> {
    let mut fixed = ThreadStart::new_zeroed();
    fixed.known = thread::known::KEY
        | thread::known::CREATOR_KEY
        | thread::known::START_ADDRESS
        | thread::known::REMOTE;
    (fixed.pid, fixed.key, fixed.tid) = (process.0, process.1, tid);
    (fixed.creator_pid, fixed.creator_key, fixed.creator_tid) = (creator.0, creator.1, 8);
    fixed.start_address = start_address;
    if process != creator {
        fixed.flags = thread::flags::REMOTE;
    }
    change(&mut fixed);
    record(Kind::ThreadStart, nth, &[], |header, _| {
        fixed.header = header;
        fixed
    })
}

pub(crate) fn thread_exit(nth: u64, process: (u32, u64), tid: u32) -> Vec<u8> {
    let mut fixed = ThreadExit::new_zeroed();
    (fixed.pid, fixed.key, fixed.tid) = (process.0, process.1, tid);
    record(Kind::ThreadExit, nth, &[], |header, _| {
        fixed.header = header;
        fixed
    })
}

/// An image of 64 KiB, mapped into `process` or into the kernel.
pub(crate) fn image_load(
    nth: u64,
    process: Option<(u32, u64)>,
    base: u64,
    name: Option<&str>,
) -> Vec<u8> {
    let mut fixed = ImageLoad::new_zeroed();
    (fixed.base, fixed.size) = (base, 0x1_0000);
    fixed.known = image::known::BASE | image::known::SIZE;
    (fixed.signature_level, fixed.signature_type) = (12, 3);
    match process {
        Some((pid, key)) => {
            fixed.known |= image::known::PID | image::known::KEY;
            (fixed.pid, fixed.key) = (pid, key);
        }
        None => fixed.flags = image::flags::KERNEL,
    }
    let name = name.map(|name| bytes(&utf16(name)));
    record(Kind::ImageLoad, nth, &[name], |header, spans| {
        fixed.header = header;
        fixed.name = spans[0];
        fixed
    })
}

/// A handle from a thread 8 of `source` to `target`, to its thread `tid` if there is one; `change`
/// makes it another.
pub(crate) fn handle_open(
    nth: u64,
    source: (u32, u64),
    target: (u32, u64),
    tid: Option<u32>,
    change: impl FnOnce(&mut HandleOpen),
) -> Vec<u8> {
    let mut fixed = HandleOpen::new_zeroed();
    fixed.known = handle::known::SOURCE_KEY | handle::known::TARGET_KEY | handle::known::GRANTED;
    (fixed.source_pid, fixed.source_key, fixed.source_tid) = (source.0, source.1, 8);
    (fixed.target_pid, fixed.target_key) = target;
    if let Some(tid) = tid {
        fixed.flags = handle::flags::THREAD;
        fixed.target_tid = tid;
    }
    (fixed.original, fixed.desired, fixed.granted) = (0x31, 0x30, 0x30);
    change(&mut fixed);
    record(Kind::HandleOpen, nth, &[], |header, _| {
        fixed.header = header;
        fixed
    })
}

/// So many process starts lost in the session.
pub(crate) fn lost(nth: u64, starts: u64) -> Vec<u8> {
    lost_of(Kind::ProcessStart, nth, starts)
}

/// So many events of a kind lost in the session.
pub(crate) fn lost_of(kind: Kind, nth: u64, count: u64) -> Vec<u8> {
    let mut counts = [0; KIND_SLOTS];
    counts[kind.index()] = count;
    record(Kind::Lost, nth, &[], |header, _| Lost {
        header,
        stage: stage::SESSION,
        reserved: 0,
        first_seq: FIRST_SEQ + nth + 1 - count,
        last_seq: FIRST_SEQ + nth,
        counts,
    })
}

/// A record of a kind that this client does not know.
pub(crate) fn unknown(nth: u64) -> Vec<u8> {
    let header = RecordHeader {
        size: size_of::<RecordHeader>() as u32,
        kind: 12,
        reserved: 0,
        seq: FIRST_SEQ + nth,
        time: MIDNIGHT,
    };
    header.as_bytes().to_vec()
}

fn record<T: IntoBytes + Immutable>(
    kind: Kind,
    nth: u64,
    facts: &[Option<Vec<u8>>],
    fixed: impl FnOnce(RecordHeader, &[Span]) -> T,
) -> Vec<u8> {
    let facts: Vec<_> = facts.iter().map(Option::as_deref).collect();
    let mut out = vec![0; record_size::<T>(&facts).expect("a record of a possible size")];
    let mut writer = Writer::new::<T>(&mut out).expect("room");
    let spans: Vec<_> = facts
        .iter()
        .map(|fact| writer.span(*fact).expect("room"))
        .collect();
    let header = RecordHeader {
        size: writer.size(),
        kind: kind as u16,
        reserved: 0,
        seq: FIRST_SEQ + nth,
        time: MIDNIGHT + nth as i64,
    };
    writer.finish(&fixed(header, &spans)).expect("room");
    out
}
