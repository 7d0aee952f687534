//! The page of a mapped ring that its client writes.

use super::machine::{Happening, Machine};
use crate::input::Script;
use crate::target::Target;
use mutatis::Mutate;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::Stats;
use ntwatch_protocol::mapped::CONSUMER_SIZE;
use ntwatch_tests::account::assert_balances;
use ntwatch_tests::machine::{everything, settled, stats};
use ntwatch_tests::mapped::Mapped;
use ntwatch_tests::watcher::{Transport, Watcher};
use serde::{Deserialize, Serialize};
use std::thread;

/// No more of a script is played.
const STEPS: usize = 64;

/// What a client says while events flow.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub struct Scribbles {
    /// By another thread, all the while.
    meanwhile: Vec<Happening>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Step {
    /// Writes the position.
    Say { claim: Claim, marks: u8 },
    /// Writes a word of the page that nobody reads.
    Scribble { word: u16, value: u64 },
    /// Asks for the account, which looks at the position.
    Stats,
    /// Sees something happen first.
    Happen(Happening),
}

/// How far a client says to have read.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Claim {
    /// So many bytes more than there were written.
    Ahead(u16),
    /// So many bytes less.
    Behind(u32),
    /// The same, in words.
    WordsBehind(u16),
    /// A number.
    Anything(u64),
}

impl Script for Scribbles {}

/// Who scribbles loses events of its own; its account balances, and no other session notices.
pub enum RingWord {}

impl Target for RingWord {
    type Input = Scribbles;
    const NAME: &'static str = "ring_word";

    fn run(script: &Scribbles) {
        let machine = Machine::boot();
        let all = everything(MIN_RING_SIZE);
        let scribbler = Watcher::begin(&machine.kernel, Transport::Mapped, MIN_RING_SIZE, &all);
        thread::scope(|scope| {
            scope.spawn(|| {
                let meanwhile = script.meanwhile.iter().take(STEPS);
                meanwhile.for_each(|happening| machine.happen(happening));
            });
            for step in script.steps.iter().take(STEPS) {
                play(step, &scribbler, &machine);
            }
        });
        let account: Stats = settled(&scribbler.handle);
        assert_balances(&account);
        scribbler.die();
        machine.end(false);
    }
}

fn play(step: &Step, scribbler: &Watcher, machine: &Machine) {
    let mapped = scribbler.mapped.as_ref().expect("its ring is mapped");
    match step {
        Step::Say { claim, marks } => {
            let position = claim.position(mapped);
            mapped.word().store(0, position | u64::from(marks & 7));
        }
        Step::Scribble { word, value } => {
            let offset = 8 * usize::from(*word) % CONSUMER_SIZE;
            mapped.word().store(offset.max(8), *value);
        }
        Step::Stats => {
            let _ = stats(&scribbler.handle);
        }
        Step::Happen(happening) => machine.happen(happening),
    }
}

impl Claim {
    fn position(&self, mapped: &Mapped) -> u64 {
        let written = mapped.ring().load(0);
        match *self {
            Claim::Ahead(bytes) => written.wrapping_add(bytes.into()),
            Claim::Behind(bytes) => written.wrapping_sub(bytes.into()),
            Claim::WordsBehind(words) => written.wrapping_sub(8 * u64::from(words)),
            Claim::Anything(position) => position,
        }
    }
}
