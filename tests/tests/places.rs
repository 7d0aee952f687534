//! Sessions that begin as others end: there are few places for them, and each is used again at once.

use nthost::verify::Delays;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::CONFIGURE;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{client, everything, load, stats, stop};
use ntwatch_tests::verify::{add, boot};
use ntwatch_tests::watchdog::watched;
use std::sync::Arc;
use std::thread;

#[test]
fn a_session_that_begins_as_another_ends_keeps_what_it_has() {
    const SESSIONS: usize = 100;
    watched("sessions that come and go".to_owned(), || {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        add(&kernel, &Arc::new(Delays::new(0)));
        let come_and_go = || {
            for _ in 0..SESSIONS {
                let (process, handle) = client(&kernel);
                let done = handle.ioctl(CONFIGURE, &everything(MIN_RING_SIZE), 0);
                assert_eq!(done.status, 0, "CONFIGURE: {:#x}", done.status);
                thread::yield_now();
                assert_eq!(stats(&handle).session_ring_size, MIN_RING_SIZE);
                process.die();
            }
        };
        thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(come_and_go))));
        stop(&service);
    });
}
