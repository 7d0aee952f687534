//! Driver objects.

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::mem::transmute;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, Weak};

use windows_sys::Wdk::Foundation::{
    DEVICE_OBJECT, DRIVER_DISPATCH, DRIVER_EXTENSION, DRIVER_OBJECT, IRP,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_NO_SUCH_DEVICE, UNICODE_STRING,
};

use super::dispatch::Routine;
use super::{Device, complete, extension};
use crate::Kernel;
use crate::leak::{Leak, LeakReport};
use crate::loader::Image;
use crate::ob::{Kind, Object, ObjectRef};
use crate::rtl::NtString;

const IO_TYPE_DRIVER: i16 = 4;

/// A driver object: what the driver sees, and what the model keeps.
#[repr(C)]
pub struct Driver {
    nt: UnsafeCell<DRIVER_OBJECT>,
    nt_extension: UnsafeCell<DRIVER_EXTENSION>,
    service: String,
    /// The texts that `nt` and `DriverEntry` point to.
    driver_name: NtString,
    service_name: NtString,
    registry_path: NtString,
    kernel: Weak<Kernel>,
    devices: Mutex<Vec<ObjectRef<Device>>>,
    /// The addresses of its driver object extensions, by what identifies them.
    pub(super) extensions: Mutex<HashMap<usize, usize>>,
    pub(super) life: Mutex<Life>,
    pub(super) life_changed: Condvar,
    /// The code, mapped as long as anything refers to the driver.
    images: Vec<Arc<Image>>,
}

/// How far a driver has come, and what holds it.
#[derive(Default)]
pub(super) struct Life {
    pub(super) phase: Phase,
    /// Files open on its devices, counted from before IRP_MJ_CREATE to after IRP_MJ_CLOSE.
    pub(super) files: usize,
}

#[derive(Default)]
pub(super) enum Phase {
    #[default]
    Running,
    /// A stop was asked for; the last file to close starts the unload.
    UnloadPending,
    Unloading,
    Unloaded(LeakReport),
}

// SAFETY: the structures in cells belong to the driver, which accesses them by its own rules as
// on Windows; the model reads single fields of them. Everything else is `Send + Sync`.
unsafe impl Send for Driver {}
// SAFETY: as above.
unsafe impl Sync for Driver {}

impl Object for Driver {
    const KIND: Kind = Kind::Driver;
    fn describe(&self) -> String {
        self.service.clone()
    }
}

impl Driver {
    /// Makes the driver object of `service`, whose code is the last of `images`.
    pub(super) fn new(
        kernel: &Arc<Kernel>,
        service: &str,
        images: Vec<Arc<Image>>,
    ) -> ObjectRef<Driver> {
        let path = format!(r"\Registry\Machine\System\CurrentControlSet\Services\{service}");
        let image = images.last().expect("a driver has an image");
        let nt = DRIVER_OBJECT {
            Type: IO_TYPE_DRIVER,
            Size: size_of::<DRIVER_OBJECT>() as i16,
            DriverStart: image.mapping().base() as *mut c_void,
            DriverSize: image.mapping().size() as u32,
            ..DRIVER_OBJECT::default()
        };
        let driver = ObjectRef::new(
            &kernel.objects,
            Driver {
                nt: UnsafeCell::new(nt),
                nt_extension: UnsafeCell::new(DRIVER_EXTENSION::default()),
                service: service.into(),
                driver_name: format!(r"\Driver\{service}").as_str().into(),
                service_name: service.into(),
                registry_path: path.as_str().into(),
                kernel: Arc::downgrade(kernel),
                devices: Mutex::default(),
                extensions: Mutex::default(),
                life: Mutex::default(),
                life_changed: Condvar::new(),
                images,
            },
        );
        // SAFETY: the object is new; nobody else knows it.
        let nt = unsafe { &mut *driver.nt() };
        // SAFETY: as above.
        let extension = unsafe { &mut *driver.nt_extension.get() };
        nt.DriverName = driver.driver_name.as_nt();
        nt.DriverExtension = driver.nt_extension.get();
        extension.DriverObject = driver.nt();
        extension.ServiceKeyName = driver.service_name.as_nt();
        // N.B. windows-sys declares routines with this host's C calling convention; what is
        // stored is the address of a Windows one.
        // SAFETY: both are addresses of code; nobody on this side calls through the type.
        let invalid_request = unsafe { transmute::<Routine, DRIVER_DISPATCH>(invalid_request) };
        nt.MajorFunction = [invalid_request; 28];
        driver
    }

    /// What the driver sees.
    pub fn nt(&self) -> *mut DRIVER_OBJECT {
        self.nt.get()
    }

    /// The name of its service.
    pub fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn registry_path(&self) -> UNICODE_STRING {
        self.registry_path.as_nt()
    }

    /// The address of what one of its images exports as `name`.
    pub(crate) fn export(&self, name: &str) -> Option<usize> {
        self.images.iter().find_map(|image| image.export(name))
    }

    pub(super) fn images(&self) -> &[Arc<Image>] {
        &self.images
    }

    pub(super) fn kernel(&self) -> Option<Arc<Kernel>> {
        self.kernel.upgrade()
    }

    /// Frees memory that a driver was given with an object, and that goes with it.
    pub(super) fn free(&self, memory: *mut c_void, tag: u32) {
        if let Some(kernel) = self.kernel() {
            kernel.pool.free(memory, tag);
        }
    }

    /// Frees what hangs on the driver object, at its end.
    pub(super) fn free_extensions(&self) {
        for (_, memory) in self.extensions.lock().unwrap().drain() {
            self.free(memory as *mut c_void, extension::TAG);
        }
    }

    pub(super) fn add_device(&self, device: ObjectRef<Device>) {
        let mut devices = self.devices.lock().unwrap();
        devices.push(device);
        self.link(&devices);
    }

    pub(super) fn remove_device(&self, device: &ObjectRef<Device>) {
        let mut devices = self.devices.lock().unwrap();
        devices.retain(|known| known != device);
        self.link(&devices);
        device.set_next(ptr::null_mut());
    }

    /// Ends the initialisation of all its devices.
    pub(super) fn initialized(&self) {
        self.devices
            .lock()
            .unwrap()
            .iter()
            .for_each(|device| device.initialized());
    }

    /// Takes away the devices an unloaded driver has not deleted.
    pub(super) fn take_devices(&self) -> Vec<Leak> {
        let left = std::mem::take(&mut *self.devices.lock().unwrap());
        left.iter()
            .map(|device| {
                if let Some(kernel) = self.kernel() {
                    kernel.io.names.remove_device(device.as_ptr());
                }
                Leak::Device(format!("{}{}", device.describe(), device.origin()))
            })
            .collect()
    }

    /// Shows the driver its devices as the list that Windows keeps, the newest first.
    fn link(&self, devices: &[ObjectRef<Device>]) {
        let mut next: *mut DEVICE_OBJECT = ptr::null_mut();
        for device in devices {
            device.set_next(next);
            next = device.nt();
        }
        // SAFETY: the list's head is changed under the lock of the list alone.
        unsafe { (*self.nt()).DeviceObject = next };
    }

    /// Counts a file that is about to be opened.
    ///
    /// # Errors
    /// `STATUS_NO_SUCH_DEVICE` once a stop was asked for.
    pub(super) fn file_opens(&self) -> Result<(), NTSTATUS> {
        let mut life = self.life.lock().unwrap();
        match life.phase {
            Phase::Running => {
                life.files += 1;
                Ok(())
            }
            _ => Err(STATUS_NO_SUCH_DEVICE),
        }
    }
}

/// What answers the requests a driver has no routine for.
unsafe extern "win64" fn invalid_request(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: the I/O manager passes a request, which this routine owns until it is completed.
    let io_status = unsafe { &mut (*irp).IoStatus };
    io_status.Anonymous.Status = STATUS_INVALID_DEVICE_REQUEST;
    complete::complete(irp);
    STATUS_INVALID_DEVICE_REQUEST
}
