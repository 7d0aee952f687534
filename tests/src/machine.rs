//! A machine inside the test's own process, for what a test has to do at a certain moment.

use crate::lab::{Lab, PATIENCE, until};
use nthost::io::{Client, Completion, FileHandle, Moment, Service, ServiceConfig, Stop, Ticket};
use nthost::ps::NewProcess;
use nthost::se::Token;
use nthost::{Config, Kernel};
use ntwatch_protocol::configure::ConfigureHeader;
use ntwatch_protocol::ioctl::{CONFIGURE, GET_STATS, READ_EVENTS, Stats};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use zerocopy::{FromBytes, IntoBytes};

/// `GENERIC_READ | GENERIC_WRITE`.
const READ_WRITE: u32 = 0xC000_0000;

/// Boots a machine on which nothing runs.
#[must_use]
pub fn boot() -> Arc<Kernel> {
    Kernel::boot(Config::default())
}

/// Loads the shipped driver.
///
/// # Panics
/// When it refuses.
#[must_use]
pub fn load(kernel: &Arc<Kernel>, lab: &Lab) -> Service {
    let mut config = ServiceConfig::new(&lab.driver);
    config.libraries.push(lab.wdfldr.clone());
    kernel
        .start_service(&config)
        .unwrap_or_else(|e| panic!("{e}"))
}

/// An administrator's process with the device open.
///
/// # Panics
/// When the driver refuses the open.
#[must_use]
pub fn client(kernel: &Arc<Kernel>) -> (Client, Arc<FileHandle>) {
    let token = Token::administrator();
    let process = kernel.add_process(NewProcess {
        token,
        ..NewProcess::default()
    });
    let client = Client::new(kernel, process);
    let handle = client
        .open(r"\??\ntwatch", READ_WRITE)
        .expect("an administrator may open it");
    (client, handle)
}

/// Begins to see all events.
///
/// # Panics
/// When the driver refuses.
pub fn configure_all(handle: &FileHandle) {
    let size = size_of::<ConfigureHeader>() as u32;
    let header = ConfigureHeader {
        size,
        event_mask: Kind::ALL_EVENTS,
        ring_size: 0,
        clauses: 0,
    };
    let done = handle.ioctl(CONFIGURE, header.as_bytes(), 0);
    assert_eq!(done.status, 0, "CONFIGURE: {:#x}", done.status);
}

/// Runs `test` with a session that sees everything, and unloads the driver behind it.
///
/// # Panics
/// When the driver cannot be unloaded or leaves something behind.
pub fn with_session(test: impl FnOnce(&Arc<Kernel>, &Arc<FileHandle>)) {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (watcher, handle) = client(&kernel);
    configure_all(&handle);
    test(&kernel, &handle);
    drop(handle);
    watcher.die();
    // As on Windows, a request may hold its file for a moment after its waiter is told.
    let leaks = match service.stop() {
        Stop::Stopped(leaks) => leaks,
        Stop::Pending { .. } => service.wait(),
        Stop::Refused => panic!("the driver cannot be unloaded"),
    };
    assert!(leaks.is_empty(), "{leaks}");
}

/// Stops the first read at `moment` until the returned sender says go on.
///
/// # Panics
/// In the stopped thread, when another failed in its place.
#[must_use]
pub fn stop_at(kernel: &Kernel, moment: Moment) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (reached, at_moment) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = Mutex::new(may_go_on);
    let once = AtomicBool::new(true);
    kernel.io.observe(move |now, packet| {
        let is_it = now == moment && packet.control_code == READ_EVENTS;
        if is_it && once.swap(false, Ordering::Relaxed) {
            let _ = reached.send(());
            // A test that fails lets go too, or its threads would wait for each other.
            let may_go_on = may_go_on.lock().expect("no thread fails here");
            let _ = may_go_on.recv_timeout(PATIENCE);
        }
    });
    (at_moment, go_on)
}

/// Begins a read of events.
///
/// # Panics
/// When the handle is closed.
#[must_use]
pub fn submit_read(handle: &Arc<FileHandle>) -> Ticket {
    handle
        .submit(READ_EVENTS, &[], MAX_RECORD_SIZE)
        .expect("the handle is open")
}

/// Waits for the end of a request.
///
/// # Panics
/// When it does not end.
#[must_use]
pub fn end_of(request: &Ticket) -> Completion {
    until("the end of a request", || {
        request.is_complete().then_some(())
    });
    request.wait()
}

/// The driver's account.
///
/// # Panics
/// When the driver refuses.
#[must_use]
pub fn stats(handle: &FileHandle) -> Stats {
    let done = handle.ioctl(GET_STATS, &[], size_of::<Stats>());
    assert_eq!(done.status, 0, "GET_STATS: {:#x}", done.status);
    Stats::read_from_bytes(&done.output).expect("whole statistics")
}

/// A process comes and goes.
///
/// # Panics
/// When a driver refuses it.
pub fn live_and_die(kernel: &Arc<Kernel>) {
    let new = NewProcess {
        image_name: Some(r"\??\C:\Windows\System32\whoami.exe".to_owned()),
        image_path: Some(r"\Device\HarddiskVolume3\Windows\System32\whoami.exe".to_owned()),
        command_line: Some("whoami /all".to_owned()),
        token: Token::standard_user(),
        ..NewProcess::default()
    };
    let process = kernel
        .start_process(&kernel.ps.system, new)
        .expect("nobody refuses it");
    kernel.exit_process(&process, 0);
}
