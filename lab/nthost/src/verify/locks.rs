//! The locks that a thread holds.
//!
//! A lock is taken once, given back by the thread that took it, and before the driver's routine
//! returns. Locks that lie in an image are always taken in the same order.

use super::stack::Frame;
use super::{Call, Decision, Watch};
use crate::Current;
use crate::ke::bug_check;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Mutex;

/// Stops the machine when a driver takes or gives back a lock as no correct driver does.
#[derive(Default)]
pub(super) struct Locks {
    order: Mutex<Order>,
}

/// What kinds of locks there are, each used with functions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Spin,
    Push,
    FastMutex,
}

/// What a call does with the lock that its first argument names.
enum Step {
    Acquire,
    Release,
}

/// A lock that a thread holds.
#[derive(Debug, Clone)]
struct Lock {
    kind: Kind,
    address: usize,
    /// N.B. not the whole stack: locks are taken with each event.
    acquired_by: Option<Frame>,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lock {
            kind,
            address,
            acquired_by,
        } = self;
        let kind = match kind {
            Kind::Spin => "spin lock",
            Kind::Push => "push lock",
            Kind::FastMutex => "fast mutex",
        };
        write!(f, "{kind} {address:#x}")?;
        match acquired_by {
            Some(function) => write!(f, ", acquired by{function}"),
            None => Ok(()),
        }
    }
}

/// The locks that one thread holds, on a machine that verifies.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Vec<Lock>>);

impl Held {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.0.lock().unwrap();
        held.iter()
            .try_for_each(|lock| write!(f, "\n  holds {lock}"))
    }
}

impl Watch for Locks {
    fn enter(&self, call: &Call<'_>) -> Decision {
        match step(call.export.name) {
            Some((Step::Acquire, kind)) => self.acquire(call, kind),
            Some((Step::Release, kind)) => release(call, kind),
            None => {}
        }
        if COMPLETING.contains(&call.export.name) {
            without_spin_lock(call);
        }
        Decision::Call
    }
}

fn step(function: &str) -> Option<(Step, Kind)> {
    Some(match function {
        "KeAcquireSpinLockRaiseToDpc" | "KeAcquireSpinLockAtDpcLevel" => {
            (Step::Acquire, Kind::Spin)
        }
        "KeReleaseSpinLock" | "KeReleaseSpinLockFromDpcLevel" => (Step::Release, Kind::Spin),
        "ExAcquirePushLockExclusiveEx" | "ExAcquirePushLockSharedEx" => (Step::Acquire, Kind::Push),
        "ExReleasePushLockExclusiveEx" | "ExReleasePushLockSharedEx" => (Step::Release, Kind::Push),
        "ExAcquireFastMutex" => (Step::Acquire, Kind::FastMutex),
        "ExReleaseFastMutex" => (Step::Release, Kind::FastMutex),
        _ => return None,
    })
}

/// What completes requests. Page "IoCompleteRequest": never with a spin lock held.
const COMPLETING: [&str; 4] = [
    "IofCompleteRequest",
    "WdfRequestComplete",
    "WdfRequestCompleteWithInformation",
    "WdfRequestCompleteWithPriorityBoost",
];

/// The lock that `call` is about.
fn address(call: &Call<'_>) -> usize {
    let [lock, ..] = call.arguments();
    lock as usize
}

fn with_held<R>(body: impl FnOnce(&mut Vec<Lock>) -> R) -> R {
    Current::with(|current| body(&mut current.thread.ke.held.0.lock().unwrap()))
}

impl Locks {
    fn acquire(&self, call: &Call<'_>, kind: Kind) {
        let address = address(call);
        with_held(|held| {
            for lock in held.iter() {
                if lock.address == address {
                    bug_check!(
                        DRIVER_VERIFIER_DETECTED_VIOLATION,
                        "{} waits for what its own thread holds: {lock}",
                        call.export.name
                    );
                }
                self.follow(call, lock, address);
            }
            held.push(Lock {
                kind,
                address,
                acquired_by: Frame::of(call.return_address),
            });
        });
    }

    /// A thread that holds `first` takes the lock at `second`.
    fn follow(&self, call: &Call<'_>, first: &Lock, second: usize) {
        let (Some(one), Some(other)) = (Place::of(first.address), Place::of(second)) else {
            return;
        };
        if !self.order.lock().unwrap().add(one, other) {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "{} takes lock {second:#x} after {first}; others take them the other way round",
                call.export.name
            );
        }
    }
}

fn release(call: &Call<'_>, kind: Kind) {
    let address = address(call);
    let released = with_held(|held| {
        let is_it = |lock: &Lock| lock.address == address && lock.kind == kind;
        let at = held.iter().rposition(is_it)?;
        Some(held.remove(at))
    });
    if released.is_none() {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "{} gives back {address:#x}, which its thread does not hold so",
            call.export.name
        );
    }
}

fn without_spin_lock(call: &Call<'_>) {
    let held = with_held(|held| held.iter().find(|lock| lock.kind == Kind::Spin).cloned());
    if let Some(lock) = held {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "{} is called with a lock held: {lock}",
            call.export.name
        );
    }
}

/// A lock in an image: it stays the same one as long as the machine lives, wherever it is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    image: String,
    offset: usize,
}

impl Place {
    fn of(address: usize) -> Option<Place> {
        let image = Current::with(|current| current.kernel.modules.find(address))?;
        Some(Place {
            offset: address - image.mapping().base(),
            image: image.name().to_owned(),
        })
    }
}

/// Which locks were taken while another was held.
#[derive(Debug, Default)]
struct Order(HashMap<Place, HashSet<Place>>);

impl Order {
    /// Learns that `second` is taken after `first`. `false` if it is also the other way round.
    fn add(&mut self, first: Place, second: Place) -> bool {
        let is_reversed = self.leads(&second, &first);
        if !is_reversed {
            self.0.entry(first).or_default().insert(second);
        }
        !is_reversed
    }

    /// Whether `to` is taken after `from`, be it with others in between.
    fn leads(&self, from: &Place, to: &Place) -> bool {
        let mut seen = HashSet::new();
        let mut next = vec![from];
        while let Some(place) = next.pop() {
            if place == to {
                return true;
            }
            if seen.insert(place) {
                next.extend(self.0.get(place).into_iter().flatten());
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ke::callback::call_back;
    use crate::verify::boundary::import;
    use crate::verify::death;
    use crate::{Config, Kernel};
    use std::mem::transmute;

    type Acquire = unsafe extern "win64" fn(*mut usize) -> u8;
    type Release = unsafe extern "win64" fn(*mut usize, u8);

    fn acquire(lock: &mut usize) -> u8 {
        // SAFETY: the function's type.
        let acquire = unsafe { transmute::<usize, Acquire>(import("KeAcquireSpinLockRaiseToDpc")) };
        // SAFETY: a lock, or a breach that is stopped.
        unsafe { acquire(lock) }
    }

    fn release(lock: &mut usize, irql: u8) {
        // SAFETY: the function's type.
        let release = unsafe { transmute::<usize, Release>(import("KeReleaseSpinLock")) };
        // SAFETY: a lock, or a breach that is stopped.
        unsafe { release(lock, irql) };
    }

    #[test]
    fn a_lock_that_is_taken_twice_stops_the_machine() {
        let printed = death::of(|| {
            let mut lock = 0;
            let irql = acquire(&mut lock);
            release(&mut lock, irql);
            acquire(&mut lock);
            acquire(&mut lock);
        });
        assert!(
            printed.contains("waits for what its own thread holds: spin lock"),
            "{printed}"
        );
    }

    #[test]
    fn a_lock_that_is_not_held_cannot_be_given_back() {
        let printed = death::of(|| {
            let (mut mine, mut another) = (0, 0);
            let irql = acquire(&mut mine);
            release(&mut another, irql);
        });
        let named = "KeReleaseSpinLock gives back";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    #[should_panic(expected = "and left at IRQL 2 in 1 regions with 1 locks\n  holds spin lock")]
    fn a_lock_that_is_kept_is_named() {
        let kernel = Kernel::boot(Config {
            verify: true,
            ..Config::default()
        });
        kernel.enter(&kernel.ps.system, || {
            call_back("thread-notify", || acquire(&mut 0));
        });
    }

    #[test]
    fn a_request_is_not_completed_with_a_spin_lock_held() {
        let printed = death::of(|| {
            type Complete = unsafe extern "win64" fn(usize, u8);
            acquire(&mut 0);
            // SAFETY: the function's type.
            let complete = unsafe { transmute::<usize, Complete>(import("IofCompleteRequest")) };
            // SAFETY: a breach is stopped before the function is called.
            unsafe { complete(0, 0) };
        });
        let named = "IofCompleteRequest is called with a lock held: spin lock";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn locks_are_taken_in_one_order() {
        let place = |offset| Place {
            image: "driver.sys".into(),
            offset,
        };
        let mut order = Order::default();
        for _ in 0..2 {
            assert!(order.add(place(1), place(2)));
            assert!(order.add(place(2), place(3)));
            assert!(order.add(place(1), place(3)));
        }
        assert!(!order.add(place(3), place(1)));
    }
}
