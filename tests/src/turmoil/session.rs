//! A client with a handle, whose doings are told to who looks for races.

use super::{Scene, pause};
use crate::machine::{READ_WRITE, end_of, everything, may_debug};
use crate::mapped::map_ring_input;
use crate::races::{Doing, Race, UnderWay};
use fastrand::Rng;
use nthost::io::{Client, Completion, FileHandle, Ticket};
use nthost::ps::NewProcess;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{CONFIGURE, GET_STATS, MAP_RING, PROTECT_LIST, READ_EVENTS, Stats};
use ntwatch_protocol::mapped::MappedRing;
use ntwatch_protocol::protect::{Listed, MAX_RULES};
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::MAX_RECORD_SIZE;
use std::sync::Arc;
use zerocopy::{FromBytes, IntoBytes};

/// A handle of a client's.
pub(super) struct Session<'a> {
    pub(super) scene: &'a Scene<'a>,
    handle: Arc<FileHandle>,
    pub(super) under_way: Arc<UnderWay>,
}

/// A client and its handle, unless it is refused.
pub(super) fn open<'a>(scene: &'a Scene<'a>) -> Option<(Client, Session<'a>)> {
    let process = scene.kernel.add_process(NewProcess {
        token: may_debug(),
        ..NewProcess::default()
    });
    let process = Client::new(scene.kernel, process);
    let handle = process.open(r"\??\ntwatch", READ_WRITE).ok()?;
    let session = Session {
        scene,
        handle,
        under_way: Arc::default(),
    };
    Some((process, session))
}

impl Session<'_> {
    /// A request and its end.
    pub(super) fn ask(&self, doing: Doing, code: u32, input: &[u8], output: usize) -> Completion {
        let ask = || self.handle.ioctl(code, input, output);
        self.scene.races.during(doing, &self.under_way, ask)
    }

    pub(super) fn configure(&self) {
        self.ask(Doing::Configure, CONFIGURE, &everything(0), 0);
    }

    pub(super) fn stats(&self) {
        self.ask(Doing::Ask, GET_STATS, &[], size_of::<Stats>());
    }

    /// The sections of a ring, unless it is refused.
    pub(super) fn map_ring(&self, event: usize) -> Option<MappedRing> {
        let input = map_ring_input(MIN_RING_SIZE, event);
        let done = self.ask(
            Doing::MapRing,
            MAP_RING,
            input.as_bytes(),
            size_of::<MappedRing>(),
        );
        let sections = MappedRing::read_from_bytes(&done.output).ok()?;
        self.under_way.mapped();
        Some(sections)
    }

    /// A read that is pended, or has ended already; unless the handle is closed.
    pub(super) fn submit_read(&self) -> Option<Ticket> {
        let submit = || self.handle.submit(READ_EVENTS, &[], MAX_RECORD_SIZE);
        let read = self
            .scene
            .races
            .during(Doing::Read, &self.under_way, submit);
        read.ok()
    }

    /// A read that ends with records, or with a status.
    pub(super) fn read_once(&self, rng: &mut Rng) {
        let _reading = self.under_way.begin(Doing::Read);
        let Some(read) = self.submit_read() else {
            return;
        };
        pause(rng);
        let had_ended = read.is_complete();
        if !read.cancel() && !had_ended {
            self.scene.met().count(Race::Cancel);
        }
        let done = end_of(&read);
        assert!(done.status <= 0, "a read ends with {:#x}", done.status);
        for record in Records::new(&done.output) {
            record.expect("the driver writes records");
        }
    }

    /// Anything a client can ask for, in any order.
    pub(super) fn ask_something(&self, event: usize, rng: &mut Rng) {
        match rng.u8(0..6) {
            0 => self.configure(),
            1 => self.stats(),
            2 => drop(self.map_ring(event)),
            3 => {
                let room = MAX_RULES * size_of::<Listed>();
                self.ask(Doing::Ask, PROTECT_LIST, &[], room);
            }
            _ => self.read_once(rng),
        }
    }

    pub(super) fn close(&self) {
        let close = || self.handle.close();
        self.scene
            .races
            .during(Doing::Close, &self.under_way, close);
        self.under_way.cleaned_up();
    }

    pub(super) fn kill(&self, process: Client) {
        let races = self.scene.races;
        races.during(Doing::Die, &self.under_way, || process.die());
    }
}

/// An event of the process', for a ring to wake it by.
pub(super) fn create_event(process: &Client) -> usize {
    process.create_event().expect("a process may have an event")
}
