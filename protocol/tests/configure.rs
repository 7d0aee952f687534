//! CONFIGURE is read back as it was built, and anything else is refused.

use ntwatch_protocol::access::{process, standard, thread};
use ntwatch_protocol::configure::{
    AccessMasks, Clause, ClauseHeader, Configure, ConfigureError, ConfigureHeader,
    MAX_PATTERN_UNITS, MAX_PATTERN_UNITS_IN_ALL, MIN_RING_SIZE, Selector, clause, selector,
};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use proptest::prelude::*;
use zerocopy::IntoBytes;

fn clause_bytes(kind: u16, value: &[u8]) -> Vec<u8> {
    let size = (size_of::<ClauseHeader>() + value.len()).next_multiple_of(8);
    let header = ClauseHeader {
        size: size as u32,
        kind,
        value_len: value.len() as u16,
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(value);
    bytes.resize(size, 0);
    bytes
}

fn configure(event_mask: u32, ring_size: u32, clauses: &[Vec<u8>]) -> Vec<u8> {
    let body = clauses.concat();
    let size = (size_of::<ConfigureHeader>() + body.len()) as u32;
    let header = ConfigureHeader {
        size,
        event_mask,
        ring_size,
        clauses: clauses.len() as u32,
    };
    [header.as_bytes(), &body].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const PARENT: Selector = Selector {
    pid: 4,
    flags: selector::DESCENDANTS,
    key: 1,
};

#[test]
fn clauses_are_read_as_they_were_written() {
    let pattern = utf16("*\\svc?ost.exe");
    let clauses = [
        Clause::Process(PARENT),
        Clause::Image(Wide::new(&pattern)),
        Clause::ExcludeImage(Wide::new(&pattern)),
        Clause::Access(AccessMasks::ALL),
        Clause::RemoteThreads,
        Clause::UserImages,
    ];
    let written = clauses.map(|clause| {
        let mut bytes = Vec::new();
        clause.write(&mut bytes);
        bytes
    });
    let bytes = configure(Kind::ProcessStart.bit(), MIN_RING_SIZE, &written);
    let read = Configure::parse(&bytes).unwrap();
    assert_eq!(
        (read.event_mask, read.ring_size),
        (Kind::ProcessStart.bit(), MIN_RING_SIZE)
    );
    assert_eq!(read.clauses().collect::<Vec<_>>(), clauses);
}

#[test]
fn an_open_is_wanted_for_any_right_of_the_mask_and_by_a_full_mask_always() {
    let masks = AccessMasks::DEFAULT;
    assert!(AccessMasks::wants(
        masks.process,
        process::VM_READ | process::QUERY_INFORMATION
    ));
    assert!(!AccessMasks::wants(masks.process, process::QUERY_ONLY));
    assert!(!AccessMasks::wants(masks.thread, thread::QUERY_ONLY));
    assert!(AccessMasks::wants(masks.thread, thread::GET_CONTEXT));
    assert!(AccessMasks::wants(masks.process, standard::MAXIMUM_ALLOWED));
    assert!(AccessMasks::wants(AccessMasks::ALL.process, 0));
}

#[test]
fn each_wrong_part_is_refused_by_its_name() {
    let all = Kind::ALL_EVENTS;
    let refused = |bytes: &[u8]| Configure::parse(bytes).unwrap_err();
    let good = configure(all, 0, &[clause_bytes(clause::IMAGE, &utf16("abc"))]);
    assert!(Configure::parse(&good).is_ok());

    assert_eq!(refused(&[]), ConfigureError::BadSize);
    assert_eq!(refused(&good[..good.len() - 8]), ConfigureError::BadSize);
    assert_eq!(
        refused(&[good.as_slice(), &[0; 8]].concat()),
        ConfigureError::BadSize
    );
    assert_eq!(refused(&configure(0, 0, &[])), ConfigureError::BadMask);
    assert_eq!(
        refused(&configure(all | 1 << 31, 0, &[])),
        ConfigureError::BadMask
    );
    assert_eq!(
        refused(&configure(Kind::Lost.bit(), 0, &[])),
        ConfigureError::BadMask
    );
    for ring_size in [
        1,
        MIN_RING_SIZE - 1,
        MIN_RING_SIZE + 1,
        MIN_RING_SIZE / 2,
        1 << 31,
    ] {
        assert_eq!(
            refused(&configure(all, ring_size, &[])),
            ConfigureError::BadRingSize
        );
    }
    let future = Selector {
        flags: selector::ALL + 1,
        ..PARENT
    };
    let clauses = [
        clause_bytes(0, &[]),
        clause_bytes(99, &[1, 0, 0, 0]),
        clause_bytes(clause::PROCESS, &[1, 0, 0, 0]),
        clause_bytes(clause::PROCESS, &[0; 17]),
        clause_bytes(clause::PROCESS, future.as_bytes()),
        clause_bytes(clause::EXCLUDE_IMAGE, &[]),
        clause_bytes(clause::ACCESS, &[1, 0, 0, 0]),
        clause_bytes(clause::REMOTE_THREADS, &[1]),
        clause_bytes(clause::USER_IMAGES, &[1]),
        clause_bytes(clause::IMAGE, &[]),
        clause_bytes(clause::IMAGE, b"odd"),
        clause_bytes(clause::IMAGE, &[b'a'; 4096]),
        [clause_bytes(clause::IMAGE, &utf16("a")), vec![0; 8]].concat(),
    ];
    for clause in clauses {
        assert_eq!(
            refused(&configure(all, 0, &[clause])),
            ConfigureError::BadClause
        );
    }
    let longest = clause_bytes(clause::IMAGE, &[b'a'; 2 * MAX_PATTERN_UNITS]);
    let most = MAX_PATTERN_UNITS_IN_ALL / MAX_PATTERN_UNITS;
    assert!(Configure::parse(&configure(all, 0, &vec![longest.clone(); most])).is_ok());
    assert_eq!(
        refused(&configure(all, 0, &vec![longest; most + 1])),
        ConfigureError::BadClause
    );
    let mut padded = good.clone();
    *padded.last_mut().unwrap() = 1;
    assert_eq!(refused(&padded), ConfigureError::BadClause);
    let mut miscounted = good;
    miscounted[12] = 2;
    assert_eq!(refused(&miscounted), ConfigureError::BadClause);
    let access = clause_bytes(clause::ACCESS, AccessMasks::DEFAULT.as_bytes());
    let twice = configure(all, 0, &[access.clone(), access]);
    assert_eq!(refused(&twice), ConfigureError::BadClause);
}

proptest! {
    #[test]
    fn any_bytes_are_a_configure_or_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Configure::parse(&bytes);
        // Most random headers end at the size; give the clauses their turn too.
        if bytes.len() >= 16 {
            let header = ConfigureHeader {
                size: bytes.len() as u32, event_mask: 2, ring_size: 0, clauses: 1,
            };
            header.write_to_prefix(&mut bytes).unwrap();
            if let Ok(read) = Configure::parse(&bytes) {
                prop_assert_eq!(read.clauses().count(), 1);
            }
        }
    }
}
