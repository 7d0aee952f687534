//! What lines repeat that their event does not tell: whose stream it is, and what the starts of
//! processes told.

use super::guid::{Guid, Machine};
use crate::event::{
    Body, Event, ExitedProcess, Hex, Process, ProcessRef, SessionInfo, Target, ThreadRef,
};
use crate::time::Time;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Processes that ended and are still known: what others do to them is told a little later.
const REMEMBERED: usize = 4096;

/// What a stream has told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) session: Option<SessionInfo>,
    machine: Machine,
    /// The newest bearer of each pid.
    known: HashMap<u32, Known>,
    /// Those that ended, the oldest first.
    ended: VecDeque<(u32, Hex)>,
}

/// What the start of a process told.
#[derive(Clone, Debug)]
pub(super) struct Known {
    key: Hex,
    pub(super) create_time: Option<Time>,
    /// With spaces between the arguments, for WSL too.
    pub(super) command_line: Option<String>,
    pub(super) user: Option<Arc<str>>,
}

/// A process that has a part in an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party<'e> {
    pub(super) pid: u32,
    pub(super) key: Option<Hex>,
    pub(super) image: Option<&'e str>,
}

impl Memory {
    pub(super) fn learn(&mut self, event: &Event) {
        match &event.body {
            Body::Session { session } => self.begin(session),
            Body::ProcessRunning(start) | Body::ProcessStart(start) => {
                let process = &start.process;
                let known = Known {
                    key: process.key,
                    create_time: process.create_time,
                    command_line: process.spaced_command_line().map(Cow::into_owned),
                    user: process.user.clone(),
                };
                self.known.insert(process.pid, known);
            }
            Body::ProcessExit(exit) => self.end(exit.process.pid, exit.process.key),
            _ => {}
        }
    }

    /// A stream begins. On another machine, or after another boot, the same pid and key are of
    /// another process.
    fn begin(&mut self, session: &SessionInfo) {
        let is_of = |known: &SessionInfo| {
            known.host == session.host && known.boot_time == session.boot_time
        };
        if !self.session.as_ref().is_some_and(is_of) {
            self.known.clear();
            self.ended.clear();
        }
        self.machine = Machine::named(&session.host);
        self.session = Some(session.clone());
    }

    fn end(&mut self, pid: u32, key: Hex) {
        self.ended.push_back((pid, key));
        if self.ended.len() <= REMEMBERED {
            return;
        }
        // Another may bear the pid meanwhile.
        if let Some((pid, key)) = self.ended.pop_front()
            && self.known.get(&pid).is_some_and(|known| known.key == key)
        {
            self.known.remove(&pid);
        }
    }

    /// What is known of a process beyond what the event says of it.
    pub(super) fn known(&self, party: &Party<'_>) -> Option<&Known> {
        let known = self.known.get(&party.pid);
        known.filter(|known| Some(known.key) == party.key)
    }

    /// The name of a process that no other bears, on whichever machine.
    pub(super) fn guid(&self, party: &Party<'_>) -> Option<String> {
        let guid = |key| Guid::new(self.machine, party.pid, key).to_string();
        party.key.map(guid)
    }
}

macro_rules! parties {
    ($($type:ty, $process:ident => $key:expr;)*) => {
        $(impl<'e> From<&'e $type> for Party<'e> {
            fn from($process: &'e $type) -> Self {
                Self {
                    pid: $process.pid,
                    key: $key,
                    image: $process.image.as_deref(),
                }
            }
        })*
    };
}

parties! {
    Process, process => Some(process.key);
    ExitedProcess, process => Some(process.key);
    ProcessRef, process => process.key;
    ThreadRef, thread => thread.key;
    Target, target => target.key;
}
