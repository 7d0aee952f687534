//! The client: this program again, with the library.

use crate::EVENTS;
use crate::usage::{Look, Usage};
use ntwatch_client::{Delivery, Driver, Error, Filter, Way};
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::Kind;
use std::hint::black_box;
use std::time::Duration;

/// What this program's first argument says then. The device and the way follow.
pub(crate) const ROLE: &str = "client";

/// Bytes of the session's ring.
const RING_SIZE: u32 = 16 << 20;

/// What the client has to say.
pub(crate) struct Report {
    pub(crate) events: u64,
    pub(crate) lost: u64,
    pub(crate) usage: Usage,
}

impl Report {
    /// A line of numbers.
    fn line(&self) -> String {
        let Usage {
            elapsed,
            cpu,
            waits,
        } = self.usage;
        let (elapsed, cpu) = (elapsed.as_nanos(), cpu.as_nanos());
        format!("{} {} {elapsed} {cpu} {waits}", self.events, self.lost)
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = line.split_whitespace().map(|n| n.parse().ok()).collect();
        let [events, lost, elapsed, cpu, waits] = numbers?[..] else {
            return None;
        };
        let usage = Usage {
            elapsed: Duration::from_nanos(elapsed),
            cpu: Duration::from_nanos(cpu),
            waits,
        };
        Some(Self {
            events,
            lost,
            usage,
        })
    }
}

/// Watches `device`, and prints the report.
pub(crate) fn run(device: &str, way: &str) {
    let way = match way {
        "mapped" => Way::Mapped,
        _ => Way::Read,
    };
    let report = Driver::open(device).and_then(|driver| watch(driver, way, || {}));
    let report = report.unwrap_or_else(|e| panic!("{e}"));
    println!("{}", report.line());
}

/// Watches until the fate of every event is known. Calls `begun` when the session has begun.
pub(crate) fn watch(driver: Driver, way: Way, begun: impl FnOnce()) -> Result<Report, Error> {
    let filter = Filter::new().event(Kind::HandleOpen).ring_size(RING_SIZE);
    let mut records = driver.records(&filter, Delivery::by(way))?;
    begun();
    let (mut events, mut lost) = (0, 0);
    let mut first = None;
    while events + lost < EVENTS {
        let Some(record) = records.next_record() else {
            break;
        };
        match record? {
            Record::HandleOpen(open) => {
                // The least that a client does.
                black_box(open.target_pid);
                events += 1;
            }
            Record::Lost(gap) => lost += gap.counts[Kind::HandleOpen.index()],
            _ => continue,
        }
        first.get_or_insert_with(Look::now);
    }
    let usage = first.expect("there are events").usage();
    Ok(Report {
        events,
        lost,
        usage,
    })
}
