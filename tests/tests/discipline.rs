//! What no function's page asks of its caller, and the driver does all the same.

use nthost::Current;
use nthost::verify::{Call, Decision, Watch};
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_tests::activity::every_kind;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{everything, load, unload};
use ntwatch_tests::verify::{add, boot};
use ntwatch_tests::watcher::{Transport, Watcher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts calls of a kind, and those of them that are as they should not be.
struct Inspector {
    is_meant: fn(&Call<'_>) -> bool,
    is_right: fn(&Call<'_>) -> bool,
    made: AtomicUsize,
    wrong: AtomicUsize,
}

impl Watch for Inspector {
    fn enter(&self, call: &Call<'_>) -> Decision {
        if (self.is_meant)(call) {
            self.made.fetch_add(1, Ordering::Relaxed);
            let wrong = !(self.is_right)(call);
            self.wrong.fetch_add(wrong.into(), Ordering::Relaxed);
        }
        Decision::Call
    }
}

/// Lets clients of both kinds see events of every kind.
///
/// # Panics
/// When no call is meant, or one is not right.
fn inspect(is_meant: fn(&Call<'_>) -> bool, is_right: fn(&Call<'_>) -> bool) {
    let inspector = Arc::new(Inspector {
        is_meant,
        is_right,
        made: AtomicUsize::new(0),
        wrong: AtomicUsize::new(0),
    });
    let kernel = boot();
    add(&kernel, &inspector);
    let service = load(&kernel, &Lab::get());
    let mut last = None;
    for transport in Transport::ALL {
        let configure = everything(MIN_RING_SIZE);
        let mut client = Watcher::begin(&kernel, transport, MIN_RING_SIZE, &configure);
        every_kind(&kernel, None);
        client.wait();
        last = Some(client.leave());
    }
    unload(service, last.expect("there are two"));
    let [made, wrong] = [&inspector.made, &inspector.wrong].map(|n| n.load(Ordering::Relaxed));
    assert_ne!(made, 0, "nobody makes such a call");
    assert_eq!(wrong, 0, "of {made}");
}

#[test]
fn no_thread_can_be_suspended_between_the_reserve_of_a_record_and_its_commit() {
    inspect(
        // By these the callbacks take references, in between.
        |call| ["ObfReferenceObject", "PsLookupThreadByThreadId"].contains(&call.export.name),
        |_| Current::with(|current| current.thread.ke.regions()) > 0,
    );
}

#[test]
fn what_the_driver_opens_for_itself_no_client_can_close() {
    /// Handles of the system have these bits.
    const KERNEL_HANDLE: u64 = 0xffff_ffff_8000_0000;
    inspect(
        |call| call.export.name == "ZwClose",
        |call| call.arguments()[0] & KERNEL_HANDLE == KERNEL_HANDLE,
    );
}
