//! Sound messages, as the driver and its clients write them.

use ntwatch_protocol::configure::{AccessMasks, Clause, Selector, selector};
use ntwatch_protocol::handle::{self, HandleOpen};
use ntwatch_protocol::image::{self, ImageLoad};
use ntwatch_protocol::lost::{Lost, stage};
use ntwatch_protocol::process::{self, ProcessExit, ProcessStart};
use ntwatch_protocol::record::{FIRST_SEQ, Kind, RecordHeader, Span};
use ntwatch_protocol::thread::{self, ThreadExit, ThreadStart};
use ntwatch_protocol::wide::Wide;
use ntwatch_protocol::writer::{Writer, record_size};
use ntwatch_tests::machine::configure_input;
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// UTF-16LE.
pub(super) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A CONFIGURE with a clause of each kind.
pub(super) fn configure() -> Vec<u8> {
    let (include, exclude) = (wide(r"*\powershell.exe"), wide("svchost?.exe"));
    let selector = |pid, flags| Clause::Process(Selector { pid, flags, key: 7 });
    configure_input(
        Kind::ALL_EVENTS,
        0,
        &[
            selector(4711, selector::DESCENDANTS),
            selector(4, selector::EXCLUDE),
            Clause::Image(Wide::new(&include)),
            Clause::ExcludeImage(Wide::new(&exclude)),
            Clause::Access(AccessMasks::DEFAULT),
            Clause::RemoteThreads,
            Clause::UserImages,
        ],
    )
}

/// A record of each kind, one of a kind to come, and a process that nothing is known about.
pub(super) fn records() -> Vec<Vec<u8>> {
    let name = wide(r"\Device\HarddiskVolume3\Windows\System32\cmd.exe");
    // An administrator's SID.
    let user = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
    let texts = [Some(&name[..]), None, Some(&name[8..]), Some(&user[..])];
    let mut start = ProcessStart::new_zeroed();
    (start.pid, start.key, start.known, start.flags) = (8, 3, u32::MAX >> 22, u32::MAX >> 28);
    let mut exit = ProcessExit::new_zeroed();
    (exit.pid, exit.key) = (8, 3);
    let mut began = ThreadStart::new_zeroed();
    (began.pid, began.tid, began.known) = (8, 12, thread::known::REMOTE | thread::known::KEY);
    let mut ended = ThreadExit::new_zeroed();
    (ended.pid, ended.tid) = (8, 12);
    let mut load = ImageLoad::new_zeroed();
    (load.pid, load.known) = (8, image::known::PID | image::known::BASE);
    let mut open = HandleOpen::new_zeroed();
    (open.source_pid, open.target_pid, open.known) = (8, 4, handle::known::GRANTED);
    let mut lost = Lost::new_zeroed();
    lost.stage = stage::SESSION;
    lost.counts[Kind::ThreadExit.index()] = 3;
    let mut bare = ProcessStart::new_zeroed();
    (bare.pid, bare.known) = (16, process::known::CREATION_STATUS);
    let mut records = vec![
        rewrite(&Fixed::ProcessStart(start), &texts),
        rewrite(&Fixed::ThreadStart(began), &[]),
        rewrite(&Fixed::ImageLoad(load), &[Some(&name)]),
        rewrite(&Fixed::HandleOpen(open), &[]),
        rewrite(&Fixed::Lost(lost), &[]),
        rewrite(&Fixed::ThreadExit(ended), &[]),
        rewrite(&Fixed::ProcessExit(exit), &[Some(&name)]),
        rewrite(&Fixed::ProcessStart(bare), &[None; 4]),
    ];
    for (seq, record) in (FIRST_SEQ..).zip(&mut records) {
        record[8..16].copy_from_slice(&seq.to_le_bytes());
    }
    let to_come = RecordHeader {
        size: 32,
        kind: 9,
        reserved: 0,
        seq: FIRST_SEQ + 8,
        time: 0,
    };
    records.push([to_come.as_bytes(), &[0; 8]].concat());
    records
}

/// The fixed part of a record.
pub(super) enum Fixed {
    ProcessStart(ProcessStart),
    ProcessExit(ProcessExit),
    ThreadStart(ThreadStart),
    ThreadExit(ThreadExit),
    ImageLoad(ImageLoad),
    HandleOpen(HandleOpen),
    Lost(Lost),
}

/// The record with this fixed part, whose spans are of `texts`. Kind, size and spans are its own.
pub(super) fn rewrite(fixed: &Fixed, texts: &[Option<&[u8]>]) -> Vec<u8> {
    match fixed {
        Fixed::ProcessStart(fixed) => write(fixed, texts, |fixed, header, spans| {
            fixed.header = header(Kind::ProcessStart, fixed.header);
            fixed.image_name = spans[0];
            fixed.image_path = spans[1];
            fixed.command_line = spans[2];
            fixed.user = spans[3];
        }),
        Fixed::ProcessExit(fixed) => write(fixed, texts, |fixed, header, spans| {
            fixed.header = header(Kind::ProcessExit, fixed.header);
            fixed.image = spans[0];
        }),
        Fixed::ImageLoad(fixed) => write(fixed, texts, |fixed, header, spans| {
            fixed.header = header(Kind::ImageLoad, fixed.header);
            fixed.name = spans[0];
        }),
        Fixed::ThreadStart(fixed) => write(fixed, texts, |fixed, header, _| {
            fixed.header = header(Kind::ThreadStart, fixed.header);
        }),
        Fixed::ThreadExit(fixed) => write(fixed, texts, |fixed, header, _| {
            fixed.header = header(Kind::ThreadExit, fixed.header);
        }),
        Fixed::HandleOpen(fixed) => write(fixed, texts, |fixed, header, _| {
            fixed.header = header(Kind::HandleOpen, fixed.header);
        }),
        Fixed::Lost(fixed) => write(fixed, texts, |fixed, header, _| {
            fixed.header = header(Kind::Lost, fixed.header);
        }),
    }
}

type HeaderOf<'a> = &'a dyn Fn(Kind, RecordHeader) -> RecordHeader;

fn write<T: IntoBytes + Immutable + Copy>(
    fixed: &T,
    texts: &[Option<&[u8]>],
    fill: impl Fn(&mut T, HeaderOf<'_>, &[Span]),
) -> Vec<u8> {
    let mut record = vec![0; record_size::<T>(texts).expect("no longer than records may be")];
    let mut writer = Writer::new::<T>(&mut record).expect("there is room");
    let spans: Vec<Span> = texts
        .iter()
        .map(|text| writer.span(*text).expect("there is room"))
        .collect();
    let size = writer.size();
    let header = |kind: Kind, old: RecordHeader| RecordHeader {
        size,
        kind: kind as u16,
        ..old
    };
    let mut fixed = *fixed;
    fill(&mut fixed, &header, &spans);
    writer.finish(&fixed).expect("there is room");
    record
}
