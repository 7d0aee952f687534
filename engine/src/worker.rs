//! From the capture ring to the sessions.

use crate::capture::{Announced, Capture};
use crate::enrich::Enricher;
use crate::facts::System;
use crate::feeds::News;
use crate::form;
use crate::memory::OutOfMemory;
use ntwatch_protocol::record::{FIRST_SEQ, Kind};
use ntwatch_ring::capture::Consumer;

/// Why a run of the worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "after `More` the worker must be run again"]
pub enum Pause {
    /// There is nothing left; the next kick begins the next run.
    Asleep,
    /// The batch is full.
    More,
}

/// What the worker keeps from run to run.
#[derive(Debug)]
pub struct Worker {
    next_seq: u64,
    announced: Announced,
    enricher: Enricher,
}

impl Worker {
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new() -> Result<Self, OutOfMemory> {
        Ok(Self {
            next_seq: FIRST_SEQ,
            announced: Announced::default(),
            enricher: Enricher::new()?,
        })
    }

    /// Takes records off the ring in order, finds out more about them and hands them to `tell`,
    /// until the ring is empty or `go_on`, asked after each record, says that it is enough.
    /// `now` is the time, for announcements.
    pub fn run(
        &mut self,
        mut consumer: Consumer<'_>,
        capture: &Capture,
        system: &impl System,
        now: impl Fn() -> i64,
        mut tell: impl FnMut(&News<'_>),
        mut go_on: impl FnMut() -> bool,
    ) -> Pause {
        loop {
            if let Some(record) = consumer.peek() {
                let kind = Kind::from_wire(record.tag() as u16);
                if let Some(losses) = form::losses(&record) {
                    self.announce(capture, losses, &now, &mut tell);
                }
                let seq = self.next_seq;
                match kind.and_then(|kind| self.enricher.event(kind, &record, seq, capture, system))
                {
                    Some(event) => {
                        self.next_seq = seq.saturating_add(1);
                        tell(&News::Event(event));
                    }
                    // No form that we write is like this; should one be, it is not lost silently.
                    None => {
                        if let Some(kind) = kind {
                            capture.account().count_untold(kind);
                        }
                    }
                }
                if let Some(object) = kind.and_then(|kind| form::object(kind, &record)) {
                    system.release(object);
                }
                record.release();
                if !go_on() {
                    return Pause::More;
                }
                continue;
            }
            self.announce(capture, capture.account().losses(), &now, &mut tell);
            match consumer.park() {
                Some(awake) => consumer = awake,
                None => return Pause::Asleep,
            }
        }
    }

    /// Announces what the callbacks lost, if `losses` says that there is something.
    // Its frame is not to be part of the worker's for all else.
    #[inline(never)]
    fn announce(
        &mut self,
        capture: &Capture,
        losses: u64,
        now: impl Fn() -> i64,
        mut tell: impl FnMut(&News<'_>),
    ) {
        if let Some(counts) = self.announced.news(capture.account(), losses) {
            let seq = self.next_seq;
            self.next_seq = seq.saturating_add(1);
            tell(&News::Lost {
                counts: &counts,
                seq,
                time: now(),
            });
        }
    }
}

/// Empties the ring untold: gives back every reference that its records hold. For unload, when
/// no callback can come any more.
pub fn discard(mut consumer: Consumer<'_>, system: &impl System) {
    while let Some(record) = consumer.peek() {
        let kind = Kind::from_wire(record.tag() as u16);
        if let Some(object) = kind.and_then(|kind| form::object(kind, &record)) {
            system.release(object);
        }
        record.release();
    }
}
