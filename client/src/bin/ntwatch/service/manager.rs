//! The service control manager, and what it keeps of the driver.

use super::error::{Doing, ServiceError};
use std::ffi::OsStr;
use std::path::PathBuf;
use windows_registry::LOCAL_MACHINE;
use windows_service::service::{
    Service as Handle, ServiceAccess, ServiceErrorControl, ServiceInfo, ServiceStartType,
    ServiceState, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_sys::Win32::Foundation::{
    ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_CANNOT_ACCEPT_CTRL, ERROR_SERVICE_EXISTS,
    ERROR_SERVICE_NOT_ACTIVE,
};

/// Of the service.
const NAME: &str = "ntwatch";
/// As the kernel finds it.
const PATH: &str = r"\SystemRoot\System32\drivers\ntwatch.sys";
/// The package's description, of which the parameters are.
const INX: &str = include_str!("../../../../../inf/ntwatch.inx");
/// Where the driver finds what it is told (page "Driver Registry Keys").
const PARAMETERS: &str = r"SYSTEM\CurrentControlSet\Services\ntwatch\Parameters";

/// Makes the service, started on demand, with its parameters: all of it or nothing. It is opened to be
/// deleted, should something else fail.
pub(super) fn create() -> Result<Service, ServiceError> {
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: NAME.into(),
        service_type: ServiceType::KERNEL_DRIVER,
        start_type: ServiceStartType::OnDemand,
        error_control: ServiceErrorControl::Normal,
        executable_path: PATH.into(),
        launch_arguments: Vec::new(),
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    let doing = Doing::Install;
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let handle = connect(access, doing)?.create_service(&info, ServiceAccess::DELETE);
    let handle = handle.map_err(|error| {
        if is(&error, ERROR_SERVICE_EXISTS) {
            ServiceError::Installed
        } else {
            ServiceError::service(doing, error)
        }
    })?;
    let service = Service { handle, doing };
    let told = LOCAL_MACHINE
        .create(PARAMETERS)
        .and_then(|key| key.set_string("Altitude", altitude()));
    match told {
        Ok(()) => Ok(service),
        Err(error) => {
            // What is worse has been said then.
            let _ = service.delete();
            Err(ServiceError::windows(doing, error.into()))
        }
    }
}

/// The service, opened for what is to be done with it.
pub(super) struct Service {
    handle: Handle,
    doing: Doing,
}

/// What came of a start.
pub(super) enum Start {
    Started,
    Running,
}

impl Service {
    pub(super) fn open(doing: Doing) -> Result<Self, ServiceError> {
        let access = ServiceAccess::QUERY_STATUS
            | match doing {
                Doing::Install => ServiceAccess::empty(),
                Doing::Uninstall => {
                    ServiceAccess::QUERY_CONFIG | ServiceAccess::STOP | ServiceAccess::DELETE
                }
                Doing::Start => ServiceAccess::START,
                Doing::Stop => ServiceAccess::STOP,
            };
        Self::open_to(access, doing)
    }

    fn open_to(access: ServiceAccess, doing: Doing) -> Result<Self, ServiceError> {
        let manager = connect(ServiceManagerAccess::CONNECT, doing)?;
        let handle = manager.open_service(NAME, access);
        let handle = handle.map_err(|error| ServiceError::opening(doing, error))?;
        Ok(Self { handle, doing })
    }

    /// Whether there is one.
    pub(super) fn exists(doing: Doing) -> Result<bool, ServiceError> {
        match Self::open_to(ServiceAccess::QUERY_STATUS, doing) {
            Ok(_) => Ok(true),
            Err(ServiceError::NotInstalled) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Loads the driver. It is loaded, or has failed to, when this returns.
    pub(super) fn start(&self) -> Result<Start, ServiceError> {
        match self.handle.start::<&OsStr>(&[]) {
            Ok(()) => Ok(Start::Started),
            // So it is of one that is to go, too.
            Err(error) if is(&error, ERROR_SERVICE_ALREADY_RUNNING) => match self.state()? {
                ServiceState::StopPending => Err(ServiceError::Going),
                _ => Ok(Start::Running),
            },
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Asks for it to be unloaded, if nobody has yet.
    pub(super) fn stop(&self) -> Result<(), ServiceError> {
        match self.handle.stop() {
            Ok(_) => Ok(()),
            Err(error) if is(&error, ERROR_SERVICE_NOT_ACTIVE) => Ok(()),
            Err(error) if is(&error, ERROR_SERVICE_CANNOT_ACCEPT_CTRL) => match self.state()? {
                ServiceState::StopPending | ServiceState::Stopped => Ok(()),
                _ => Err(self.failed(error)),
            },
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(super) fn is_stopped(&self) -> Result<bool, ServiceError> {
        Ok(self.state()? == ServiceState::Stopped)
    }

    fn state(&self) -> Result<ServiceState, ServiceError> {
        let status = self.handle.query_status();
        let status = status.map_err(|error| self.failed(error))?;
        Ok(status.current_state)
    }

    /// The file that it loads, as the kernel finds it.
    pub(super) fn image(&self) -> Result<PathBuf, ServiceError> {
        let config = self.handle.query_config();
        let config = config.map_err(|error| self.failed(error))?;
        Ok(config.executable_path)
    }

    /// Has it forgotten with all of its parameters, once nobody has it open.
    pub(super) fn delete(self) -> Result<(), ServiceError> {
        let deleted = self.handle.delete();
        deleted.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: windows_service::Error) -> ServiceError {
        ServiceError::service(self.doing, error)
    }
}

/// Of the handle callbacks, as the package says it.
fn altitude() -> &'static str {
    let value = INX
        .lines()
        .find_map(|line| line.strip_prefix("Altitude")?.split('"').nth(1));
    value.expect("the package has an altitude")
}

fn connect(access: ServiceManagerAccess, doing: Doing) -> Result<ServiceManager, ServiceError> {
    let manager = ServiceManager::local_computer(None::<&OsStr>, access);
    manager.map_err(|error| ServiceError::opening(doing, error))
}

fn is(error: &windows_service::Error, code: u32) -> bool {
    match error {
        windows_service::Error::Winapi(error) => error.raw_os_error() == Some(code.cast_signed()),
        _ => false,
    }
}
