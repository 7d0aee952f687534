//! The machines that tests run on, one test at a time on each.

use crate::Wine;
use std::ops::Deref;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::{env, fs, thread};

/// A Wine that nobody else has as long as this lives. A test that fails does not give it back: nobody
/// knows what it left there.
#[derive(Debug)]
pub struct Machine(Option<Wine>);

struct Machines {
    free: Vec<Wine>,
    /// Free or not, but for those that were not given back.
    left: usize,
}

static MACHINES: LazyLock<Mutex<Machines>> = LazyLock::new(|| Mutex::new(Machines::get()));
static RETURNED: Condvar = Condvar::new();

impl Machines {
    /// Those that the file says that `NTWATCH_WINE` names.
    fn get() -> Self {
        let paths = env::var_os("NTWATCH_WINE")
            .expect("NTWATCH_WINE is not set: run these tests with `cargo xtask wine`");
        let json = fs::read_to_string(&paths).unwrap_or_else(|e| panic!("{paths:?}: {e}"));
        let free: Vec<_> = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{paths:?}: {e}"));
        let left = free.len();
        Self { free, left }
    }

    fn lock() -> MutexGuard<'static, Self> {
        MACHINES.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wine {
    /// One that is free, or waits for it. N.B. a test that has one and asks for another may wait for
    /// itself.
    ///
    /// # Panics
    /// When there is none any more: these tests run the program for Windows or fail.
    #[must_use]
    pub fn get() -> Machine {
        let wait = |machines: &mut Machines| machines.free.is_empty() && machines.left > 0;
        let machines = RETURNED.wait_while(Machines::lock(), wait);
        let machine = machines.unwrap_or_else(PoisonError::into_inner).free.pop();
        assert!(machine.is_some(), "tests that failed left no machine");
        Machine(machine)
    }
}

impl Deref for Machine {
    type Target = Wine;

    fn deref(&self) -> &Wine {
        self.0.as_ref().expect("it is returned in the end")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let mut machines = Machines::lock();
        if thread::panicking() {
            machines.left -= 1;
        } else {
            machines.free.extend(self.0.take());
        }
        // Who waits for one may wait for none.
        RETURNED.notify_all();
    }
}
