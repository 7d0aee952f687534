//! What no function's page asks of its caller, and the driver does all the same.

use nthost::verify::{Call, Decision, Watch};
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_tests::activity::every_kind;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{everything, load, unload};
use ntwatch_tests::verify::{add, boot};
use ntwatch_tests::watcher::{Transport, Watcher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the handles that drivers close, and those of them that clients could close as well.
#[derive(Default)]
struct Closes {
    all: AtomicUsize,
    of_clients: AtomicUsize,
}

impl Watch for Closes {
    fn enter(&self, call: &Call<'_>) -> Decision {
        /// Handles of the system have these bits.
        const KERNEL_HANDLE: u64 = 0xffff_ffff_8000_0000;
        if call.export.name == "ZwClose" {
            self.all.fetch_add(1, Ordering::Relaxed);
            let [handle, ..] = call.arguments();
            let of_client = handle & KERNEL_HANDLE != KERNEL_HANDLE;
            self.of_clients
                .fetch_add(of_client.into(), Ordering::Relaxed);
        }
        Decision::Call
    }
}

#[test]
fn what_the_driver_opens_for_itself_no_client_can_close() {
    let closes = Arc::new(Closes::default());
    let kernel = boot();
    add(&kernel, &closes);
    let service = load(&kernel, &Lab::get());
    let configure = everything(MIN_RING_SIZE);
    let [reader, mut mapped] = Transport::ALL
        .map(|transport| Watcher::begin(&kernel, transport, MIN_RING_SIZE, &configure));
    every_kind(&kernel, None);
    mapped.wait();
    reader.die();
    unload(service, mapped.leave());
    let [all, of_clients] = [&closes.all, &closes.of_clients].map(|n| n.load(Ordering::Relaxed));
    assert_ne!(all, 0, "the driver opens nothing");
    assert_eq!(of_clients, 0, "of {all}");
}
