//! A machine inside the test's own process, for what a test has to do at a certain moment.

use crate::account::{assert_balances, assert_counts, assert_counts_every_open};
use crate::lab::{Lab, PATIENCE, until, until_done, verifies};
use crate::watchdog::watched;
use nthost::io::{Client, Completion, FileHandle, Moment, Service, ServiceConfig, Stop, Ticket};
use nthost::ps::NewProcess;
use nthost::se::Token;
use nthost::{Config, Kernel};
use ntwatch_protocol::configure::{AccessMasks, Clause, ConfigureHeader};
use ntwatch_protocol::ioctl::{CONFIGURE, GET_STATS, READ_EVENTS, Stats};
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use zerocopy::{FromBytes, IntoBytes};

/// `GENERIC_READ | GENERIC_WRITE`.
pub const READ_WRITE: u32 = 0xC000_0000;

const STATUS_CANCELLED: i32 = 0xC000_0120_u32 as i32;

/// Boots a machine on which nothing runs. With [`NTWATCH_VERIFY`](crate::lab::VERIFY) in the
/// environment it holds drivers to the rules.
#[must_use]
pub fn boot() -> Arc<Kernel> {
    Kernel::boot(Config {
        verify: verifies(),
        ..Config::default()
    })
}

/// Loads the shipped driver.
///
/// # Panics
/// When it refuses.
#[must_use]
pub fn load(kernel: &Arc<Kernel>, lab: &Lab) -> Service {
    kernel
        .start_service(&shipped(lab))
        .unwrap_or_else(|e| panic!("{e}"))
}

/// The service of the shipped driver.
#[must_use]
pub fn shipped(lab: &Lab) -> ServiceConfig {
    let mut config = ServiceConfig::new(&lab.driver);
    config.libraries.push(lab.wdfldr.clone());
    config
}

/// An administrator's process with the device open.
///
/// # Panics
/// When the driver refuses the open.
#[must_use]
pub fn client(kernel: &Arc<Kernel>) -> (Client, Arc<FileHandle>) {
    client_of(kernel, Token::administrator())
}

/// An administrator's process that may debug, with the device open.
///
/// # Panics
/// When the driver refuses the open.
#[must_use]
pub fn debugger(kernel: &Arc<Kernel>) -> (Client, Arc<FileHandle>) {
    client_of(kernel, may_debug())
}

/// The token of an administrator who may debug.
///
/// # Panics
/// When an administrator has no such privilege.
#[must_use]
pub fn may_debug() -> Token {
    let token = Token::administrator();
    assert_eq!(token.enable("SeDebugPrivilege"), 0);
    token
}

/// A process with this token that has the device open.
///
/// # Panics
/// When the driver refuses the open.
#[must_use]
pub fn client_of(kernel: &Arc<Kernel>, token: Token) -> (Client, Arc<FileHandle>) {
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

/// The input of CONFIGURE.
#[must_use]
pub fn configure_input(event_mask: u32, ring_size: u32, clauses: &[Clause<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for clause in clauses {
        clause.write(&mut body);
    }
    let header = ConfigureHeader {
        size: (size_of::<ConfigureHeader>() + body.len()) as u32,
        event_mask,
        ring_size,
        clauses: clauses.len() as u32,
    };
    [header.as_bytes(), &body].concat()
}

/// Begins to see the events of `event_mask` that pass `clauses`.
///
/// # Panics
/// When the driver refuses.
pub fn configure(handle: &FileHandle, event_mask: u32, clauses: &[Clause<'_>]) {
    let done = handle.ioctl(CONFIGURE, &configure_input(event_mask, 0, clauses), 0);
    assert_eq!(done.status, 0, "CONFIGURE: {:#x}", done.status);
}

/// Begins to see all events, opens that only look among them.
///
/// # Panics
/// When the driver refuses.
pub fn configure_all(handle: &FileHandle) {
    configure(handle, Kind::ALL_EVENTS, &[EVERY_OPEN]);
}

/// The input of CONFIGURE for all events, opens that only look among them, in a ring of `ring_size`
/// bytes (0 for the default).
#[must_use]
pub fn everything(ring_size: u32) -> Vec<u8> {
    configure_input(Kind::ALL_EVENTS, ring_size, &[EVERY_OPEN])
}

/// Opens that only look are events too.
pub const EVERY_OPEN: Clause<'_> = Clause::Access(AccessMasks::ALL);

/// Runs `test` with a session that sees everything; then looks whether the account balances and
/// has every call that the kernel made, and unloads the driver.
///
/// # Panics
/// When the account is wrong, the driver cannot be unloaded or leaves something behind.
pub fn with_session(test: impl FnOnce(&Arc<Kernel>, &Arc<FileHandle>)) {
    with_session_of(&[EVERY_OPEN], |kernel, handle| {
        test(kernel, handle);
        assert_counts_every_open(&settled(handle), kernel);
    });
}

/// As [`with_session`], with a session that sees what `clauses` say.
///
/// # Panics
/// As [`with_session`].
pub fn with_session_of(clauses: &[Clause<'_>], test: impl FnOnce(&Arc<Kernel>, &Arc<FileHandle>)) {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (watcher, handle) = client(&kernel);
    configure(&handle, Kind::ALL_EVENTS, clauses);
    test(&kernel, &handle);
    let stats = settled(&handle);
    assert_balances(&stats);
    assert_counts(&stats, &kernel);
    drop(handle);
    unload(service, watcher);
}

/// The driver's account once its worker has seen all there is.
///
/// # Panics
/// When the driver refuses.
#[must_use]
pub fn settled(handle: &FileHandle) -> Stats {
    until_done("the worker to see every event", || {
        let stats = stats(handle);
        match stats.session_captured == stats.captured {
            true => Ok(stats),
            false => Err(stats.session_captured.iter().sum()),
        }
    })
}

/// Ends the last process that has the device open, and unloads the driver.
///
/// # Panics
/// When it cannot be unloaded or leaves something behind.
pub fn unload(service: Service, last: Client) {
    last.die();
    stop(&service);
}

/// Stops a driver that nobody uses any more.
///
/// # Panics
/// When it cannot be unloaded or leaves something behind.
pub fn stop(service: &Service) {
    let stop = watched("a driver that is stopped".to_owned(), || service.stop());
    // As on Windows, a request may hold its file for a moment after its waiter is told.
    match stop {
        Stop::Stopped(leaks) => assert!(leaks.is_empty(), "{leaks}"),
        Stop::Pending { .. } => wait_for_unload(service),
        Stop::Refused => panic!("the driver cannot be unloaded"),
    }
}

/// Waits until a driver is unloaded that was told to stop.
///
/// # Panics
/// When it leaves something behind. If it stays, the program ends.
pub fn wait_for_unload(service: &Service) {
    let leaks = watched("a driver that is to be unloaded".to_owned(), || {
        service.wait()
    });
    assert!(leaks.is_empty(), "{leaks}");
}

/// Whole records, as reads brought them.
#[derive(Debug)]
pub struct Events(Vec<u8>);

impl Events {
    /// The records.
    ///
    /// # Panics
    /// When the driver wrote something else.
    #[must_use]
    pub fn records(&self) -> Vec<Record<'_>> {
        Records::new(&self.0)
            .map(|record| record.expect("the driver writes records"))
            .collect()
    }
}

/// Reads until `count` events are there.
///
/// # Panics
/// When the driver refuses a read or brings more.
#[must_use]
pub fn read(handle: &Arc<FileHandle>, count: usize) -> Events {
    let mut events = Events(Vec::new());
    while events.records().len() < count {
        let done = end_of(&submit_read(handle));
        assert_eq!(done.status, 0, "READ_EVENTS: {:#x}", done.status);
        events.0.extend(done.output);
    }
    let seen = events.records();
    assert_eq!(seen.len(), count, "more than expected: {seen:#?}");
    events
}

/// Lets `body` act while the worker is held up with something else. Gives the `count` events that
/// the session is told of it once the worker goes on.
///
/// # Panics
/// When the worker does not come to it, or the driver tells of something else.
pub fn behind_the_worker(
    kernel: &Arc<Kernel>,
    handle: &Arc<FileHandle>,
    count: usize,
    body: impl FnOnce(),
) -> Events {
    let (completing, go_on) = stop_at(kernel, Moment::Completing);
    let first = submit_read(handle);
    live_and_die(kernel);
    completing
        .recv_timeout(PATIENCE)
        .expect("the worker completes the read");
    body();
    go_on.send(()).expect("the worker waits");
    // It was held up with one event of that process, or both.
    let left = 2 - Records::new(&end_of(&first).output).count();
    let Events(mut bytes) = read(handle, left + count);
    let before = Records::new(&bytes).flatten().take(left);
    let before: usize = before.map(|record| record.header().size as usize).sum();
    Events(bytes.split_off(before))
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

/// The records that are there now.
///
/// # Errors
/// The NTSTATUS of a read that was refused.
pub fn try_read(handle: &Arc<FileHandle>) -> Result<Vec<u8>, i32> {
    let read = handle.submit(READ_EVENTS, &[], MAX_RECORD_SIZE)?;
    // Completed at once if there is anything to read, else by the cancel.
    read.cancel();
    let done = end_of(&read);
    match done.status {
        0 => Ok(done.output),
        STATUS_CANCELLED => Ok(Vec::new()),
        status => Err(status),
    }
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
