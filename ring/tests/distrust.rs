//! Neither side of a session ring trusts the other: whatever one says in memory that both see, the
//! other stays within its own.
#![cfg(not(loom))]

use ntwatch_ring::session::{ConsumerPage, Producer, ProducerPage, Until};
use ntwatch_ring::{Priority, SessionRing};
use proptest::prelude::*;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const CAPACITY: usize = 256;
/// Words before and behind the records, which nobody may write.
const GUARD: usize = 4;
const UNTOUCHED: u64 = 0xdead_beef_dead_beef;

/// Memory as two processes see it: each side of the ring is made over it on its own.
struct Shared {
    words: Box<[u64]>,
    producer: Box<ProducerPage>,
    consumer: Box<ConsumerPage>,
}

impl Shared {
    fn new(content: [u64; CAPACITY / 8]) -> Self {
        let guard = [UNTOUCHED; GUARD];
        Self {
            words: [&guard[..], &content, &guard].concat().into_boxed_slice(),
            producer: Box::default(),
            consumer: Box::default(),
        }
    }

    /// One side.
    fn side(&mut self) -> SessionRing<'static> {
        let records = &mut self.words[GUARD..GUARD + CAPACITY / 8];
        let (records, producer) = (NonNull::from(records), NonNull::from(&*self.producer));
        // SAFETY: all of it lives as long as the test, which uses one producer and one consumer.
        unsafe { SessionRing::in_place(records, producer, NonNull::from(&*self.consumer), 0) }
            .unwrap()
    }

    /// The word of a page that begins with one.
    fn word<T>(page: &T) -> &AtomicU64 {
        // SAFETY: both pages begin with an atomic word.
        unsafe { &*std::ptr::from_ref(page).cast() }
    }

    fn guards_are_untouched(&self) -> bool {
        let (before, behind) = (
            &self.words[..GUARD],
            &self.words[self.words.len() - GUARD..],
        );
        before.iter().chain(behind).all(|word| *word == UNTOUCHED)
    }
}

/// Words that come close to what could be true, and any others.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..2 * CAPACITY as u64,
        any::<u64>(),
        Just(u64::MAX),
        Just(0)
    ]
}

/// Records' worth of sizes that are plausible, and rubbish.
fn content() -> impl Strategy<Value = [u64; CAPACITY / 8]> {
    proptest::array::uniform32(prop_oneof![
        (0..20u64).prop_map(|words| 8 * words),
        any::<u64>()
    ])
}

fn push(producer: &mut Producer<'_>, words: usize) -> bool {
    let mut record = vec![0; 8 * words];
    let size = record.len() as u32;
    record[..4].copy_from_slice(&size.to_le_bytes());
    producer.push(&record, Priority::Normal).is_ok()
}

proptest! {
    #[test]
    fn a_consumer_that_says_anything_makes_the_producer_write_nowhere_else_and_wait_for_nothing(
        said in prop::collection::vec((word(), 1usize..20), 1..200),
    ) {
        let mut shared = Shared::new([0; CAPACITY / 8]);
        let side = shared.side();
        let mut producer = side.producer().unwrap();
        let mut last = (0, 0);
        for (word, words) in said {
            Shared::word(&*shared.consumer).store(word, Relaxed);
            let before = producer.written();
            let pushed = push(&mut producer, words);
            prop_assert_eq!(pushed, producer.written() != before);
            producer.must_wake(64);
            let now = (producer.read(), producer.written());
            prop_assert!(last.0 <= now.0 && last.1 <= now.1, "{last:?}, then {now:?}");
            prop_assert!(now.0 <= now.1 && now.1 - now.0 <= CAPACITY as u64, "{now:?}");
            last = now;
        }
        prop_assert!(shared.guards_are_untouched());
    }

    #[test]
    fn a_consumer_finds_damage_in_whatever_no_producer_wrote_and_reads_nothing_outside(
        content in content(),
        from in word(),
        written in prop::collection::vec(word(), 1..20),
    ) {
        let mut shared = Shared::new(content);
        Shared::word(&*shared.consumer).store(from, Relaxed);
        let side = shared.side();
        let mut consumer = side.consumer().unwrap();
        let inside = shared.words[GUARD..GUARD + CAPACITY / 8].as_ptr_range();
        let inside = inside.start.addr()..=inside.end.addr();
        for written in written {
            Shared::word(&*shared.producer).store(written, Relaxed);
            // As many as can be there at all.
            for _ in 0..CAPACITY {
                let Ok(Some(record)) = consumer.peek() else { break };
                let bytes = record.as_ptr_range();
                prop_assert!(!record.is_empty() && record.len().is_multiple_of(8));
                prop_assert!(inside.contains(&bytes.start.addr()));
                prop_assert!(inside.contains(&bytes.end.addr()));
                let size = record.first_chunk().map(|size| u32::from_le_bytes(*size));
                prop_assert_eq!(size, Some(record.len() as u32));
                consumer.release();
            }
            let _ = consumer.sleep(Until::Anything);
        }
    }

    #[test]
    fn two_sides_that_see_the_same_memory_pass_records_on(
        sizes in prop::collection::vec(1usize..16, 1..100),
    ) {
        let mut shared = Shared::new([0; CAPACITY / 8]);
        let (here, there) = (shared.side(), shared.side());
        let (mut producer, mut consumer) = (here.producer().unwrap(), there.consumer().unwrap());
        for words in sizes {
            prop_assert!(push(&mut producer, words));
            let record = consumer.peek().unwrap().map(<[u8]>::len);
            prop_assert_eq!(record, Some(8 * words));
            consumer.release();
        }
        prop_assert_eq!(consumer.peek(), Ok(None));
    }
}
