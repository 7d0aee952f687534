//! What the session ring promises, one sentence a test.
#![cfg(not(loom))]

use ntwatch_ring::session::{PushError, SessionRing};
use ntwatch_ring::{Full, Priority};

fn record(size: usize, fill: u8) -> Vec<u8> {
    let mut record = vec![fill; size];
    record[..4].copy_from_slice(&(size as u32).to_le_bytes());
    record
}

#[test]
fn a_record_comes_out_as_it_was_pushed_and_stays_until_released() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let pushed = record(24, 7);
    let mut producer = ring.producer().unwrap();
    producer.push(&pushed, Priority::Normal).unwrap();

    let mut consumer = ring.consumer().unwrap();
    assert_eq!(&*consumer.peek().unwrap(), pushed);
    consumer.peek().unwrap().release();
    assert!(consumer.peek().is_none());
    assert!(ring.is_empty());
}

#[test]
fn a_record_never_wraps_around_the_end() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
    for fill in 1..100 {
        let pushed = record(56, fill);
        producer.push(&pushed, Priority::Normal).unwrap();
        let taken = consumer.peek().unwrap();
        assert_eq!(&*taken, pushed);
        taken.release();
    }
}

#[test]
fn a_record_without_its_size_in_front_is_refused() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let mut producer = ring.producer().unwrap();
    let odd = record(20, 0);
    for wrong in [&[][..], &[0; 8], &[8, 0, 0], &odd] {
        assert_eq!(
            producer.push(wrong, Priority::High),
            Err(PushError::Malformed)
        );
    }
    assert!(ring.is_empty());
}

#[test]
fn the_reserved_share_is_for_high_priority_alone() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 32).unwrap();
    let mut producer = ring.producer().unwrap();
    let pushed = record(16, 1);
    while producer.fits(16, Priority::Normal) {
        producer.push(&pushed, Priority::Normal).unwrap();
    }
    let full = Err(PushError::Full(Full));
    assert_eq!(producer.push(&pushed, Priority::Normal), full);
    assert_eq!(producer.push(&pushed, Priority::High), Ok(()));
    assert_eq!(producer.push(&pushed, Priority::High), Ok(()));
    assert_eq!(producer.push(&pushed, Priority::High), full);
}

#[test]
fn each_side_has_one_owner_at_a_time() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let producer = ring.producer();
    let consumer = ring.consumer();
    assert!(producer.is_some() && consumer.is_some());
    assert!(ring.producer().is_none() && ring.consumer().is_none());
    drop((producer, consumer));
    assert!(ring.producer().is_some() && ring.consumer().is_some());
}
