//! What was under way is named when something goes wrong in a way that no assertion sees: a thread
//! that hangs, or a bug check in a callback, which ends the program.

use crate::lab::PATIENCE;
use std::io::Write as _;
use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

/// What is under way in the threads of this program.
static UNDER_WAY: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs `body`, and names it as `what` if it fails. Ends the program if it does not end.
pub fn watched<R>(what: String, body: impl FnOnce() -> R) -> R {
    name_it_on_panic();
    under_way(|all| all.push(what.clone()));
    let _done = OnDrop(|| {
        under_way(|all| {
            let at = all.iter().position(|other| *other == what);
            at.map(|at| all.swap_remove(at));
        });
    });
    let (ended, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                tell("hangs");
                std::process::abort();
            }
        });
        // Let go of when `body` returns, or unwinds.
        let _ended = ended;
        body()
    })
}

fn under_way(with: impl FnOnce(&mut Vec<String>)) {
    with(&mut UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner));
}

fn name_it_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            tell("fails");
            before(info);
        }));
    });
}

/// Past what the test harness keeps, which is lost if the program ends.
fn tell(how: &str) {
    under_way(|all| {
        for what in all {
            let _ = writeln!(std::io::stderr(), "{how}: {what}");
        }
    });
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
