//! A service of Windows that takes its time to stop, as Wine's drivers do not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use std::{io, thread};
use windows_service::define_windows_service;
use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    ServiceControlHandlerResult, ServiceStatusHandle, register,
};
use windows_service::service_dispatcher;

/// The driver's, which it is taken for.
const NAME: &str = "ntwatch";
/// Between two looks at something.
const SOON: Duration = Duration::from_millis(10);

static FILE: OnceLock<PathBuf> = OnceLock::new();
static STATUS: OnceLock<ServiceStatusHandle> = OnceLock::new();

define_windows_service!(service_main, serve);

/// Runs as the service until `file` is gone. Told to stop, it says that it will.
pub(crate) fn linger(file: &str) -> io::Result<()> {
    FILE.get_or_init(|| Path::new(file).to_owned());
    service_dispatcher::start(NAME, service_main).map_err(io::Error::other)
}

fn serve(_: Vec<OsString>) {
    let status = register(NAME, |control| match control {
        ServiceControl::Stop => {
            tell(ServiceState::StopPending);
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    });
    STATUS.get_or_init(|| status.expect("the service is this one"));
    tell(ServiceState::Running);
    while FILE.get().is_some_and(|file| file.exists()) {
        thread::sleep(SOON);
    }
    tell(ServiceState::Stopped);
}

fn tell(state: ServiceState) {
    let status = STATUS
        .get()
        .expect("nobody is told to stop who does not run");
    let accepted = match state {
        ServiceState::Running => ServiceControlAccept::STOP,
        _ => ServiceControlAccept::empty(),
    };
    let told = status.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: accepted,
        exit_code: ServiceExitCode::Win32(0),
        checkpoint: 0,
        wait_hint: Duration::ZERO,
        process_id: None,
    });
    told.expect("the service control manager listens");
}
