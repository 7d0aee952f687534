//! A routine that cannot be removed when the driver is unloaded: Windows may still call it.

use crate::once::Once;
use nthost::Leak;
use nthost::io::Stop;
use nthost::verify::Decision;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{client, configure_all, live_and_die, load, stats};
use ntwatch_tests::verify::{add, boot};

#[test]
fn a_routine_that_cannot_be_removed_keeps_the_ring_that_it_writes_to_and_nothing_else() {
    const STATUS_PROCEDURE_NOT_FOUND: u64 = 0xC000_007A;
    // What removes it, its kind, and what the debugger is told.
    let cases = [
        (
            "PsRemoveLoadImageNotifyRoutine",
            "load-image",
            "removing the image notify routine",
        ),
        (
            "PsRemoveCreateThreadNotifyRoutine",
            "thread-notify",
            "removing the thread notify routine",
        ),
        (
            "PsSetCreateProcessNotifyRoutineEx2",
            "process-notify",
            "removing the process notify routine",
        ),
    ];
    for (function, kind, told) in cases {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let (watcher, handle) = client(&kernel);
        configure_all(&handle);
        live_and_die(&kernel);
        let ring_size = stats(&handle).capture_ring_size as usize;
        drop(handle);
        watcher.die();

        let refuse = || Decision::Return(STATUS_PROCEDURE_NOT_FOUND);
        add(&kernel, &Once::new(function, "ntwatch", refuse));
        let leaks = match service.stop() {
            Stop::Stopped(leaks) => leaks,
            // A request may hold its file for a moment after its waiter is told.
            Stop::Pending { .. } => service.wait(),
            Stop::Refused => panic!("the driver cannot be unloaded"),
        };
        let [Leak::Callback(routine), Leak::Pool { block, count: 1 }] = &leaks.0[..] else {
            panic!("{leaks}");
        };
        assert!(routine.starts_with(kind), "{leaks}");
        assert!(block.size >= ring_size, "{leaks}");
        let lines = kernel.log.lines();
        assert!(lines.iter().any(|line| line.contains(told)), "{lines:?}");
    }
}
