//! A machine inside the test's own process, for what a test has to do at a certain moment.

use crate::lab::Lab;
use nthost::io::{Client, FileHandle, Service, ServiceConfig};
use nthost::ps::NewProcess;
use nthost::se::Token;
use nthost::{Config, Kernel};
use ntwatch_protocol::configure::ConfigureHeader;
use ntwatch_protocol::ioctl::{CONFIGURE, GET_STATS, Stats};
use ntwatch_protocol::record::Kind;
use std::sync::Arc;
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
