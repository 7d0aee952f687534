//! Events that come just as the worker, or whoever waits for them, falls asleep: none of them lies
//! there until the next.

use fastrand::Rng;
use nthost::Kernel;
use nthost::ps::{NewProcess, Open};
use ntwatch_protocol::access::process::VM_READ;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::reader::Records;
use ntwatch_protocol::record::Kind;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{boot, configure_input, load, settled, unload, with_session};
use ntwatch_tests::watchdog::watched;
use ntwatch_tests::watcher::{Transport, Watcher};
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const ROUNDS: usize = 1000;

/// Time that is different every time: around what it takes to fall asleep.
fn pause(rng: &mut Rng) {
    (0..rng.u32(0..4000)).for_each(|_| hint::spin_loop());
}

/// A few events, and no more until the client has them all.
fn rounds(kernel: &Arc<Kernel>, client: &mut Watcher, rng: &mut Rng) {
    let process = kernel.add_process(NewProcess::default());
    let read = AtomicUsize::new(0);
    let all = (0..ROUNDS).map(|_| rng.usize(1..4)).collect::<Vec<_>>();
    let total = all.iter().sum::<usize>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut happened = 0;
            for events in all {
                for _ in 0..events {
                    pause(rng);
                    kernel.enter(&kernel.ps.system, || {
                        let handle = kernel.open_process(&process, Open::access(VM_READ));
                        kernel.close_handle(handle.expect("nobody refuses it"));
                    });
                }
                happened += events;
                while read.load(Ordering::Relaxed) < happened {
                    thread::yield_now();
                }
            }
        });
        let mut seen = 0;
        while seen < total {
            let records = client.wait().expect("the driver stays");
            seen += Records::new(&records).count();
            read.store(seen, Ordering::Relaxed);
        }
        assert_eq!(seen, total);
    });
}

#[test]
fn an_event_that_comes_as_somebody_falls_asleep_wakes_them() {
    let mut rng = Rng::with_seed(0);
    for transport in Transport::ALL {
        watched(format!("a client by {}", transport.name()), || {
            let kernel = boot();
            let service = load(&kernel, &Lab::get());
            let configure = configure_input(Kind::HandleOpen.bit(), MIN_RING_SIZE, &[]);
            let mut client = Watcher::begin(&kernel, transport, MIN_RING_SIZE, &configure);
            rounds(&kernel, &mut client, &mut rng);
            unload(service, client.leave());
        });
    }
}

#[test]
fn a_worker_that_sleeps_where_a_record_has_no_room_to_the_end_of_the_ring_is_woken() {
    // Command lines of almost 64 KiB: so many of them go round the capture ring twice.
    const PROCESSES: usize = 600;
    const UNITS: usize = 32_000;
    watched("long command lines".to_owned(), || {
        with_session(|kernel, handle| {
            for _ in 0..PROCESSES {
                let new = NewProcess {
                    command_line: Some("x".repeat(UNITS)),
                    ..NewProcess::default()
                };
                let process = kernel.start_process(&kernel.ps.system, new);
                let _ = settled(handle);
                kernel.exit_process(&process.expect("nobody refuses it"), 0);
                // So that the worker is mostly asleep when the next long one comes.
                let _ = settled(handle);
            }
        });
    });
}
