//! Spin locks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{hint, thread};

use super::bug_check;
use super::irql::DISPATCH_LEVEL;
use crate::Current;
use crate::exports::exports;

exports! {
    DISPATCH_LEVEL: KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock, KeAcquireSpinLockAtDpcLevel,
        KeReleaseSpinLockFromDpcLevel;
    HIGH_LEVEL: KeInitializeSpinLock;
}

/// Rounds before a waiting thread gives its processor away: unlike on Windows, the holder may
/// have been preempted.
const SPINS: u32 = 100;

/// A `KSPIN_LOCK`: 0 when free, else the address of the thread that holds it, with bit 0 set.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct SpinLock(AtomicUsize);

impl SpinLock {
    /// The lock that a driver keeps at `lock`.
    ///
    /// # Safety
    /// `lock` points to a `KSPIN_LOCK` that lives as long as `'a` and is only used as a lock.
    unsafe fn at<'a>(lock: *mut usize) -> &'a SpinLock {
        // SAFETY: the caller's promise; an atomic has the layout of its integer.
        unsafe { &*lock.cast::<SpinLock>() }
    }

    /// Raises to DISPATCH_LEVEL and takes the lock. Returns the IRQL before.
    pub fn acquire(&self) -> u8 {
        Current::with(|current| {
            let old = current.thread.ke.set_irql(DISPATCH_LEVEL);
            if old > DISPATCH_LEVEL {
                bug_check!(
                    IRQL_NOT_LESS_OR_EQUAL,
                    "a spin lock is acquired at IRQL {old}"
                );
            }
            self.take(current);
            old
        })
    }

    /// Gives the lock back and lowers the IRQL to `irql`.
    pub fn release(&self, irql: u8) {
        Current::with(|current| {
            self.give_back(current);
            current.thread.ke.set_irql(irql);
        });
    }

    /// Whether the current thread holds the lock.
    pub fn is_mine(&self) -> bool {
        Current::with(|current| self.0.load(Ordering::Relaxed) == owner(current))
    }

    fn take(&self, current: &Current) {
        let me = owner(current);
        let mut spins = 0;
        while let Err(holder) =
            self.0
                .compare_exchange_weak(0, me, Ordering::Acquire, Ordering::Relaxed)
        {
            if holder == me {
                bug_check!(
                    SPIN_LOCK_ALREADY_OWNED,
                    "{:?} waits for itself",
                    current.thread
                );
            }
            spins += 1;
            if spins % SPINS == 0 {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
    }

    fn give_back(&self, current: &Current) {
        let holder = self.0.swap(0, Ordering::Release);
        if holder != owner(current) {
            bug_check!(
                SPIN_LOCK_NOT_OWNED,
                "{:?} releases a lock of {holder:#x}",
                current.thread
            );
        }
    }
}

fn owner(current: &Current) -> usize {
    current.thread.as_ptr() as usize | 1
}

/// Any IRQL.
unsafe extern "win64" fn KeInitializeSpinLock(lock: *mut usize) {
    // SAFETY: the driver passes storage for a lock.
    unsafe { lock.write(0) };
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn KeAcquireSpinLockRaiseToDpc(lock: *mut usize) -> u8 {
    // SAFETY: the driver passes an initialised lock.
    unsafe { SpinLock::at(lock) }.acquire()
}

/// IRQL = DISPATCH_LEVEL.
unsafe extern "win64" fn KeReleaseSpinLock(lock: *mut usize, irql: u8) {
    // SAFETY: the driver passes an initialised lock.
    unsafe { SpinLock::at(lock) }.release(irql);
}

/// IRQL ≥ DISPATCH_LEVEL.
unsafe extern "win64" fn KeAcquireSpinLockAtDpcLevel(lock: *mut usize) {
    // SAFETY: the driver passes an initialised lock.
    let lock = unsafe { SpinLock::at(lock) };
    Current::with(|current| lock.take(current));
}

/// IRQL ≥ DISPATCH_LEVEL.
unsafe extern "win64" fn KeReleaseSpinLockFromDpcLevel(lock: *mut usize) {
    // SAFETY: the driver passes an initialised lock.
    let lock = unsafe { SpinLock::at(lock) };
    Current::with(|current| lock.give_back(current));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ke::PASSIVE_LEVEL;
    use crate::{Config, Kernel};

    #[test]
    fn a_spin_lock_lets_one_thread_in_and_holds_the_dispatcher_off() {
        let kernel = Kernel::boot(Config::default());
        let (lock, inside) = (SpinLock::default(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    kernel.enter(&kernel.ps.system, || {
                        for _ in 0..1000 {
                            let irql = lock.acquire();
                            assert_eq!(irql, PASSIVE_LEVEL);
                            assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                            inside.fetch_sub(1, Ordering::Relaxed);
                            lock.release(irql);
                        }
                    });
                });
            }
        });
    }

    #[test]
    #[should_panic(expected = "SPIN_LOCK_ALREADY_OWNED")]
    fn a_thread_that_waits_for_its_own_lock_is_stopped() {
        let kernel = Kernel::boot(Config::default());
        kernel.enter(&kernel.ps.system, || {
            let lock = SpinLock::default();
            lock.acquire();
            lock.acquire();
        });
    }
}
