//! Records are read back as they were written, and bytes that are no records are errors.

use ntwatch_protocol::lost::{Lost, stage};
use ntwatch_protocol::process::{ProcessExit, ProcessStart};
use ntwatch_protocol::reader::{ReadError, Record, Records};
use ntwatch_protocol::record::{KIND_SLOTS, Kind, MAX_RECORD_SIZE, RecordHeader, Span};
use ntwatch_protocol::writer::{NoRoom, Writer, record_size};
use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

fn text(max: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u16>(), 0..max))
        .prop_map(|units| units.map(|units| units.iter().flat_map(|u| u.to_le_bytes()).collect()))
}

fn header(kind: Kind, size: u32) -> RecordHeader {
    RecordHeader {
        size,
        kind: kind as u16,
        reserved: 0,
        seq: 1 << 32,
        time: 0,
    }
}

/// A start record with the four facts of variable size.
fn start(facts: [Option<&[u8]>; 4]) -> Result<Vec<u8>, NoRoom> {
    let mut out = vec![0xAA; record_size::<ProcessStart>(&facts).ok_or(NoRoom)?];
    let mut writer = Writer::new::<ProcessStart>(&mut out)?;
    let [image_name, image_path, command_line, user] = [
        writer.span(facts[0])?,
        writer.span(facts[1])?,
        writer.span(facts[2])?,
        writer.span(facts[3])?,
    ];
    let mut fixed = ProcessStart::read_from_bytes(&[0x5A; size_of::<ProcessStart>()]).unwrap();
    fixed.header = header(Kind::ProcessStart, writer.size());
    (fixed.image_name, fixed.image_path) = (image_name, image_path);
    (fixed.command_line, fixed.user) = (command_line, user);
    let len = writer.finish(&fixed)?.len();
    assert_eq!(
        len,
        out.len(),
        "record_size foretells what the writer needs"
    );
    Ok(out)
}

/// Touches all that a client may look at.
fn look_at(record: &Record) -> usize {
    match record {
        Record::ProcessStart(r) => [r.image_name(), r.image_path(), r.command_line()]
            .iter()
            .flatten()
            .map(|text| text.chars().count())
            .sum::<usize>()
            .saturating_add(r.user().map_or(0, <[u8]>::len)),
        Record::ProcessExit(r) => r.image().map_or(0, |text| text.chars().count()),
        Record::ThreadStart(r) => r.known(r.known, r.tid).unwrap_or(r.pid) as usize,
        Record::ThreadExit(r) => r.tid as usize,
        Record::ImageLoad(r) => r.name().map_or(0, |text| text.chars().count()),
        Record::HandleOpen(r) => usize::from(r.flag(r.flags)),
        Record::Lost(r) => r.counts.len(),
        Record::Unknown(header) => header.size as usize,
    }
}

proptest! {
    #[test]
    fn a_process_start_is_read_back_as_it_was_written(
        image in text(300), path in text(300), command in text(2000), user in text(34),
    ) {
        let bytes = start([image.as_deref(), path.as_deref(), command.as_deref(), user.as_deref()])
            .unwrap();
        let mut records = Records::new(&bytes);
        let Some(Ok(Record::ProcessStart(read))) = records.next() else {
            panic!("not a process start");
        };
        prop_assert_eq!(read.image_name().map(|t| t.as_bytes().to_vec()), image);
        prop_assert_eq!(read.image_path().map(|t| t.as_bytes().to_vec()), path);
        prop_assert_eq!(read.command_line().map(|t| t.as_bytes().to_vec()), command);
        prop_assert_eq!(read.user().map(<[u8]>::to_vec), user);
        prop_assert_eq!(read.pid, 0x5A5A_5A5A);
        prop_assert!(records.next().is_none());
    }

    #[test]
    fn any_bytes_end_in_records_or_one_error(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let mut errors = 0;
        for record in Records::new(&bytes) {
            prop_assert_eq!(errors, 0, "nothing follows an error");
            match record {
                Ok(record) => { look_at(&record); }
                Err(_) => errors += 1,
            }
        }
    }

    #[test]
    fn a_damaged_record_is_never_read_outside(
        image in text(40), at in any::<prop::sample::Index>(), to: u8, cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = start([image.as_deref(), None, image.as_deref(), None]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = to;
        bytes.truncate(cut.index(bytes.len()) + 1);
        for record in Records::new(&bytes).flatten() {
            look_at(&record);
        }
    }
}

#[test]
fn a_record_of_a_kind_from_the_future_is_skipped() {
    let unknown = RecordHeader {
        size: 24,
        kind: 9,
        reserved: 0,
        seq: 7,
        time: 1,
    };
    let mut bytes = unknown.as_bytes().to_vec();
    bytes.extend(start([None; 4]).unwrap());
    let read: Vec<_> = Records::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(read[0], Record::Unknown(unknown));
    assert!(matches!(read[1], Record::ProcessStart(_)));
}

#[test]
fn a_later_version_may_lengthen_a_record() {
    let mut bytes = vec![0; size_of::<ProcessExit>() + 16];
    let fixed = ProcessExit {
        header: header(Kind::ProcessExit, bytes.len() as u32),
        key: 1,
        create_time: 2,
        pid: 3,
        exit_status: 4,
        image: Span::ABSENT,
    };
    fixed.write_to_prefix(&mut bytes).unwrap();
    let read = Records::new(&bytes).next().unwrap().unwrap();
    assert!(matches!(read, Record::ProcessExit(exit) if exit.pid == 3 && exit.image().is_none()));
}

#[test]
fn a_loss_carries_its_counts() {
    let mut counts = [0; KIND_SLOTS];
    counts[Kind::ProcessExit.index()] = 5;
    let lost = Lost {
        header: header(Kind::Lost, size_of::<Lost>() as u32),
        stage: stage::SESSION,
        reserved: 0,
        first_seq: 10,
        last_seq: 14,
        counts,
    };
    let read = Records::new(lost.as_bytes()).next().unwrap().unwrap();
    assert!(matches!(read, Record::Lost(read) if *read == lost));
}

#[test]
fn errors_name_the_place_and_the_reason() {
    let good = start([None; 4]).unwrap();
    let mut bytes = good.clone();
    bytes.extend(&good[..40]);
    let last = Records::new(&bytes).last().unwrap();
    assert_eq!(last, Err(ReadError::Truncated { offset: good.len() }));

    for size in [0, 16, 25, MAX_RECORD_SIZE as u32 + 8] {
        let bad = RecordHeader {
            size,
            ..header(Kind::ProcessExit, 0)
        };
        let read = Records::new(bad.as_bytes()).next().unwrap();
        assert_eq!(read, Err(ReadError::BadSize { offset: 0, size }));
    }

    // A span that points into the fixed part could make a number look like text.
    let mut inside = good;
    ProcessStart::mut_from_prefix(&mut inside).unwrap().0.user = Span { offset: 8, len: 8 };
    let read = Records::new(&inside).next().unwrap();
    assert_eq!(
        read,
        Err(ReadError::BadBody {
            offset: 0,
            kind: Kind::ProcessStart
        })
    );
}

#[test]
fn the_longest_strings_of_windows_fit_one_record() {
    let longest = vec![b'a'; usize::from(u16::MAX) - 1];
    let all = [
        Some(longest.as_slice()),
        Some(&longest),
        Some(&longest),
        Some(&[1; 68]),
    ];
    assert!(start(all).unwrap().len() <= MAX_RECORD_SIZE);
    let too_long = vec![0; MAX_RECORD_SIZE];
    assert_eq!(record_size::<ProcessStart>(&[Some(&too_long)]), None);
}
