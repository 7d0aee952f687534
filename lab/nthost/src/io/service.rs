//! Services: a driver from its start to its unload.

use std::mem::transmute;
use std::path::PathBuf;
use std::sync::Arc;

use windows_sys::Wdk::Foundation::{DRIVER_OBJECT, DRIVER_UNLOAD};
use windows_sys::Win32::Foundation::{NTSTATUS, UNICODE_STRING};

use super::Driver;
use super::driver::Phase;
use crate::cm::Value;
use crate::ke::callback::unchanged;
use crate::leak::LeakReport;
use crate::loader::LoadError;
use crate::ob::ObjectRef;
use crate::rtl::text;
use crate::{Kernel, Leak};

/// What the service control manager is told of a driver.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The service's name.
    pub name: String,
    /// The driver's file.
    pub image: PathBuf,
    /// Modules it imports that do not lie beside it.
    pub libraries: Vec<PathBuf>,
    /// The values of its `Parameters` key.
    pub parameters: Vec<(String, Value)>,
}

impl ServiceConfig {
    /// The service of the driver at `image`, named after it; what it imports lies beside it.
    pub fn new(image: impl Into<PathBuf>) -> ServiceConfig {
        let image = image.into();
        let name = image
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        ServiceConfig {
            name,
            image,
            libraries: Vec::new(),
            parameters: Vec::new(),
        }
    }
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An image could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The driver refused.
    #[error(
        "the driver of service {service} refused to start with status {status:#010x} ({leaks}); its debug output says more"
    )]
    Refused {
        /// The service.
        service: String,
        /// What `DriverEntry` returned.
        status: NTSTATUS,
        /// What it left behind.
        leaks: LeakReport,
    },
}

/// How a request to stop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The driver is unloaded.
    Stopped(LeakReport),
    /// The driver will be unloaded when the last of so many open files is closed.
    Pending {
        /// How many files are open.
        files: usize,
    },
    /// The driver has no unload routine: it stays.
    Refused,
}

/// A driver that runs.
pub struct Service {
    kernel: Arc<Kernel>,
    driver: ObjectRef<Driver>,
}

type DriverEntry = unsafe extern "win64" fn(*mut DRIVER_OBJECT, *const UNICODE_STRING) -> NTSTATUS;
type DriverUnload = unsafe extern "win64" fn(*mut DRIVER_OBJECT);

impl Kernel {
    /// Loads a driver and calls its entry point.
    ///
    /// # Errors
    /// [`StartError`]; the driver is not loaded then.
    pub fn start_service(self: &Arc<Self>, config: &ServiceConfig) -> Result<Service, StartError> {
        let images = self.modules.load(&config.image, &config.libraries)?;
        let driver = Driver::new(self, &config.name, images);
        let entry = driver
            .images()
            .last()
            .expect("a driver has an image")
            .entry();
        // SAFETY: the address is inside the image's code, and a driver's entry point has this
        // type.
        let entry = unsafe { transmute::<usize, DriverEntry>(entry) };
        let path = driver.registry_path();
        // SAFETY: the driver object keeps its text.
        let key = unsafe { text(&raw const path) };
        self.registry.set(&key, &[]);
        self.registry
            .set(&format!(r"{key}\Parameters"), &config.parameters);
        // SAFETY: the driver object and the path are live; drivers copy the path.
        let call = || unsafe { entry(driver.nt(), &raw const path) };
        let status = self.enter(&self.ps.system, || unchanged("an entry", call));
        if status < 0 {
            let mut leaks = LeakReport(driver.take_devices());
            driver.free_extensions();
            leaks.0.extend(LeakReport::of(self).0);
            self.modules.unload(driver.images());
            return Err(StartError::Refused {
                service: config.name.clone(),
                status,
                leaks,
            });
        }
        driver.initialized();
        driver
            .images()
            .iter()
            .for_each(|image| image.discard_init());
        Ok(Service {
            kernel: Arc::clone(self),
            driver,
        })
    }
}

impl Service {
    /// The driver.
    pub fn driver(&self) -> &ObjectRef<Driver> {
        &self.driver
    }

    /// Asks for the driver's end. As on Windows it is unloaded when no file is open on its
    /// devices, and until then nobody can open one.
    pub fn stop(&self) -> Stop {
        let mut life = self.driver.life.lock().unwrap();
        // SAFETY: the driver sets its routine in `DriverEntry` and leaves it.
        if unsafe { (*self.driver.nt()).DriverUnload }.is_none() {
            return Stop::Refused;
        }
        if matches!(life.phase, Phase::Running) {
            life.phase = Phase::UnloadPending;
        }
        if life.files > 0 {
            return Stop::Pending { files: life.files };
        }
        if matches!(life.phase, Phase::UnloadPending) {
            life.phase = Phase::Unloading;
            drop(life);
            unload(&self.kernel, &self.driver);
        } else {
            drop(life);
        }
        Stop::Stopped(self.wait())
    }

    /// Waits until the driver is unloaded, and says what it left behind.
    pub fn wait(&self) -> LeakReport {
        let life = self.driver.life.lock().unwrap();
        let unloading = |life: &mut super::driver::Life| !matches!(life.phase, Phase::Unloaded(_));
        let life = self
            .driver
            .life_changed
            .wait_while(life, unloading)
            .unwrap();
        match &life.phase {
            Phase::Unloaded(leaks) => leaks.clone(),
            _ => unreachable!("it was waited for"),
        }
    }
}

impl Driver {
    /// A file is closed, or was not opened after all. The last one starts an unload that waits
    /// for it, in a system thread.
    pub(super) fn file_closed(&self) {
        let mut life = self.life.lock().unwrap();
        life.files -= 1;
        if life.files > 0 || !matches!(life.phase, Phase::UnloadPending) {
            return;
        }
        life.phase = Phase::Unloading;
        drop(life);
        if let Some(kernel) = self.kernel() {
            // SAFETY: `self` is the body of a driver object: nothing else makes a `Driver`.
            let driver = unsafe { ObjectRef::from_body(std::ptr::from_ref(self).cast_mut()) };
            let machine = Arc::clone(&kernel);
            kernel
                .workers
                .queue(&kernel, move || unload(&machine, &driver));
        }
    }
}

/// Calls the driver's unload routine and takes stock.
fn unload(kernel: &Arc<Kernel>, driver: &ObjectRef<Driver>) {
    // SAFETY: the driver sets its routine in `DriverEntry` and leaves it.
    let routine = unsafe { (*driver.nt()).DriverUnload };
    if routine.is_some() {
        // SAFETY: what drivers store there has the Windows calling convention; windows-sys' type
        // has this host's.
        let routine = unsafe { transmute::<DRIVER_UNLOAD, DriverUnload>(routine) };
        // SAFETY: no file is open, none can be opened, and this is the only call.
        let call = || unsafe { routine(driver.nt()) };
        kernel.enter(&kernel.ps.system, || unchanged("an unload", call));
    }
    let mut leaks: Vec<Leak> = driver.take_devices();
    driver.free_extensions();
    leaks.extend(LeakReport::of(kernel).0);
    kernel.modules.unload(driver.images());
    driver.life.lock().unwrap().phase = Phase::Unloaded(LeakReport(leaks));
    driver.life_changed.notify_all();
}
