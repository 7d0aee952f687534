//! What the capture ring promises, one sentence a test.
#![cfg(not(loom))]

use ntwatch_ring::capture::{CaptureRing, Consumer, Reservation};
use ntwatch_ring::{Full, Priority, SizeError};
use std::cell::Cell;

const TAG: u32 = 7;

fn put(ring: &CaptureRing, content: &[u8], priority: Priority) -> Result<bool, Full> {
    let kicked = Cell::new(false);
    let mut record = ring.reserve(TAG, content.len(), priority, || kicked.set(true))?;
    record.copy_from_slice(content);
    record.commit();
    Ok(kicked.get())
}

fn reserve<'r>(ring: &'r CaptureRing, len: usize) -> Reservation<'r, impl Fn()> {
    ring.reserve(TAG, len, Priority::Normal, || ())
        .expect("there is room")
}

fn take(consumer: &mut Consumer) -> Option<Vec<u8>> {
    let record = consumer.peek()?;
    let content = record.to_vec();
    record.release();
    Some(content)
}

/// A consumer that runs although nothing was committed.
fn called<'r>(ring: &'r CaptureRing) -> Consumer<'r> {
    assert!(ring.call());
    ring.consumer().expect("it was just called")
}

#[test]
fn a_record_comes_out_as_it_was_committed() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    put(&ring, b"cmd.exe", Priority::Normal).unwrap();

    let mut consumer = ring.consumer().unwrap();
    let record = consumer.peek().unwrap();
    assert_eq!((record.tag(), &*record), (TAG, &b"cmd.exe"[..]));
    record.release();
    assert!(consumer.peek().is_none());
}

#[test]
fn a_record_stays_until_it_is_released() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    put(&ring, b"kept", Priority::Normal).unwrap();

    let mut consumer = ring.consumer().unwrap();
    assert_eq!(&*consumer.peek().unwrap(), b"kept");
    assert_eq!(take(&mut consumer).unwrap(), b"kept");
}

#[test]
fn a_discarded_or_dropped_reservation_leaves_nothing() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    reserve(&ring, 5).discard();
    drop(reserve(&ring, 50));
    put(&ring, b"next", Priority::Normal).unwrap();

    assert_eq!(take(&mut ring.consumer().unwrap()).unwrap(), b"next");
}

#[test]
fn records_come_out_in_the_order_of_their_reservations() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    let mut first = reserve(&ring, 5);
    put(&ring, b"second", Priority::Normal).unwrap();

    let mut consumer = called(&ring);
    assert!(consumer.peek().is_none(), "the first is still being filled");
    first.copy_from_slice(b"first");
    first.commit();
    assert_eq!(take(&mut consumer).unwrap(), b"first");
    assert_eq!(take(&mut consumer).unwrap(), b"second");
}

#[test]
fn a_reservation_is_zeroed_whatever_was_there_before() {
    let mut memory = [0; 16];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    let mut consumer = called(&ring);
    for _ in 0..40 {
        let mut record = reserve(&ring, 37);
        assert!(record.iter().all(|byte| *byte == 0));
        assert_eq!(record.as_ptr().align_offset(8), 0);
        record.fill(0xff);
        record.commit();
        take(&mut consumer).unwrap();
    }
}

#[test]
fn memory_that_was_used_before_is_not_taken_for_records() {
    let mut memory = [u64::MAX; 16];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    assert!(called(&ring).peek().is_none());
}

#[test]
fn the_longest_record_fits_into_an_empty_ring_wherever_that_begins() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    let longest = vec![1; ring.longest_record()];
    let mut consumer = called(&ring);
    for _ in 0..64 {
        put(&ring, &longest, Priority::Normal).unwrap();
        assert_eq!(take(&mut consumer).unwrap(), longest);
        put(&ring, b"", Priority::Normal).unwrap();
        assert_eq!(take(&mut consumer).unwrap(), b"");
    }
    assert_eq!(
        put(&ring, &vec![1; longest.len() + 1], Priority::High),
        Err(Full)
    );
}

#[test]
fn the_reserved_share_is_for_high_priority_alone() {
    let mut memory = [0; 16];
    let ring = CaptureRing::new(&mut memory, 32).unwrap();
    while put(&ring, b"12345678", Priority::Normal).is_ok() {}
    assert_eq!(put(&ring, b"12345678", Priority::High), Ok(false));
    assert_eq!(put(&ring, b"12345678", Priority::High), Ok(false));
    assert_eq!(put(&ring, b"12345678", Priority::High), Err(Full));
}

#[test]
fn a_sleeping_consumer_is_kicked_once() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    assert_eq!(put(&ring, b"1", Priority::Normal), Ok(true));
    assert_eq!(put(&ring, b"2", Priority::Normal), Ok(false));

    let mut consumer = ring.consumer().unwrap();
    while take(&mut consumer).is_some() {}
    assert!(consumer.park().is_none());
    assert_eq!(put(&ring, b"3", Priority::Normal), Ok(true));
}

#[test]
fn a_consumer_asleep_at_a_reservation_is_kicked_by_its_end_and_by_no_other() {
    for commit in [true, false] {
        let mut memory = [0; 32];
        let ring = CaptureRing::new(&mut memory, 0).unwrap();
        let kicked = Cell::new(false);
        let busy = ring
            .reserve(TAG, 1, Priority::Normal, || kicked.set(true))
            .unwrap();
        assert!(called(&ring).park().is_none());

        assert_eq!(put(&ring, b"behind", Priority::Normal), Ok(false));
        if commit {
            busy.commit();
        } else {
            busy.discard();
        }
        assert!(kicked.get());
    }
}

#[test]
fn a_consumer_asleep_before_the_padding_is_kicked_by_the_record_behind_it() {
    let mut memory = [0; 16];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    let mut consumer = called(&ring);
    for _ in 0..2 {
        put(&ring, &[1; 48], Priority::Normal).unwrap();
        take(&mut consumer).unwrap();
    }
    // 16 bytes are left before the end.
    assert!(consumer.park().is_none());
    assert_eq!(put(&ring, &[2; 24], Priority::Normal), Ok(true));
    assert_eq!(take(&mut ring.consumer().unwrap()).unwrap(), [2; 24]);
}

#[test]
fn a_consumer_that_has_something_to_read_does_not_sleep() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    put(&ring, b"unread", Priority::Normal).unwrap();
    let mut consumer = ring.consumer().unwrap().park().expect("it is awake");
    assert_eq!(take(&mut consumer).unwrap(), b"unread");
}

#[test]
fn a_call_is_not_lost_on_a_consumer_that_is_about_to_sleep() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    let consumer = called(&ring);
    assert!(!ring.call(), "it runs already");
    let consumer = consumer.park().expect("it was called meanwhile");
    assert!(consumer.park().is_none());
    assert!(ring.call());
    assert!(!ring.call(), "it was called already");
}

#[test]
fn there_is_one_consumer_at_a_time_and_only_when_called() {
    let mut memory = [0; 32];
    let ring = CaptureRing::new(&mut memory, 0).unwrap();
    assert!(ring.consumer().is_none(), "nobody called it");
    put(&ring, b"1", Priority::Normal).unwrap();
    let consumer = ring.consumer().unwrap();
    assert!(ring.consumer().is_none());
    drop(consumer);
    assert!(ring.consumer().is_some(), "it left without sleeping");
}

#[test]
fn only_a_power_of_two_becomes_a_ring() {
    for words in [0, 4, 12, 33] {
        let error = CaptureRing::new(&mut vec![0; words], 0).err();
        assert_eq!(error, Some(SizeError::Capacity(8 * words)));
    }
    let error = SizeError::Reserved {
        reserved: 65,
        capacity: 128,
    };
    assert_eq!(CaptureRing::new(&mut [0; 16], 65).err(), Some(error));
}
