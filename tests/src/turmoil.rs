//! Clients that get in each other's way, and put up with whatever they are answered: a round of
//! them is chosen by its seed.

use crate::account::assert_balances;
use crate::activity::every_kind;
use crate::lab::Lab;
use crate::machine::{READ_WRITE, end_of, everything, load, stats, stop, submit_read};
use crate::mapped::{Mapped, map_ring, map_ring_input};
use crate::verify::{add, boot};
use crate::watcher::{Transport, Watcher};
use fastrand::Rng;
use nthost::Kernel;
use nthost::io::{Client, FileHandle, Service, Stop};
use nthost::ps::NewProcess;
use nthost::se::Token;
use nthost::verify::{Delays, Faults};
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{
    CONFIGURE, GET_STATS, PROTECT_ADD, PROTECT_LIST, PROTECT_REMOVE, READ_EVENTS, SHUTDOWN, Stats,
};
use ntwatch_protocol::protect::{Listed, MAX_RULES, Rule, Target};
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::MAX_RECORD_SIZE;
use std::hint;
use std::sync::Arc;
use std::thread;
use zerocopy::IntoBytes;

/// What makes a round harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Threads are held up at the driver's calls.
    Delays,
    /// One in so many of the calls that need memory fails.
    Shortage(u32),
}

/// Where clients act.
struct Scene<'a> {
    kernel: &'a Arc<Kernel>,
    service: &'a Service,
}

type Act = fn(&Scene<'_>, &mut Rng);

/// What clients do. Those that end the driver come once, so that most rounds are without.
const ACTS: [Act; 12] = [
    happens, happens, happens, reads, reads, maps, maps, shares, shares, protects, dies, ends,
];

/// One round. At its end everybody is gone, and the driver, while there is something to tell it.
///
/// # Panics
/// When anything was answered that no client may be answered, the account of somebody who was
/// there all the time is wrong, or the driver leaves something behind.
pub fn round(lab: &Lab, seed: u64, trouble: Trouble) {
    let mut rng = Rng::with_seed(seed);
    let kernel = boot();
    let service = load(&kernel, lab);
    let transport = *rng.choice(Transport::ALL.iter()).expect("there are two");
    // Keeps the driver from being unloaded until the others are gone.
    let configure = everything(MIN_RING_SIZE);
    let witness = Watcher::begin(&kernel, transport, MIN_RING_SIZE, &configure);
    let shortage = match trouble {
        Trouble::Delays => {
            add(&kernel, &Arc::new(Delays::new(seed)));
            None
        }
        Trouble::Shortage(one_in) => {
            let shortage = Arc::new(Faults::storm(one_in, seed));
            add(&kernel, &shortage);
            Some(shortage)
        }
    };
    let scene = Scene {
        kernel: &kernel,
        service: &service,
    };
    thread::scope(|scope| {
        for _ in 0..rng.usize(2..=4) {
            let act = *rng.choice(ACTS.iter()).expect("there are some");
            let (mut rng, scene) = (rng.fork(), &scene);
            scope.spawn(move || act(scene, &mut rng));
        }
    });
    if let Some(shortage) = shortage {
        shortage.stop();
    }
    let witness = testify(witness);
    thread::scope(|scope| {
        scope.spawn(|| happens(&scene, &mut rng));
        witness.die();
        stop(&service);
    });
}

/// The account of who was there all the time.
fn testify(mut witness: Watcher) -> Watcher {
    let records = witness.rest();
    for record in Records::new(&records) {
        record.expect("the driver writes records");
    }
    assert_balances(&stats(&witness.handle));
    witness
}

fn happens(scene: &Scene<'_>, rng: &mut Rng) {
    // The same pid again and again, that somebody else may have as well.
    let pid = 4 * rng.u32(1000..1003);
    for _ in 0..rng.usize(1..6) {
        every_kind(scene.kernel, rng.bool().then_some(pid));
    }
}

/// A client and its handle, unless it is refused.
fn open(scene: &Scene<'_>) -> Option<(Client, Arc<FileHandle>)> {
    let token = Token::administrator();
    assert_eq!(token.enable("SeDebugPrivilege"), 0);
    let process = scene.kernel.add_process(NewProcess {
        token,
        ..NewProcess::default()
    });
    let process = Client::new(scene.kernel, process);
    let handle = process.open(r"\??\ntwatch", READ_WRITE).ok()?;
    Some((process, handle))
}

/// Reads, pended, canceled, or left behind.
fn reads(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((_process, handle)) = open(scene) else {
        return;
    };
    handle.ioctl(CONFIGURE, &everything(0), 0);
    for _ in 0..rng.usize(1..8) {
        read_once(&handle, rng);
    }
    let _left_behind: Vec<_> = (0..rng.usize(0..6)).map(|_| submit_read(&handle)).collect();
    if rng.bool() {
        handle.close();
    }
}

/// A read that ends with records, or with a status.
fn read_once(handle: &Arc<FileHandle>, rng: &mut Rng) {
    let Ok(read) = handle.submit(READ_EVENTS, &[], MAX_RECORD_SIZE) else {
        return;
    };
    pause(rng);
    read.cancel();
    let done = end_of(&read);
    assert!(done.status <= 0, "a read ends with {:#x}", done.status);
    for record in Records::new(&done.output) {
        record.expect("the driver writes records");
    }
}

/// A ring that is read in place, if it can be had.
fn maps(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((process, handle)) = open(scene) else {
        return;
    };
    let event = process.create_event().expect("a process may have an event");
    let Ok(sections) = map_ring(&handle, &map_ring_input(MIN_RING_SIZE, event)) else {
        return;
    };
    let mut mapped = Mapped::of(&process, &sections, event);
    handle.ioctl(CONFIGURE, &everything(0), 0);
    for _ in 0..rng.usize(1..6) {
        for record in Records::new(&mapped.take().records) {
            record.expect("the driver writes records");
        }
        handle.ioctl(GET_STATS, &[], size_of::<Stats>());
        pause(rng);
    }
    if rng.bool() {
        // The views outlive it.
        process.die();
        mapped.take();
    }
}

/// Two threads with one handle, which one of them closes.
fn shares(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((process, handle)) = open(scene) else {
        return;
    };
    let event = process.create_event().expect("a process may have an event");
    let mut other = rng.fork();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..other.usize(1..6) {
                ask(&handle, event, &mut other);
            }
        });
        for _ in 0..rng.usize(0..4) {
            ask(&handle, event, rng);
        }
        handle.close();
    });
}

/// Anything a client can ask for, in any order.
fn ask(handle: &Arc<FileHandle>, event: usize, rng: &mut Rng) {
    match rng.u8(0..5) {
        0 => drop(handle.ioctl(CONFIGURE, &everything(0), 0)),
        1 => drop(handle.ioctl(GET_STATS, &[], size_of::<Stats>())),
        2 => drop(map_ring(handle, &map_ring_input(MIN_RING_SIZE, event))),
        3 => drop(handle.ioctl(PROTECT_LIST, &[], MAX_RULES * size_of::<Listed>())),
        _ => read_once(handle, rng),
    }
}

/// Rules about processes that come and go.
fn protects(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((_process, handle)) = open(scene) else {
        return;
    };
    for _ in 0..rng.usize(1..6) {
        let new = NewProcess {
            id: Some(4 * rng.u32(1000..1003)),
            ..NewProcess::default()
        };
        let process = scene.kernel.add_process(new);
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
        handle.ioctl(PROTECT_ADD, rule.as_bytes(), 0);
        pause(rng);
        if rng.bool() {
            scene.kernel.exit_process(&process, 0);
        }
        handle.ioctl(PROTECT_REMOVE, target.as_bytes(), 0);
    }
}

/// A process that is ended whatever it is at.
fn dies(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((process, handle)) = open(scene) else {
        return;
    };
    let event = process.create_event().expect("a process may have an event");
    let mut other = rng.fork();
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..4 {
                ask(&handle, event, &mut other);
            }
        });
        pause(rng);
        process.die();
    });
}

/// The driver is told to go, or is stopped without, or both.
fn ends(scene: &Scene<'_>, rng: &mut Rng) {
    pause(rng);
    if rng.bool()
        && let Some((_process, handle)) = open(scene)
    {
        handle.ioctl(SHUTDOWN, &[], 0);
    }
    if rng.bool() {
        let stop = scene.service.stop();
        assert!(matches!(stop, Stop::Pending { .. }), "{stop:?}");
    }
}

/// Something else comes first, or does not.
fn pause(rng: &mut Rng) {
    match rng.u8(0..4) {
        0 => thread::yield_now(),
        1 => (0..rng.u32(0..20_000)).for_each(|_| hint::spin_loop()),
        _ => {}
    }
}
