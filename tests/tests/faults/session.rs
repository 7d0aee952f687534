//! Calls that fail while a client watches, asks, and leaves.

use nthost::Kernel;
use nthost::io::{Client, Completion, FileHandle};
use nthost::ps::NewProcess;
use nthost::verify::{Fault, Faults};
use ntwatch_lab_figures::tell;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{
    CONFIGURE, GET_STATS, GET_VERSION, MAP_RING, PROTECT_ADD, PROTECT_LIST, PROTECT_REMOVE,
    SHUTDOWN, STATUS_NOT_FOUND, STATUS_PRIVILEGE_NOT_HELD, STATUS_SHUTDOWN, Stats, Version,
};
use ntwatch_protocol::mapped::MappedRing;
use ntwatch_protocol::protect::{Listed, MAX_RULES, Rule, Target};
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::KIND_SLOTS;
use ntwatch_tests::account::{Tally, assert_accounts_for, assert_counts, assert_counts_every_open};
use ntwatch_tests::activity::every_kind;
use ntwatch_tests::lab::{Lab, until};
use ntwatch_tests::machine::{
    READ_WRITE, end_of, everything, load, may_debug, stop, submit_read, try_read,
};
use ntwatch_tests::mapped::{Mapped, map_ring_input};
use ntwatch_tests::verify::{add, boot};
use ntwatch_tests::watchdog::watched;
use ntwatch_tests::watcher::Transport;
use std::slice;
use std::sync::Arc;
use zerocopy::{FromBytes, IntoBytes};

/// So many calls from one site fail in turn. More there are only from a client that asks again and
/// again until it has everything.
const FROM_ONE_SITE: u32 = 16;

/// A site that no session came to when it was to fail there gets so many more sessions.
const MORE_SESSIONS: usize = 20;

/// What a client is told of a call that failed on its behalf: memory is short, or what it named is
/// not there.
const REASONS: [u32; 9] = [
    0xC000_0008, // STATUS_INVALID_HANDLE
    0xC000_000B, // STATUS_INVALID_CID
    0xC000_0017, // STATUS_NO_MEMORY
    0xC000_0022, // STATUS_ACCESS_DENIED
    0xC000_009A, // STATUS_INSUFFICIENT_RESOURCES
    0xC000_012D, // STATUS_COMMITMENT_LIMIT
    0xC020_0204, // STATUS_WDF_BUSY
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_NOT_FOUND,
];

/// Asks; again, if the answer is a failure for one of [`REASONS`]: only one call fails.
fn insist<T>(what: &str, ask: impl Fn() -> Result<T, i32>) -> T {
    ask()
        .or_else(|status| {
            let is_reason = REASONS.contains(&status.cast_unsigned());
            assert!(is_reason, "{what}: {status:#x}");
            ask()
        })
        .unwrap_or_else(|status| panic!("{what} is refused again: {status:#x}"))
}

fn ioctl(handle: &FileHandle, code: u32, input: &[u8], output: usize) -> Result<Completion, i32> {
    let done = handle.ioctl(code, input, output);
    match done.status {
        0 => Ok(done),
        status => Err(status),
    }
}

/// A client to whom one call's failure makes no difference.
struct Stubborn {
    mapped: Option<Mapped>,
    handle: Arc<FileHandle>,
    process: Client,
}

impl Stubborn {
    fn begin(kernel: &Arc<Kernel>, transport: Transport) -> Self {
        let process = kernel.add_process(NewProcess {
            token: may_debug(),
            ..NewProcess::default()
        });
        let process = Client::new(kernel, process);
        let handle = insist("an open", || process.open(r"\??\ntwatch", READ_WRITE));
        let mapped = (transport == Transport::Mapped).then(|| {
            let event = process.create_event().expect("a process may have an event");
            let input = map_ring_input(MIN_RING_SIZE, event);
            let done = insist("MAP_RING", || {
                ioctl(&handle, MAP_RING, input.as_bytes(), size_of::<MappedRing>())
            });
            let sections = MappedRing::read_from_bytes(&done.output).expect("a whole answer");
            Mapped::of(&process, &sections, event)
        });
        let client = Self {
            mapped,
            handle,
            process,
        };
        client.ask(CONFIGURE, &everything(MIN_RING_SIZE), 0);
        client
    }

    fn ask(&self, code: u32, input: &[u8], output: usize) -> Vec<u8> {
        let what = format!("request {code:#x}");
        insist(&what, || ioctl(&self.handle, code, input, output)).output
    }

    fn stats(&self) -> Stats {
        let stats = self.ask(GET_STATS, &[], size_of::<Stats>());
        Stats::read_from_bytes(&stats).expect("whole statistics")
    }

    /// Protects a process, looks, and lets it be.
    fn protect(&self, kernel: &Kernel) {
        let process = kernel.add_process(NewProcess::default());
        let target = Target {
            key: process.key,
            pid: process.id,
            reserved: 0,
        };
        let rule = Rule {
            target,
            process: 1,
            thread: 0,
        };
        self.ask(PROTECT_ADD, rule.as_bytes(), 0);
        let rules = self.ask(PROTECT_LIST, &[], MAX_RULES * size_of::<Listed>());
        let removed = self
            .handle
            .ioctl(PROTECT_REMOVE, target.as_bytes(), 0)
            .status;
        // A process that was not found when the rules were listed is one that has exited.
        assert!(removed == 0 || rules.is_empty() || REASONS.contains(&removed.cast_unsigned()));
    }

    /// All that there is, once the worker has seen everything, and what the driver says of it.
    fn read_all(&mut self) -> (Tally, Stats) {
        let mut tally = Tally::default();
        let stats = until("every event to be read", || {
            let records = match &mut self.mapped {
                Some(mapped) => mapped.take().records,
                None => try_read(&self.handle).unwrap_or_else(|status| {
                    let is_reason = REASONS.contains(&status.cast_unsigned());
                    assert!(is_reason, "READ_EVENTS: {status:#x}");
                    Vec::new()
                }),
            };
            for record in Records::new(&records) {
                tally.add(&record.expect("the driver writes records"));
            }
            let stats = self.stats();
            let is_all =
                stats.session_captured == stats.captured && stats.queued == [0; KIND_SLOTS];
            is_all.then_some(stats)
        });
        (tally, stats)
    }

    /// SHUTDOWN, with a read pended if reads are how it goes.
    fn shut_down(self) -> Client {
        let read = self.mapped.is_none().then(|| submit_read(&self.handle));
        self.ask(SHUTDOWN, &[], 0);
        if let Some(read) = read {
            let status = end_of(&read).status.cast_unsigned();
            let is_told = status == STATUS_SHUTDOWN || REASONS.contains(&status);
            assert!(is_told, "a pended read ends with {status:#x}");
        }
        self.process
    }
}

/// A session from its open to its end, and the unload, with these faults. Gives what they say of it
/// if all went as it has to.
fn session_with(lab: &Lab, transport: Transport, faults: &[Fault]) -> Arc<Faults> {
    let names: Vec<_> = faults.iter().map(Fault::to_string).collect();
    let what = format!("{} without {}", transport.name(), names.join("\nand "));
    watched(what, || {
        let kernel = boot();
        let service = load(&kernel, lab);
        let faults = Arc::new(Faults::strike(faults.to_vec()));
        add(&kernel, &faults);
        let mut client = Stubborn::begin(&kernel, transport);
        client.ask(GET_VERSION, &[], size_of::<Version>());
        client.protect(&kernel);
        every_kind(&kernel, None);
        let (tally, stats) = client.read_all();
        assert_accounts_for(&stats, &tally);
        assert_counts(&stats, &kernel);
        assert_counts_every_open(&stats, &kernel);
        client.shut_down().die();
        stop(&service);
        faults
    })
}

fn survives_every_fault(transport: Transport) {
    let lab = Lab::get();
    let mut made = session_with(&lab, transport, &[]).made();
    made.retain(|fault| fault.number <= FROM_ONE_SITE);
    let strike = |fault| session_with(&lab, transport, slice::from_ref(fault)).struck();
    made.sort_by(|one, other| one.site.cmp(&other.site));
    let sites: Vec<_> = made.chunk_by(|one, other| one.site == other.site).collect();
    // Which way the worker goes, and how often a client asks before it has everything, differs from
    // run to run; so not every call is made again, but one from each site is.
    let mut struck = 0;
    let mut left = Vec::new();
    for faults in &sites {
        let mut here: usize = faults.iter().map(strike).sum();
        let mut more = 0..MORE_SESSIONS;
        while here == 0 && more.next().is_some() {
            here = strike(&faults[0]);
        }
        struck += here;
        if here == 0 {
            left.push(faults[0].site.to_string());
        }
    }
    assert!(left.is_empty(), "no call failed: {}", left.join("\n"));
    let check = format!(
        "a session that is {} in which a call fails",
        transport.name()
    );
    tell(&check, struck as u64, "calls");
    tell(&check, sites.len() as u64, "sites");
}

#[test]
fn a_session_that_reads_accounts_for_every_event_whatever_call_fails() {
    survives_every_fault(Transport::Read);
}

#[test]
fn a_session_with_a_mapped_ring_accounts_for_every_event_whatever_call_fails() {
    survives_every_fault(Transport::Mapped);
}
