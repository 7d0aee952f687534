//! Threads that are held at a call of the driver's, so that a test is about one moment.

use crate::lab::PATIENCE;
use crate::verify::add;
use nthost::Kernel;
use nthost::verify::{Call, Decision, Watch};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

struct Holder {
    function: &'static str,
    first: AtomicBool,
    reached: mpsc::Sender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Watch for Holder {
    fn enter(&self, call: &Call<'_>) -> Decision {
        if call.export.name == self.function && self.first.swap(false, Ordering::Relaxed) {
            let _ = self.reached.send(());
            // A test that fails lets go, too.
            let _ = self.go_on.lock().expect("nobody fails with it").recv();
        }
        Decision::Call
    }
}

/// A thread that is held, once it has come there.
#[derive(Debug)]
pub struct Held {
    function: &'static str,
    reached: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

/// Holds the first thread of the machine's that comes to call `function` for a driver.
///
/// N.B. While one thread is held, nobody else can be asked to be.
///
/// # Panics
/// On a machine that does not verify.
#[must_use]
pub fn hold(kernel: &Kernel, function: &'static str) -> Held {
    let (reached, is_reached) = mpsc::channel();
    let (may_go_on, go_on) = mpsc::channel();
    let holder = Holder {
        function,
        first: AtomicBool::new(true),
        reached,
        go_on: Mutex::new(go_on),
    };
    add(kernel, &Arc::new(holder));
    Held {
        function,
        reached: is_reached,
        go_on: may_go_on,
    }
}

impl Held {
    /// Waits until it is there.
    ///
    /// # Panics
    /// When nobody comes.
    pub fn is_there(&self) {
        let there = self.reached.recv_timeout(PATIENCE);
        there.unwrap_or_else(|_| panic!("nobody calls {}", self.function));
    }

    /// It goes on.
    ///
    /// # Panics
    /// When it is gone.
    pub fn let_go(self) {
        self.go_on.send(()).expect("it waits");
    }
}
