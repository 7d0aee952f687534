//! Real threads, real processors: every record arrives once, whole and in its producer's order.
#![cfg(not(loom))]

use ntwatch_ring::capture::CaptureRing;
use ntwatch_ring::{Priority, SessionRing};
use std::sync::mpsc;
use std::thread;

/// miri is some thousand times slower. A multiple of 7, so that the last one is a record.
const RECORDS: u64 = 7 * if cfg!(miri) { 9 } else { 20_000 };
const PRODUCERS: u64 = 3;

/// A record of a length that depends on its number, filled with what only this record would have.
fn fill(content: &mut [u8], producer: u64, number: u64) {
    let (words, _) = content.as_chunks_mut::<8>();
    let mut mixed = producer << 32 | number;
    for word in words {
        *word = mixed.to_le_bytes();
        mixed = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
    }
}

fn len(number: u64) -> usize {
    8 * (1 + number as usize % 20)
}

#[test]
fn records_of_many_threads_arrive_whole_and_in_order() {
    let mut memory = vec![0; 512];
    let ring = &CaptureRing::new(&mut memory, 0).unwrap();
    let (kick, kicks) = mpsc::channel();

    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let kick = kick.clone();
            scope.spawn(move || {
                for number in 0..RECORDS {
                    let mut record = loop {
                        let kick = || kick.send(()).expect("the consumer outlives us");
                        let tag = producer as u32;
                        match ring.reserve(tag, len(number), Priority::Normal, kick) {
                            Ok(record) => break record,
                            Err(_) => thread::yield_now(),
                        }
                    };
                    fill(&mut record, producer, number);
                    if number % 7 == 3 {
                        record.discard();
                    } else {
                        record.commit();
                    }
                }
            });
        }

        let mut next = [0; PRODUCERS as usize];
        let mut expected = [0; 160];
        while next != [RECORDS; PRODUCERS as usize] {
            kicks.recv().expect("a sender is held here");
            let mut running = Some(ring.consumer().expect("a kick begins a run"));
            while let Some(mut consumer) = running {
                while let Some(record) = consumer.peek() {
                    let number = &mut next[record.tag() as usize];
                    let expected = &mut expected[..len(*number)];
                    fill(expected, u64::from(record.tag()), *number);
                    assert_eq!(&*record, expected);
                    record.release();
                    *number += 1;
                    *number += u64::from(*number % 7 == 3);
                }
                running = consumer.park();
            }
        }
    });
}

#[test]
fn a_session_reads_what_the_worker_writes_meanwhile() {
    let mut memory = vec![0; 128];
    let ring = &SessionRing::new(&mut memory, 0).unwrap();
    let make = |number| {
        let mut record = vec![0; 16 + len(number)];
        fill(&mut record[8..], 0, number);
        let size = record.len() as u32;
        record[..4].copy_from_slice(&size.to_le_bytes());
        record
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut producer = ring.producer().unwrap();
            for number in 0..RECORDS {
                while producer.push(&make(number), Priority::Normal).is_err() {
                    thread::yield_now();
                }
            }
        });
        let mut consumer = ring.consumer().unwrap();
        for number in 0..RECORDS {
            let record = loop {
                match consumer.peek().unwrap() {
                    Some(record) => break record,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(record, make(number));
            consumer.release();
        }
    });
}
