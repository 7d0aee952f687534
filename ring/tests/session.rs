//! What the session ring promises, one sentence a test.
#![cfg(not(loom))]

use ntwatch_ring::session::{PushError, SessionRing, Until, state};
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
    assert_eq!(consumer.peek(), Ok(Some(&*pushed)));
    assert_eq!(consumer.peek(), Ok(Some(&*pushed)));
    consumer.release();
    assert_eq!(consumer.peek(), Ok(None));
}

#[test]
fn a_record_never_wraps_around_the_end() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
    for fill in 1..100 {
        let pushed = record(56, fill);
        producer.push(&pushed, Priority::Normal).unwrap();
        assert_eq!(consumer.peek(), Ok(Some(&*pushed)));
        consumer.release();
    }
}

#[test]
fn room_comes_back_in_pieces_of_a_sixteenth_or_when_all_is_read() {
    let mut memory = [0; 128];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let (size, records) = (24, 5);
    for _ in 0..records {
        producer.push(&record(size, 1), Priority::Normal).unwrap();
    }
    let mut seen = Vec::new();
    while consumer.peek().unwrap().is_some() {
        consumer.release();
        seen.push(producer.read());
    }
    assert_eq!(seen, [0, 0, 72, 72, 120], "a sixteenth is 64 bytes");
    producer.push(&record(size, 1), Priority::Normal).unwrap();
    producer.push(&record(size, 1), Priority::Normal).unwrap();
    consumer.peek().unwrap();
    consumer.release();
    assert_eq!(producer.read(), 120);
    consumer.publish();
    assert_eq!(producer.read(), 144);
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
    assert_eq!(ring.consumer().unwrap().peek(), Ok(None));
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
fn each_side_is_given_away_once() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    assert!(ring.producer().is_some() && ring.consumer().is_some());
    assert!(ring.producer().is_none() && ring.consumer().is_none());
}

#[test]
fn a_consumer_is_woken_once_for_each_sleep_and_never_while_it_is_busy() {
    let mut memory = [0; 32];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let mut push = || {
        producer.push(&record(16, 1), Priority::Normal).unwrap();
        producer.must_wake(64)
    };
    assert!(!push(), "it never slept");
    assert!(
        consumer.sleep(Until::Anything).is_none(),
        "there is a record"
    );
    for _ in 0..2 {
        while consumer.peek().unwrap().is_some() {
            consumer.release();
        }
        let asleep = consumer.sleep(Until::Anything).expect("all is read");
        assert!(push());
        assert!(!push(), "it was woken for this sleep");
        drop(asleep);
        assert!(!push(), "it is busy");
    }
}

#[test]
fn a_consumer_that_waits_for_much_is_woken_when_there_is_much() {
    let mut memory = [0; 32];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let much = 48;
    producer.push(&record(16, 1), Priority::Normal).unwrap();
    let asleep = consumer.sleep(Until::Bytes(much)).expect("16 is less");
    producer.push(&record(16, 2), Priority::Normal).unwrap();
    assert!(!producer.must_wake(much));
    producer.push(&record(16, 3), Priority::Normal).unwrap();
    assert!(producer.must_wake(much));
    drop(asleep);
    assert!(consumer.sleep(Until::Bytes(much)).is_none());
}

#[test]
fn what_the_producer_says_wakes_a_consumer_and_keeps_one_from_sleep_that_has_not_heard() {
    let mut memory = [0; 16];
    let ring = SessionRing::new(&mut memory, 0).unwrap();
    let (mut producer, mut consumer) = (ring.producer().unwrap(), ring.consumer().unwrap());
    let asleep = consumer
        .sleep(Until::Bytes(64))
        .expect("nothing is said yet");
    producer.set_state(state::GAP);
    assert!(producer.must_wake(64));
    producer.set_state(state::GAP | state::ENDED);
    assert!(producer.must_wake(64), "woken for less");
    drop(asleep);
    assert!(consumer.sleep(Until::Anything).is_none());
    assert_eq!(consumer.state(), state::GAP | state::ENDED);
    assert!(consumer.sleep(Until::Anything).is_some());
}
