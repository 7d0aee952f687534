//! When the driver wakes a client: if it sleeps, and there is something that it sleeps for.

use nthost::Kernel;
use nthost::io::{Client, FileHandle, Service};
use nthost::ps::NewImage;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::SHUTDOWN;
use ntwatch_protocol::mapped::MapRing;
use ntwatch_protocol::record::Kind;
use ntwatch_ring::session::Until;
use ntwatch_tests::lab::{Lab, PATIENCE};
use ntwatch_tests::machine::{boot, client, configure, configure_all, live_and_die, load, unload};
use ntwatch_tests::mapped::{Mapped, map_ring_input};
use std::sync::Arc;
use std::time::Duration;

/// More than a start and an exit, less than ten of them.
const MUCH: u32 = 4096;

/// A machine with a mapped session that sees processes, and another one that sees images.
struct Scene {
    kernel: Arc<Kernel>,
    service: Service,
    watcher: Sleeper,
    witness: Sleeper,
}

struct Sleeper {
    mapped: Mapped,
    handle: Arc<FileHandle>,
    process: Client,
}

impl Sleeper {
    fn begin(kernel: &Arc<Kernel>, mask: u32) -> Self {
        let (process, handle) = client(kernel);
        let event = process.create_event().expect("an event");
        let input = MapRing {
            wake_bytes: MUCH,
            ..map_ring_input(MIN_RING_SIZE, event)
        };
        let mapped = Mapped::with(&process, &handle, &input);
        configure(&handle, mask, &[]);
        Self {
            mapped,
            handle,
            process,
        }
    }

    /// Was it woken? Takes the signal.
    fn is_woken(&self, within: Duration) -> bool {
        let woken = self.process.wait_event(self.mapped.event(), within);
        woken.expect("its own event")
    }
}

impl Scene {
    fn new() -> Self {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let watcher = Sleeper::begin(&kernel, Kind::PROCESS_EVENTS);
        let witness = Sleeper::begin(&kernel, Kind::ImageLoad.bit());
        Self {
            kernel,
            service,
            watcher,
            witness,
        }
    }

    /// Was the watcher woken by now? The worker comes to the witness behind all that came before
    /// the image, and to the sessions in the order in which they were opened.
    fn is_woken(&mut self) -> bool {
        let witness = &mut self.witness;
        let _ = witness.mapped.take();
        let event = witness.mapped.event();
        let asleep = witness
            .mapped
            .asleep(Until::Anything)
            .expect("it has read all");
        let system = &self.kernel.ps.system;
        self.kernel
            .enter(system, || self.kernel.load_image(None, NewImage::default()));
        let seen = witness.process.wait_event(event, PATIENCE);
        drop(asleep);
        assert_eq!(seen, Ok(true), "the worker has come so far");
        self.watcher.is_woken(Duration::ZERO)
    }

    fn end(self) {
        let Self {
            service,
            watcher,
            witness,
            ..
        } = self;
        drop((watcher.handle, witness.handle));
        watcher.process.die();
        unload(service, witness.process);
    }
}

#[test]
fn a_client_that_is_awake_is_not_woken() {
    let mut scene = Scene::new();
    live_and_die(&scene.kernel);
    assert!(!scene.is_woken(), "it never slept");
    let mapped = &mut scene.watcher.mapped;
    assert!(
        mapped.asleep(Until::Anything).is_none(),
        "there is something to read"
    );
    let _ = mapped.take();
    drop(mapped.asleep(Until::Anything).expect("all is read"));
    live_and_die(&scene.kernel);
    assert!(!scene.is_woken(), "it slept, and sleeps no more");
    scene.end();
}

#[test]
fn a_client_that_sleeps_is_woken_once_for_what_it_asked_for() {
    let mut scene = Scene::new();
    let asleep = scene.watcher.mapped.asleep(Until::Anything);
    // It stays asleep, whatever happens to it.
    std::mem::forget(asleep.expect("nothing has happened"));
    assert!(!scene.is_woken(), "it did not ask for images");
    live_and_die(&scene.kernel);
    assert!(scene.watcher.is_woken(PATIENCE));
    assert!(!scene.is_woken());
    live_and_die(&scene.kernel);
    assert!(!scene.is_woken(), "it was woken for this sleep");
    scene.end();
}

#[test]
fn a_client_that_waits_for_much_is_woken_when_there_is_much() {
    let mut scene = Scene::new();
    let asleep = scene.watcher.mapped.asleep(Until::Bytes(MUCH.into()));
    std::mem::forget(asleep.expect("nothing has happened"));
    live_and_die(&scene.kernel);
    assert!(!scene.is_woken(), "a start and an exit are not much");
    for _ in 0..10 {
        live_and_die(&scene.kernel);
    }
    assert!(scene.watcher.is_woken(PATIENCE));
    scene.end();
}

/// A client that sleeps is woken by `end`, and told what it means.
fn assert_told(until: Until, end: impl FnOnce(Arc<FileHandle>)) {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (process, handle) = client(&kernel);
    let mut mapped = Mapped::new(&process, &handle, 0);
    configure_all(&handle);
    let event = mapped.event();
    let asleep = mapped.asleep(until).expect("nothing has happened");
    end(handle);
    assert_eq!(process.wait_event(event, PATIENCE), Ok(true));
    drop(asleep);
    assert!(mapped.take().ended);
    drop(mapped);
    unload(service, process);
}

#[test]
fn a_client_that_sleeps_learns_that_the_driver_is_to_go() {
    assert_told(Until::Bytes(1 << 20), |handle| {
        assert_eq!(handle.ioctl(SHUTDOWN, &[], 0).status, 0);
    });
}

/// A thread that reads while another one closes the handle.
#[test]
fn a_client_that_sleeps_learns_that_its_handle_is_closed() {
    assert_told(Until::Anything, drop);
}
