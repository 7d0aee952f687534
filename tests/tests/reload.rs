//! The driver comes and goes under load, and each time leaves nothing behind.

use nthost::io::Stop;
use ntwatch_protocol::ioctl::{SHUTDOWN, STATUS_SHUTDOWN};
use ntwatch_protocol::reader::Records;
use ntwatch_tests::lab::{Lab, long};
use ntwatch_tests::machine::{
    boot, client, configure_all, end_of, live_and_die, load, submit_read, wait_for_unload,
};
use std::sync::atomic::{AtomicBool, Ordering};

const ROUNDS: u64 = 1000;

#[test]
fn loads_and_unloads_under_load_leave_nothing_behind() {
    let lab = Lab::get();
    let kernel = boot();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load_machine = || {
            while !over.load(Ordering::Relaxed) {
                live_and_die(&kernel);
            }
        };
        scope.spawn(load_machine);
        scope.spawn(load_machine);
        // A failed assertion ends the load too, or the scope would wait for it for ever.
        let _end = EndOfScope(&over);

        for round in 0..long(ROUNDS) {
            let service = load(&kernel, &lab);
            let (watcher, handle) = client(&kernel);
            configure_all(&handle);
            let done = end_of(&submit_read(&handle));
            assert_eq!(done.status, 0, "round {round}: a read ends with events");
            assert!(
                Records::new(&done.output).all(|record| record.is_ok()),
                "round {round}"
            );
            // Nobody's read is allowed to hold the driver.
            let reads = [submit_read(&handle), submit_read(&handle)];
            let (stopper, stop) = client(&kernel);
            assert_eq!(stop.ioctl(SHUTDOWN, &[], 0).status, 0, "round {round}");
            for read in reads {
                let status = end_of(&read).status;
                let ended = status == 0 || status == STATUS_SHUTDOWN as i32;
                assert!(ended, "round {round}: {status:#x}");
            }
            // The first stop finds handles open, and Windows waits for the last one.
            assert_eq!(service.stop(), Stop::Pending { files: 2 }, "round {round}");
            drop((stop, handle));
            stopper.die();
            watcher.die();
            wait_for_unload(&service);
        }
    });
}

struct EndOfScope<'a>(&'a AtomicBool);

impl Drop for EndOfScope<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
