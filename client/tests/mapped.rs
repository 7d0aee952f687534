//! The mapped ring: the same stream as by reads, without reads.

mod common;

use common::fake::{Fake, lines};
use common::machine::{AtEnd, Machine};
use common::records::{
    Start, exit, handle_open, image_load, lost, start, thread_exit, thread_start, unknown,
};
use common::ring::{DriverRing, Shared, WAKE_BYTES};
use common::serve::Server;
use ntwatch_client::device;
use ntwatch_client::protocol::mapped::DATA_OFFSET;
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::stats::Account;
use ntwatch_client::transport::Fault;
use ntwatch_client::transport::mapping::{Unmappable, Wake, Woken};
use ntwatch_client::{Delivery, End, Error, Filter, Records, Route, Way};
use ntwatch_ring::session::state;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn of_every_kind() -> Machine {
    let Start { pid, key, .. } = Start::default();
    let process = (pid, key);
    Machine::new([
        [start(0, &Start::default()), lost(7, 7)].concat(),
        [
            thread_start(8, process, 12, (4, 1), 0x7ff0_0000_1000),
            unknown(9),
            image_load(10, Some(process), 0x7ff0_0000_0000, None),
        ]
        .concat(),
        handle_open(11, (4, 1), process, None, |_| {}),
        [thread_exit(12, process, 12), exit(13, pid, key)].concat(),
    ])
}

/// The stream's lines, and the account of process starts behind it.
fn told(fake: Fake, way: Way) -> (Vec<Value>, Account) {
    let driver = fake.driver();
    let mut watch = driver.watch_by(&Filter::new(), Delivery::by(way)).unwrap();
    let lines = lines(&mut watch);
    assert_eq!(watch.end(), Some(End::DriverShutdown));
    let stats = watch.driver().stats().unwrap();
    (lines, Account::of(&stats, Kind::ProcessStart))
}

#[test]
fn both_ways_bring_the_same_lines_and_the_same_account() {
    let mut mapped = Fake::new(of_every_kind());
    mapped.grant_ring();
    let by_reads = told(Fake::new(of_every_kind()), Way::Read);
    assert_eq!(told(mapped, Way::Mapped), by_reads);
    assert_eq!(by_reads.0.len(), 9);
    assert!(by_reads.1.balances());
}

/// The records of everything, by the mapped ring.
fn records(fake: Fake, linger: Duration) -> Records {
    let delivery = Delivery::by(Way::Mapped).linger(linger);
    fake.driver().records(&Filter::new(), delivery).unwrap()
}

/// The next record's sequence number, less the first that there is.
fn next(records: &mut Records) -> Option<u64> {
    let record = records.next_record()?.unwrap();
    Some(record.header().seq & 0xffff)
}

#[test]
fn a_records_room_is_not_given_back_before_it_is_done_with() {
    let (first, second) = (exit(0, 4, 1), exit(1, 8, 2));
    let both = (first.len() + second.len()) as u64;
    let mut fake = Fake::new(Machine::new([[first, second].concat()]));
    let ring = fake.grant_ring();
    let read = || ring.lock().unwrap().read();
    let mut records = records(fake, Duration::ZERO);
    assert_eq!((next(&mut records), read()), (Some(0), 0));
    assert_eq!((next(&mut records), read()), (Some(1), 0));
    records.release();
    assert_eq!(read(), both);
    assert_eq!(next(&mut records), None);
    assert_eq!(records.end(), Some(End::DriverShutdown));
}

#[test]
fn more_than_the_ring_holds_passes_through_it_while_its_reader_sleeps_and_wakes() {
    const COUNT: u64 = 20_000;
    let mut machine = Machine::new([]);
    machine.at_end = AtEnd::Pend;
    let mut fake = Fake::new(machine);
    let ring = fake.grant_ring();
    let mut records = records(fake, Duration::ZERO);
    let reader = std::thread::spawn(move || {
        for nth in 0..COUNT {
            assert_eq!(next(&mut records), Some(nth & 0xffff));
        }
        assert_eq!(next(&mut records), None);
    });
    for nth in 0..COUNT {
        while !ring.lock().unwrap().try_push(&exit(nth, 4, 1)) {
            assert!(!reader.is_finished(), "nobody makes room");
            std::thread::yield_now();
        }
    }
    ring.lock().unwrap().say(state::ENDED);
    reader.join().unwrap();
}

#[test]
fn a_reader_is_stopped_while_it_sleeps_and_while_it_never_does() {
    let mut idle = Machine::new([exit(0, 4, 1)]);
    idle.at_end = AtEnd::Pend;
    let mut fake = Fake::new(idle);
    fake.grant_ring();
    let mut asleep = records(fake, Duration::ZERO);
    assert_eq!(next(&mut asleep), Some(0));
    let stopper = asleep.stopper();
    let stopping = std::thread::spawn(move || stopper.stop());
    assert_eq!(next(&mut asleep), None);
    assert_eq!(asleep.end(), Some(End::Stopped));
    stopping.join().unwrap();

    let mut fake = Fake::new(Machine::new([[exit(0, 4, 1), exit(1, 8, 2)].concat()]));
    let ring = fake.grant_ring();
    let mut busy = records(fake, Duration::ZERO);
    assert_eq!(next(&mut busy), Some(0));
    busy.stopper().stop();
    assert_eq!(next(&mut busy), None);
    assert_eq!(busy.end(), Some(End::Stopped));
    let left = exit(1, 8, 2).len() as u64;
    let mut ring = ring.lock().unwrap();
    assert_eq!(
        ring.written() - ring.read(),
        left,
        "it is the driver's still"
    );
}

#[test]
fn who_has_drained_a_ring_with_a_gap_has_it_announced() {
    let mut fake = Fake::new(Machine::new([start(0, &Start::default())]));
    let ring = fake.grant_ring();
    ring.lock().unwrap().gap = Some(lost(7, 7));
    let (lines, account) = told(fake, Way::Mapped);
    assert_eq!(lines.last().unwrap()["lost"]["process_start"], 7);
    assert_eq!((account.delivered, account.session_lost), (1, 7));
}

/// A sleep, by script: what happens in it, and how it ends.
type Sleep = Box<dyn FnOnce(Option<Duration>) -> Result<Woken, Fault> + Send>;

/// Sleeps as it is told to, and then finds that nobody is there who could wake it.
#[derive(Default)]
struct Script(Mutex<VecDeque<Sleep>>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl Wake for Script {
    fn wait(&self, timeout: Option<Duration>) -> Result<Woken, Fault> {
        match self.0.lock().unwrap().pop_front() {
            Some(sleep) => sleep(timeout),
            None => Err(Fault::Closed),
        }
    }

    fn is_stopped(&self) -> bool {
        false
    }
}

/// One more record, of as many bytes as those before it.
fn push_one(ring: &mut DriverRing) {
    let nth = ring.written() / exit(0, 4, 1).len() as u64;
    ring.push(&exit(nth, 4, 1));
}

#[test]
fn a_client_says_how_much_is_much_up_to_half_of_its_ring() {
    const RING_SIZE: u32 = 1 << 20;
    for (asked, much) in [(0, RING_SIZE / 4), (4096, 4096), (u32::MAX, RING_SIZE / 2)] {
        let server = Server::start(Machine {
            grants_ring: true,
            ..of_every_kind()
        });
        let device = device::open(&server.device()).unwrap();
        let mapping = device.map_ring(RING_SIZE, asked).unwrap();
        assert_eq!(mapping.wake_bytes, much);
    }
}

#[test]
fn who_lingers_is_woken_by_one_record_and_then_by_a_quarter_of_the_ring_or_the_clock() {
    const LINGER: Duration = Duration::from_millis(20);
    type Happens = fn(&mut DriverRing, &AtomicU32) -> Woken;

    let (shared, woken) = (Shared::new(), Arc::new(AtomicU32::new(0)));
    let wake = Arc::clone(&woken);
    let ring = DriverRing::new(shared, move || {
        wake.fetch_add(1, Ordering::Relaxed);
    });
    let ring = Arc::new(Mutex::new(ring));
    let sleep = |lingers: bool, happens: Happens| -> Sleep {
        let (ring, woken) = (Arc::clone(&ring), Arc::clone(&woken));
        Box::new(move |timeout| {
            assert_eq!(timeout.is_some_and(|left| left <= LINGER), lingers);
            assert!(lingers || timeout.is_none());
            Ok(happens(&mut ring.lock().unwrap(), &woken))
        })
    };
    let script = Script(Mutex::new(VecDeque::from([
        sleep(false, |ring, woken| {
            push_one(ring);
            assert_eq!(woken.load(Ordering::Relaxed), 1, "anything wakes");
            Woken::Signalled
        }),
        sleep(true, |ring, woken| {
            push_one(ring);
            assert_eq!(woken.load(Ordering::Relaxed), 1, "little does not wake");
            // For no reason, as may be.
            Woken::Signalled
        }),
        sleep(true, |ring, woken| {
            while ring.written() - ring.read() < u64::from(WAKE_BYTES) {
                push_one(ring);
            }
            assert_eq!(woken.load(Ordering::Relaxed), 2, "a quarter wakes");
            Woken::Signalled
        }),
        sleep(false, |ring, woken| {
            push_one(ring);
            assert_eq!(woken.load(Ordering::Relaxed), 3, "anything wakes");
            Woken::Signalled
        }),
        sleep(true, |_, _| Woken::TimedOut),
    ])));
    let mut fake = Fake::new(Machine::new([]));
    fake.grant(shared, Box::new(script));
    let mut records = records(fake, LINGER);
    let mut came = 0;
    while let Some(Ok(record)) = records.next_record() {
        assert_eq!(record.header().seq & 0xffff, came);
        came += 1;
    }
    let size = exit(0, 4, 1).len() as u64;
    assert_eq!(came, ring.lock().unwrap().written() / size);
    assert_eq!(
        records.end(),
        Some(End::Failed),
        "nobody is there to wake it"
    );
}

#[test]
fn without_a_ring_to_map_it_reads_and_says_why() {
    let way = |fake: Fake, way| fake.driver().route(way);
    let mut grants = Fake::new(Machine::new([]));
    grants.grant_ring();
    assert!(matches!(way(grants, Way::Auto), Ok(Route::Mapped)));

    let route = way(Fake::new(Machine::new([])), Way::Auto).unwrap();
    assert!(matches!(route, Route::Read(Unmappable::Refused(_))));
    assert_eq!(
        route.to_string(),
        "read, not mapped: the driver refused it: the device does not know this request"
    );
    let route = way(Fake::new(Machine::new([])), Way::Read).unwrap();
    assert_eq!(route.to_string(), "read, not mapped: reads were asked for");

    let refused = way(Fake::new(Machine::new([])), Way::Mapped).unwrap_err();
    assert!(refused.is_refusal());
    assert!(matches!(refused, Error::NotMapped { .. }), "{refused}");
}

/// A ring in which anything may lie, whose reader has nobody to wake it.
fn ring_of(words: &[u64]) -> Records {
    let shared = Shared::new();
    let at = shared.ring.cast::<u64>().as_ptr();
    // SAFETY: inside, as there are no more words than `Shared` has, and nobody else reads them yet.
    let ring = unsafe { std::slice::from_raw_parts_mut(at, words.len()) };
    ring.copy_from_slice(words);
    let mut fake = Fake::new(Machine::new([]));
    fake.grant(shared, Box::new(Script::default()));
    records(fake, Duration::ZERO)
}

/// The first word of the records.
const RECORDS: usize = DATA_OFFSET / 8;

#[test]
fn a_record_that_none_can_be_ends_the_stream_behind_those_before_it() {
    let good = exit(0, 4, 1);
    let mut words = vec![0; RECORDS];
    words.extend(
        good.as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word)),
    );
    words.push(12);
    words[0] = good.len() as u64 + 16;
    let mut records = ring_of(&words);
    assert_eq!(next(&mut records), Some(0));
    let error = records.next_record().unwrap().unwrap_err();
    assert!(matches!(error, Error::Ring { .. }), "{error}");
    assert_eq!(records.end(), Some(End::Failed));
    assert!(records.next_record().is_none());
}

proptest! {
    #[test]
    fn whatever_lies_in_the_ring_ends_the_stream_and_nothing_else(
        position in prop_oneof![any::<u64>(), (0..0x2000_u64).prop_map(|words| words * 8)],
        state in 0..8_u64,
        data in prop::collection::vec(prop_oneof![any::<u64>(), 0..256_u64], 1..512),
    ) {
        let mut words = vec![0; RECORDS];
        (words[0], words[1]) = (position, state);
        words.extend(data);
        let mut records = ring_of(&words);
        while let Some(Ok(_)) = records.next_record() {}
        prop_assert!(records.end().is_some());
    }
}
