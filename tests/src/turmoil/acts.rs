//! What clients do, and what happens beside them.

use super::session::{Session, create_event, open};
use super::{Scene, make_events, pause, some_pid};
use crate::activity::every_kind;
use crate::mapped::Mapped;
use crate::races::{Doing, Race};
use fastrand::Rng;
use nthost::io::Stop;
use nthost::ps::NewProcess;
use ntwatch_protocol::ioctl::{PROTECT_ADD, PROTECT_REMOVE, SHUTDOWN};
use ntwatch_protocol::protect::{Rule, Target};
use ntwatch_protocol::reader::Records;
use std::sync::atomic::Ordering;
use std::thread;
use zerocopy::IntoBytes;

type Act = fn(&Scene<'_>, &mut Rng);

/// What clients do. Those that end the driver come once, so that most rounds are without.
pub(super) const ACTS: [Act; 13] = [
    happens, happens, reads, reads, maps, maps, shares, shares, shares, protects, dies, dies, ends,
];

fn happens(scene: &Scene<'_>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..6) {
        make_events(scene.kernel, scene.races, rng);
    }
}

/// Reads, pended, canceled, or left behind.
fn reads(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((process, session)) = open(scene) else {
        return;
    };
    session.configure();
    for _ in 0..rng.usize(1..8) {
        session.read_once(rng);
    }
    let left_behind: Vec<_> = (0..rng.usize(0..6))
        .filter_map(|_| session.submit_read())
        .collect();
    let are_pended = left_behind.iter().any(|read| !read.is_complete());
    let _reading = are_pended.then(|| session.under_way.begin(Doing::Read));
    match rng.bool() {
        true => session.close(),
        false => session.kill(process),
    }
}

/// A ring that is read in place, if it can be had.
fn maps(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((process, session)) = open(scene) else {
        return;
    };
    let event = create_event(&process);
    let Some(sections) = session.map_ring(event) else {
        return;
    };
    let mut mapped = Mapped::of(&process, &sections, event);
    session.configure();
    for _ in 0..rng.usize(1..6) {
        for record in Records::new(&mapped.take().records) {
            record.expect("the driver writes records");
        }
        session.stats();
        pause(rng);
    }
    match rng.bool() {
        true => session.close(),
        false => session.kill(process),
    }
    // The views outlive it.
    mapped.take();
}

/// Two threads with one handle, which one of them closes.
fn shares(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((process, session)) = open(scene) else {
        return;
    };
    let event = create_event(&process);
    if rng.bool() {
        // Else the ring may be mapped.
        session.configure();
    }
    let mut other = rng.fork();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..other.usize(2..8) {
                session.ask_something(event, &mut other);
            }
        });
        for _ in 0..rng.usize(0..4) {
            session.ask_something(event, rng);
        }
        session.close();
    });
}

/// Rules about processes that come and go, all with the same pid.
fn protects(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((_process, session)) = open(scene) else {
        return;
    };
    let pid = some_pid(rng);
    let others = rng.usize(1..6);
    thread::scope(|scope| {
        scope.spawn(move || {
            let make = || every_kind(scene.kernel, Some(pid));
            (0..others).for_each(|_| scene.races.happening(Some(pid), make));
        });
        for _ in 0..rng.usize(1..6) {
            protect(&session, pid, rng);
        }
    });
}

/// A rule about a process with this pid, which stays or goes.
fn protect(session: &Session<'_>, pid: u32, rng: &mut Rng) {
    let kernel = session.scene.kernel;
    let process = kernel.add_process(NewProcess {
        id: Some(pid),
        ..NewProcess::default()
    });
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
    session.ask(Doing::Ask, PROTECT_ADD, rule.as_bytes(), 0);
    pause(rng);
    if rng.bool() {
        let exit = || kernel.exit_process(&process, 0);
        session.scene.races.happening(Some(pid), exit);
    }
    session.ask(Doing::Ask, PROTECT_REMOVE, target.as_bytes(), 0);
}

/// A process that is ended whatever it is at.
fn dies(scene: &Scene<'_>, rng: &mut Rng) {
    let Some((process, session)) = open(scene) else {
        return;
    };
    let event = create_event(&process);
    let mut other = rng.fork();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..4 {
                session.ask_something(event, &mut other);
            }
        });
        pause(rng);
        session.kill(process);
    });
}

/// The driver is told to go, or is stopped without, or both.
fn ends(scene: &Scene<'_>, rng: &mut Rng) {
    pause(rng);
    if rng.bool()
        && let Some((_process, session)) = open(scene)
    {
        session.ask(Doing::Ask, SHUTDOWN, &[], 0);
        scene.is_shut_down.store(true, Ordering::Relaxed);
    }
    if rng.bool() {
        let stop = scene.service.stop();
        assert!(matches!(stop, Stop::Pending { .. }), "{stop:?}");
        let race = match scene.is_shut_down.load(Ordering::Relaxed) {
            true => Race::StopAfterShutdown,
            false => Race::Stop,
        };
        scene.met().count(race);
    }
}
