//! Which races a round has met, counted by what happened: the driver is at work for one thread
//! while another is in the middle of something that gets in its way.

use nthost::Current;
use nthost::verify::{Call, Decision, Watch};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What can get in each other's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Race {
    /// The driver is stopped while handles are open.
    Stop,
    /// The same after SHUTDOWN.
    StopAfterShutdown,
    /// A callback runs while the driver is unloaded.
    Unload,
    /// A read is canceled that the driver is completing.
    Cancel,
    /// A handle is closed while a read of it is under way.
    Close,
    /// The driver takes up a read whose handle is cleaned up already.
    CleanUp,
    /// The driver's worker makes a call while a handle is closed: that of the session that it works
    /// for, or another.
    Worker,
    /// A pid is looked up while another process takes it.
    Pid,
    /// A session is configured while a read of it is under way.
    Configure,
    /// A handle is closed while its ring is made.
    MapRing,
    /// A process is killed while a request of it is under way.
    Kill,
    /// The driver cleans up after a process that is killed with its ring mapped.
    KillMapped,
}

impl Race {
    /// Each of them.
    pub const ALL: [Self; 12] = [
        Self::Stop,
        Self::StopAfterShutdown,
        Self::Unload,
        Self::Cancel,
        Self::Close,
        Self::CleanUp,
        Self::Worker,
        Self::Pid,
        Self::Configure,
        Self::MapRing,
        Self::Kill,
        Self::KillMapped,
    ];

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop with handles open",
            Self::StopAfterShutdown => "stop with handles open, after SHUTDOWN",
            Self::Unload => "unload against a callback that runs",
            Self::Cancel => "cancel against the completion of a read",
            Self::Close => "close against a read",
            Self::CleanUp => "a read that arrives after clean-up",
            Self::Worker => "close against the worker",
            Self::Pid => "a pid that is used again against its look-up",
            Self::Configure => "CONFIGURE against READ_EVENTS",
            Self::MapRing => "close against MAP_RING",
            Self::Kill => "a client killed in a request",
            Self::KillMapped => "a client killed with its ring mapped",
        }
    }
}

/// How often each race was met.
#[derive(Debug, Default)]
pub struct Met([AtomicU64; Race::ALL.len()]);

impl Met {
    /// It was met once more.
    pub fn count(&self, race: Race) {
        self.0[race as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often.
    #[must_use]
    pub fn times(&self, race: Race) -> u64 {
        self.0[race as usize].load(Ordering::Relaxed)
    }
}

/// What a client's thread does with a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// READ_EVENTS, to its end.
    Read,
    /// CONFIGURE.
    Configure,
    /// MAP_RING.
    MapRing,
    /// Another request.
    Ask,
    /// Closes it.
    Close,
    /// Ends its process.
    Die,
}

/// What is under way with one handle.
#[derive(Debug, Default)]
pub struct UnderWay {
    threads: [AtomicU32; Doing::ALL.len()],
    is_mapped: AtomicBool,
    is_cleaned_up: AtomicBool,
}

impl UnderWay {
    fn is(&self, doing: Doing) -> bool {
        self.threads[doing as usize].load(Ordering::Relaxed) > 0
    }

    /// From here on, until the result is dropped. Not only in this thread.
    #[must_use]
    pub fn begin(self: &Arc<Self>, doing: Doing) -> Beginning {
        self.threads[doing as usize].fetch_add(1, Ordering::Relaxed);
        Beginning(Arc::clone(self), doing)
    }

    /// Its ring is mapped.
    pub fn mapped(&self) {
        self.is_mapped.store(true, Ordering::Relaxed);
    }

    /// Clean-up is over.
    pub fn cleaned_up(&self) {
        self.is_cleaned_up.store(true, Ordering::Relaxed);
    }
}

/// Something that is under way until this is dropped.
#[derive(Debug)]
pub struct Beginning(Arc<UnderWay>, Doing);

impl Drop for Beginning {
    fn drop(&mut self) {
        self.0.threads[self.1 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why this thread may be in the driver.
enum Mine {
    /// It does something with a handle.
    Handle(Doing, Arc<UnderWay>),
    /// It makes events, of a process with this pid if that matters.
    Events(Option<u32>),
}

/// What was met since it began, as a bit for each race: a thread counts each once.
struct Span {
    mine: Mine,
    seen: u32,
}

thread_local! {
    static SPAN: RefCell<Option<Span>> = const { RefCell::new(None) };
}

/// A [`Watch`] that sees races.
#[derive(Debug, Default)]
pub struct Races {
    /// What it saw.
    pub met: Met,
    /// A handle is being closed, and no worker was seen meanwhile.
    closing: AtomicBool,
    /// The driver has begun to unregister.
    unloading: AtomicBool,
    /// By pid, how many threads make and end processes with it.
    taken: Mutex<HashMap<u32, i32>>,
}

impl Races {
    /// Runs `body`, in which this thread does something with a handle.
    pub fn during<R>(
        &self,
        doing: Doing,
        under_way: &Arc<UnderWay>,
        body: impl FnOnce() -> R,
    ) -> R {
        let _under_way = under_way.begin(doing);
        let closes = matches!(doing, Doing::Close | Doing::Die);
        if closes {
            self.closing.store(true, Ordering::Relaxed);
        }
        let result = as_mine(Mine::Handle(doing, Arc::clone(under_way)), body);
        if closes {
            self.closing.store(false, Ordering::Relaxed);
        }
        result
    }

    /// Runs `body`, in which this thread makes events, maybe of processes that have this pid.
    pub fn happening<R>(&self, pid: Option<u32>, body: impl FnOnce() -> R) -> R {
        let take = |by: i32| {
            let mut taken = self.taken.lock().expect("nobody fails with it");
            if let Some(pid) = pid {
                *taken.entry(pid).or_default() += by;
            }
        };
        take(1);
        let result = as_mine(Mine::Events(pid), body);
        take(-1);
        result
    }

    /// The driver is unloaded.
    pub fn unloaded(&self) {
        self.unloading.store(false, Ordering::Relaxed);
    }

    /// Sees a call in a thread that is in no span. Those of the system are the worker, and who
    /// unloads.
    fn see_machine(&self, call: &Call<'_>) {
        if call.export.name == "ObUnRegisterCallbacks" {
            self.unloading.store(true, Ordering::Relaxed);
        }
        let closes = || self.closing.load(Ordering::Relaxed);
        if closes()
            && is_of_system()
            && is_in_driver(call)
            && self.closing.swap(false, Ordering::Relaxed)
        {
            self.met.count(Race::Worker);
        }
    }

    fn see(&self, span: &mut Span, call: &Call<'_>) {
        let mut meet = |race: Race| {
            let bit = 1 << race as u32;
            if span.seen & bit == 0 {
                span.seen |= bit;
                self.met.count(race);
            }
        };
        match &span.mine {
            Mine::Handle(doing, under_way) => {
                let others = Doing::ALL.into_iter().filter(|other| under_way.is(*other));
                others
                    .filter_map(|other| race(*doing, other))
                    .for_each(&mut meet);
                if *doing == Doing::Read && under_way.is_cleaned_up.load(Ordering::Relaxed) {
                    meet(Race::CleanUp);
                }
                let is_mapped = || under_way.is_mapped.load(Ordering::Relaxed);
                if *doing == Doing::Die && is_mapped() && is_in_driver(call) {
                    meet(Race::KillMapped);
                }
                self.see_look_up(None, call, &mut meet);
            }
            Mine::Events(pid) => {
                if self.unloading.load(Ordering::Relaxed) {
                    meet(Race::Unload);
                }
                self.see_look_up(*pid, call, &mut meet);
            }
        }
    }

    /// Does it look up a pid that a thread other than this one, which has `own`, is taking?
    fn see_look_up(&self, own: Option<u32>, call: &Call<'_>, meet: &mut impl FnMut(Race)) {
        let [pid, ..] = call.arguments().map(|argument| argument as u32);
        if call.export.name != "PsLookupProcessByProcessId" || own == Some(pid) {
            return;
        }
        let taken = self.taken.lock().expect("nobody fails with it");
        if taken.get(&pid).is_some_and(|threads| *threads > 0) {
            meet(Race::Pid);
        }
    }
}

/// What `doing` meets when `other` is under way with the same handle.
fn race(doing: Doing, other: Doing) -> Option<Race> {
    use Doing::{Ask, Close, Configure, Die, MapRing, Read};
    match (doing, other) {
        (Read, Close) | (Close, Read) => Some(Race::Close),
        (Read, Configure) | (Configure, Read) => Some(Race::Configure),
        (MapRing, Close | Die) | (Close | Die, MapRing) => Some(Race::MapRing),
        (Read | Configure | Ask, Die) | (Die, Read | Configure | Ask) => Some(Race::Kill),
        _ => None,
    }
}

impl Doing {
    const ALL: [Self; 6] = [
        Self::Read,
        Self::Configure,
        Self::MapRing,
        Self::Ask,
        Self::Close,
        Self::Die,
    ];
}

/// Runs `body` as what this thread may be in the driver for.
fn as_mine<R>(mine: Mine, body: impl FnOnce() -> R) -> R {
    let before = SPAN.replace(Some(Span { mine, seen: 0 }));
    let result = body();
    SPAN.set(before);
    result
}

impl Watch for Races {
    fn enter(&self, call: &Call<'_>) -> Decision {
        SPAN.with_borrow_mut(|span| match span {
            Some(span) => self.see(span, call),
            None => self.see_machine(call),
        });
        Decision::Call
    }
}

/// Is this thread one of the machine's own?
fn is_of_system() -> bool {
    Current::with(|current| current.thread.process == current.kernel.ps.system)
}

/// Is it the driver's own call, not that of the framework?
fn is_in_driver(call: &Call<'_>) -> bool {
    let image = Current::with(|current| current.kernel.modules.find(call.return_address));
    image.is_some_and(|image| image.name() == "ntwatch.sys")
}
