//! A ring is made while its handle closes, or while the driver is told to go: there is all of it or
//! nothing, and whoever waits in it is told.

use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{CONFIGURE, MAP_RING, SHUTDOWN};
use ntwatch_protocol::mapped::MappedRing;
use ntwatch_tests::lab::{Lab, PATIENCE, long, until};
use ntwatch_tests::machine::{boot, client, everything, live_and_die, load, stats, unload};
use ntwatch_tests::mapped::{map_ring, map_ring_input};
use std::sync::Barrier;
use zerocopy::IntoBytes;

/// The two threads of a race meet at another moment in each round.
fn spin(times: u64) {
    (0..times).for_each(|_| std::hint::spin_loop());
}

#[test]
fn a_process_that_dies_while_its_ring_is_made_leaves_nothing() {
    const ROUNDS: u64 = 1000;
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    for round in 0..long(ROUNDS) {
        let (process, handle) = client(&kernel);
        let event = process.create_event().expect("an event");
        let (input, start) = (map_ring_input(MIN_RING_SIZE, event), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let handle = handle;
                start.wait();
                // Granted or refused: nobody is left to care, or to be answered.
                handle.ioctl(MAP_RING, input.as_bytes(), size_of::<MappedRing>());
                handle.ioctl(CONFIGURE, &everything(0), 0);
            });
            start.wait();
            spin(round % 300 * 40);
            process.die();
        });
        if round % 50 == 0 {
            live_and_die(&kernel);
        }
    }
    let (last, handle) = client(&kernel);
    let stats = stats(&handle);
    assert_eq!((stats.sessions, stats.mapped_sessions), (1, 0));
    drop(handle);
    unload(service, last);
}

#[test]
fn whoever_gets_a_ring_of_a_driver_that_is_told_to_go_is_told_so() {
    const ROUNDS: u64 = 100;
    for round in 0..ROUNDS {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let [(process, handle), (stopper, stop)] = [client(&kernel), client(&kernel)];
        let event = process.create_event().expect("an event");
        let (input, start) = (map_ring_input(MIN_RING_SIZE, event), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                let Ok(sections) = map_ring(&handle, &input) else {
                    return;
                };
                let ring = process
                    .map_view(sections.ring as usize, false)
                    .expect("a view");
                handle.ioctl(CONFIGURE, &everything(0), 0);
                until("the end", || (ring.load(8) & 1 == 1).then_some(()));
                assert_eq!(process.wait_event(event, PATIENCE), Ok(true));
            });
            start.wait();
            spin(round * 100);
            assert_eq!(stop.ioctl(SHUTDOWN, &[], 0).status, 0);
        });
        drop((handle, stop));
        process.die();
        unload(service, stopper);
    }
}
