//! Clients that get in each other's way, and put up with whatever they are answered: a round of
//! them is chosen by its seed.

mod acts;
mod session;

use crate::account::assert_balances;
use crate::activity::every_kind;
use crate::lab::Lab;
use crate::machine::{everything, load, stats, stop};
use crate::races::{Met, Races};
use crate::verify::{add, boot};
use crate::watcher::{Transport, Watcher};
use acts::ACTS;
use fastrand::Rng;
use nthost::Kernel;
use nthost::io::Service;
use nthost::verify::{Delays, Faults};
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::reader::Records;
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What makes a round harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Threads are held up at the driver's calls.
    Delays,
    /// One in so many of the calls that need memory fails.
    Shortage(u32),
}

/// One round: the driver is loaded and unloaded, maybe twice while events go on. Gives the races
/// that were met.
///
/// # Panics
/// When anything was answered that no client may be answered, the account of somebody who was
/// there all the time is wrong, or the driver leaves something behind.
pub fn round(lab: &Lab, seed: u64, trouble: Trouble) -> Arc<Races> {
    let mut rng = Rng::with_seed(seed);
    let kernel = boot();
    let races = Arc::new(Races::default());
    add(&kernel, &races);
    if trouble == Trouble::Delays {
        add(&kernel, &Arc::new(Delays::new(seed)));
    }
    let lives = if rng.u8(0..4) == 0 { 2 } else { 1 };
    for life in 0..lives {
        let scene = match life {
            0 => Scene::begin(&kernel, lab, &races, &mut rng),
            _ => while_it_goes_on(&kernel, &races, &mut rng.fork(), || {
                Scene::begin(&kernel, lab, &races, &mut rng)
            }),
        };
        let shortage = match trouble {
            Trouble::Delays => None,
            Trouble::Shortage(one_in) => {
                let shortage = Arc::new(Faults::storm(one_in, seed ^ life));
                add(&kernel, &shortage);
                Some(shortage)
            }
        };
        scene.act(&mut rng);
        if let Some(shortage) = shortage {
            shortage.stop();
        }
        scene.end(&mut rng);
    }
    races
}

/// Where clients act.
struct Scene<'a> {
    kernel: &'a Arc<Kernel>,
    races: &'a Races,
    service: Service,
    /// Keeps the driver from being unloaded until the others are gone.
    witness: Watcher,
    is_shut_down: AtomicBool,
}

impl<'a> Scene<'a> {
    /// Loads the driver.
    fn begin(kernel: &'a Arc<Kernel>, lab: &Lab, races: &'a Races, rng: &mut Rng) -> Self {
        let transport = *rng.choice(Transport::ALL.iter()).expect("there are two");
        let service = load(kernel, lab);
        let configure = everything(MIN_RING_SIZE);
        Self {
            kernel,
            races,
            service,
            witness: Watcher::begin(kernel, transport, MIN_RING_SIZE, &configure),
            is_shut_down: AtomicBool::new(false),
        }
    }

    /// Some act at once.
    fn act(&self, rng: &mut Rng) {
        thread::scope(|scope| {
            for _ in 0..rng.usize(2..=4) {
                let act = *rng.choice(ACTS.iter()).expect("there are some");
                let mut rng = rng.fork();
                scope.spawn(move || act(self, &mut rng));
            }
        });
    }

    /// Unloads the driver while processes come and go.
    fn end(self, rng: &mut Rng) {
        let witness = testify(self.witness);
        while_it_goes_on(self.kernel, self.races, rng, || {
            witness.die();
            stop(&self.service);
        });
        self.races.unloaded();
    }

    fn met(&self) -> &Met {
        &self.races.met
    }
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

/// Runs `body` beside a thread that makes events until it returns.
fn while_it_goes_on<R>(
    kernel: &Arc<Kernel>,
    races: &Races,
    rng: &mut Rng,
    body: impl FnOnce() -> R,
) -> R {
    let over = AtomicBool::new(false);
    let mut rng = rng.fork();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                make_events(kernel, races, &mut rng);
            }
        });
        // When an assertion fails in it, too.
        let _over = SetOnDrop(&over);
        body()
    })
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn make_events(kernel: &Arc<Kernel>, races: &Races, rng: &mut Rng) {
    // The same pid again and again, that somebody else may have as well.
    let pid = rng.bool().then(|| some_pid(rng));
    races.happening(pid, || every_kind(kernel, pid));
}

fn some_pid(rng: &mut Rng) -> u32 {
    4 * rng.u32(1000..1003)
}

/// Something else comes first, or does not.
fn pause(rng: &mut Rng) {
    match rng.u8(0..4) {
        0 => thread::yield_now(),
        1 => (0..rng.u32(0..5_000)).for_each(|_| hint::spin_loop()),
        _ => {}
    }
}
