//! Control requests, as any program can make them.
#![expect(clippy::too_many_arguments, reason = "of what `Mutate` derives")]

use super::machine::{Happening, Machine};
use super::message::{Code, Message, Room};
use crate::input::Script;
use crate::target::Target;
use mutatis::Mutate;
use nthost::io::{Client, FileHandle, Ticket};
use nthost::ps::NewProcess;
use nthost::se::Token;
use ntwatch_protocol::ioctl::{GET_STATS, READ_EVENTS, SHUTDOWN, Stats};
use ntwatch_protocol::reader::Records;
use ntwatch_tests::account::assert_balances;
use ntwatch_tests::machine::{end_of, stats};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// No more of a script is played.
const STEPS: usize = 64;
/// `GENERIC_READ`, and with `GENERIC_WRITE`.
const READ: u32 = 0x8000_0000;
const READ_WRITE: u32 = 0xC000_0000;

/// What programs do, by two threads at once.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub struct Programs {
    one: Vec<Step>,
    other: Vec<Step>,
}

impl Script for Programs {}

/// One thing that a program does. Numbers name what was opened or asked for before.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Step {
    /// A process opens the device.
    Open { by: Whom, may_write: bool },
    /// Makes a request.
    Control {
        handle: u8,
        code: Code,
        input: Message,
        output: Room,
    },
    /// Cancels a request.
    Cancel(u8),
    /// Closes a handle.
    Close(u8),
    /// Its process ends.
    Die(u8),
    /// Sees something happen.
    Happen(Happening),
}

/// Who opens the device.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Whom {
    /// An administrator.
    Administrator,
    /// One with `SeDebugPrivilege` enabled.
    Debugger,
    /// One in a 32-bit program.
    Narrow,
    /// A user, who is refused.
    User,
    /// A process that has opened it before.
    Again(u8),
}

/// However requests are malformed, cancelled and left behind: each that may not wait ends, what
/// reads bring are records, accounts balance, and no other session notices.
pub enum Requests {}

impl Target for Requests {
    type Input = Programs;
    const NAME: &'static str = "ioctl";

    fn run(script: &Programs) {
        let machine = Machine::boot();
        let desk = Desk::default();
        thread::scope(|scope| {
            for steps in [&script.one, &script.other] {
                let (machine, desk) = (&machine, &desk);
                scope.spawn(move || {
                    let steps = steps.iter().take(STEPS);
                    steps.for_each(|step| desk.play(step, machine));
                });
            }
        });
        let shut_down = desk.shut_down.load(Ordering::Relaxed);
        desk.clear();
        machine.end(shut_down);
    }
}

/// What the programs have under way.
#[derive(Default)]
struct Desk {
    opened: Mutex<Vec<Opened>>,
    requests: Mutex<Vec<Request>>,
    shut_down: AtomicBool,
}

#[derive(Clone)]
struct Opened {
    process: Arc<Mutex<Option<Client>>>,
    handle: Arc<FileHandle>,
}

#[derive(Clone)]
struct Request {
    code: u32,
    ticket: Arc<Ticket>,
}

impl Desk {
    fn play(&self, step: &Step, machine: &Machine) {
        match step {
            Step::Open { by, may_write } => self.open(by, *may_write, machine),
            Step::Control {
                handle,
                code,
                input,
                output,
            } => {
                if let Some(opened) = nth(&self.opened, *handle) {
                    self.control(&opened, code, input, output, machine);
                }
            }
            Step::Cancel(request) => {
                if let Some(request) = nth(&self.requests, *request) {
                    request.ticket.cancel();
                }
            }
            Step::Close(handle) => {
                if let Some(opened) = nth(&self.opened, *handle) {
                    opened.handle.close();
                }
            }
            Step::Die(handle) => {
                if let Some(opened) = nth(&self.opened, *handle) {
                    let process = opened.process.lock().expect("no thread fails here").take();
                    process.into_iter().for_each(Client::die);
                }
            }
            Step::Happen(happening) => machine.happen(happening),
        }
    }

    fn open(&self, by: &Whom, may_write: bool, machine: &Machine) {
        let Some(process) = self.process(by, machine) else {
            return;
        };
        let access = if may_write { READ_WRITE } else { READ };
        let client = process.lock().expect("no thread fails here");
        let Some(Ok(handle)) = client.as_ref().map(|c| c.open(r"\??\ntwatch", access)) else {
            return;
        };
        drop(client);
        let mut opened = self.opened.lock().expect("no thread fails here");
        opened.push(Opened { process, handle });
    }

    fn process(&self, by: &Whom, machine: &Machine) -> Option<Arc<Mutex<Option<Client>>>> {
        let token = match by {
            Whom::Again(opened) => return Some(nth(&self.opened, *opened)?.process),
            Whom::User => Token::standard_user(),
            Whom::Administrator | Whom::Narrow => Token::administrator(),
            Whom::Debugger => {
                let token = Token::administrator();
                assert_eq!(token.enable("SeDebugPrivilege"), 0);
                token
            }
        };
        let process = machine.kernel.add_process(NewProcess {
            token,
            wow64: Some(matches!(by, Whom::Narrow)),
            ..NewProcess::default()
        });
        let client = Client::new(&machine.kernel, process);
        Some(Arc::new(Mutex::new(Some(client))))
    }

    fn control(
        &self,
        opened: &Opened,
        code: &Code,
        input: &Message,
        output: &Room,
        machine: &Machine,
    ) {
        let event = opened.process.lock().expect("no thread fails here");
        let event = event.as_ref().and_then(|client| client.create_event().ok());
        let input = input.bytes(&machine.process, event.unwrap_or_default());
        let code = code.number();
        if code == SHUTDOWN {
            self.shut_down.store(true, Ordering::Relaxed);
        }
        // A handle may be closed, or have no right to it.
        if let Ok(ticket) = opened.handle.submit(code, &input, output.bytes(code)) {
            let request = Request {
                code,
                ticket: Arc::new(ticket),
            };
            let mut requests = self.requests.lock().expect("no thread fails here");
            requests.push(request);
        }
    }

    /// Ends all that is under way, and looks at what came of it.
    fn clear(self) {
        for request in self.requests.into_inner().expect("no thread fails here") {
            if request.code == READ_EVENTS {
                request.ticket.cancel();
            }
            let done = end_of(&request.ticket);
            if request.code == READ_EVENTS {
                let mut records = Records::new(&done.output);
                assert!(records.all(|record| record.is_ok()), "no records");
            }
        }
        for opened in self.opened.into_inner().expect("no thread fails here") {
            let done = opened.handle.ioctl(GET_STATS, &[], size_of::<Stats>());
            if done.status == 0 {
                assert_balances(&stats(&opened.handle));
            }
            let process = opened.process.lock().expect("no thread fails here").take();
            process.into_iter().for_each(Client::die);
        }
    }
}

/// The one that a number names, if there is any.
fn nth<T: Clone>(among: &Mutex<Vec<T>>, number: u8) -> Option<T> {
    let among = among.lock().expect("no thread fails here");
    let count = among.len().max(1);
    among.get(usize::from(number) % count).cloned()
}
