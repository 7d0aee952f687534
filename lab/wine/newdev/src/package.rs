//! A package of one driver, and the store.

use crate::Outcome;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{env, fs, io};
use windows_registry::LOCAL_MACHINE;
use windows_service::service::{
    ServiceAccess, ServiceErrorControl, ServiceInfo, ServiceStartType, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_sys::Win32::Devices::DeviceAndDriverInstallation::SetupGetNonInteractiveMode;
use windows_sys::Win32::Foundation::{
    ERROR_AUTHENTICODE_PUBLISHER_NOT_TRUSTED, ERROR_FILE_NOT_FOUND, ERROR_GEN_FAILURE,
    ERROR_NO_CATALOG_FOR_OEM_INF, ERROR_SERVICE_MARKED_FOR_DELETE,
};

/// What a catalogue says: no service comes of the package, or it does not go again either.
const NO_SERVICE: &str = "no service";
const STUCK: &str = "stuck";
/// It is signed by somebody unknown: Windows asks, or takes no for an answer where it must not ask. N.B.
/// What it says then is on no page: the code is a guess.
const UNKNOWN: &str = "unknown";

const SERVICE: &str = "ntwatch";
const PARAMETERS: &str = r"SYSTEM\CurrentControlSet\Services\ntwatch\Parameters";
/// Where Windows keeps a package, below its own folder; the last number is a hash.
const STORE: &str = r"System32\DriverStore\FileRepository\ntwatch.inf_amd64_0123456789abcdef";

/// Takes the package into the store, and makes its service: all of it or nothing.
pub(crate) fn install(inf: &Path) -> Outcome {
    let catalogue = fs::read_to_string(inf.with_extension("cat"));
    let catalogue = catalogue.map_err(|_| ERROR_NO_CATALOG_FOR_OEM_INF)?;
    let thought = catalogue.trim();
    if let Some(code) = thought.strip_prefix("0x") {
        return Err(u32::from_str_radix(code, 16).unwrap_or(ERROR_GEN_FAILURE));
    }
    // SAFETY: it takes nothing.
    if thought == UNKNOWN && unsafe { SetupGetNonInteractiveMode() } != 0 {
        return Err(ERROR_AUTHENTICODE_PUBLISHER_NOT_TRUSTED);
    }
    let made = || match thought {
        NO_SERVICE | STUCK => Ok(()),
        _ => create(inf),
    };
    let taken = copy(inf).map_err(code).and_then(|()| made());
    if taken.is_err() {
        // What is worse is told then.
        let _ = fs::remove_dir_all(store());
    }
    taken.map(|()| thought == "restart")
}

/// Undoes that, if this is the INF that was installed, there or in the store. As on Windows a service
/// goes only when nobody has it open.
pub(crate) fn uninstall(inf: &Path) -> Outcome {
    let installed = fs::read(store().join("ntwatch.inf")).map_err(code)?;
    if fs::read(inf).map_err(code)? != installed {
        return Err(ERROR_FILE_NOT_FOUND);
    }
    let wants = fs::read_to_string(store().join("ntwatch.cat")).map_err(code)?;
    match wants.trim() {
        NO_SERVICE => {}
        STUCK => return Err(ERROR_GEN_FAILURE),
        _ => delete()?,
    }
    fs::remove_dir_all(store()).map_err(code)?;
    Ok(wants.trim() == "restart")
}

fn delete() -> Result<(), u32> {
    let manager = manager(ServiceManagerAccess::CONNECT)?;
    let service = manager.open_service(SERVICE, ServiceAccess::DELETE);
    service
        .and_then(|service| service.delete())
        .map_err(service_code)?;
    if manager
        .open_service(SERVICE, ServiceAccess::QUERY_STATUS)
        .is_ok()
    {
        return Err(ERROR_SERVICE_MARKED_FOR_DELETE);
    }
    Ok(())
}

fn copy(inf: &Path) -> io::Result<()> {
    fs::create_dir_all(store())?;
    for name in ["ntwatch.inf", "ntwatch.cat", "ntwatch.sys"] {
        fs::copy(inf.with_file_name(name), store().join(name))?;
    }
    Ok(())
}

fn create(inf: &Path) -> Result<(), u32> {
    let text = fs::read_to_string(inf).map_err(code)?;
    let altitude = text
        .lines()
        .find_map(|line| line.strip_prefix("Altitude")?.split('"').nth(1));
    let manager = manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    let info = ServiceInfo {
        name: SERVICE.into(),
        display_name: SERVICE.into(),
        service_type: ServiceType::KERNEL_DRIVER,
        start_type: ServiceStartType::OnDemand,
        error_control: ServiceErrorControl::Normal,
        executable_path: format!(r"\SystemRoot\{STORE}\ntwatch.sys").into(),
        launch_arguments: Vec::new(),
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    manager
        .create_service(&info, ServiceAccess::empty())
        .map_err(service_code)?;
    LOCAL_MACHINE
        .create(PARAMETERS)
        .and_then(|key| key.set_string("Altitude", altitude.unwrap_or_default()))
        .map_err(|error| code(error.into()))
}

fn manager(access: ServiceManagerAccess) -> Result<ServiceManager, u32> {
    ServiceManager::local_computer(None::<&OsStr>, access).map_err(service_code)
}

fn store() -> PathBuf {
    let windows = env::var_os("SystemRoot").expect("a process of Windows' has it");
    PathBuf::from(windows).join(STORE)
}

fn code(error: io::Error) -> u32 {
    error
        .raw_os_error()
        .map_or(ERROR_GEN_FAILURE, i32::cast_unsigned)
}

fn service_code(error: windows_service::Error) -> u32 {
    match error {
        windows_service::Error::Winapi(error) => code(error),
        _ => ERROR_GEN_FAILURE,
    }
}
