//! Device objects and symbolic links.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, DEVOBJ_EXTENSION, DRIVER_OBJECT};
use windows_sys::Wdk::Storage::FileSystem::{
    DO_DEVICE_HAS_NAME, DO_DEVICE_INITIALIZING, DO_EXCLUSIVE,
};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS, UNICODE_STRING,
};
use windows_sys::Win32::Security::DACL_SECURITY_INFORMATION;

use super::Driver;
use crate::Current;
use crate::exports::exports;
use crate::ob::{Kind, Object, ObjectRef, handle};
use crate::rtl::{security, text};
use crate::verify::Origin;

exports! {
    APC_LEVEL: IoCreateDevice, IoDeleteDevice;
    PASSIVE_LEVEL: IoCreateSymbolicLink, IoDeleteSymbolicLink, ZwSetSecurityObject;
}

const IO_TYPE_DEVICE: i16 = 3;

/// A device object: what drivers see, and what the model keeps.
#[repr(C)]
pub struct Device {
    nt: UnsafeCell<DEVICE_OBJECT>,
    nt_extension: UnsafeCell<DEVOBJ_EXTENSION>,
    /// What `DeviceExtension` points to. The model's own: it goes with the last reference, which
    /// a request on its way out may hold beyond `IoDeleteDevice`, and is no leak of the driver's.
    _extension: Box<[UnsafeCell<u128>]>,
    name: String,
    driver: ObjectRef<Driver>,
    origin: Origin,
    /// Who may open the device; self-relative, empty before the driver has set one.
    descriptor: Mutex<Vec<u8>>,
}

// SAFETY: the structures in cells belong to the driver, which accesses them by its own rules as
// on Windows; the model reads single fields of them. Everything else is `Send + Sync`.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Object for Device {
    const KIND: Kind = Kind::Device;
    fn describe(&self) -> String {
        if self.name.is_empty() {
            "without a name".into()
        } else {
            self.name.clone()
        }
    }
}

impl Device {
    /// What drivers see.
    pub fn nt(&self) -> *mut DEVICE_OBJECT {
        self.nt.get()
    }

    /// Who made it.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The driver it belongs to.
    pub fn driver(&self) -> &ObjectRef<Driver> {
        &self.driver
    }

    /// Its security descriptor, self-relative; empty before the driver has set one.
    pub fn descriptor(&self) -> Vec<u8> {
        self.descriptor.lock().unwrap().clone()
    }

    pub(super) fn flags(&self) -> u32 {
        // SAFETY: the driver changes its flags while nobody can open the device, or leaves them.
        unsafe { (*self.nt()).Flags }
    }

    pub(super) fn characteristics(&self) -> u32 {
        // SAFETY: never changed after creation.
        unsafe { (*self.nt()).Characteristics }
    }

    /// The end of its initialisation: it can be opened from here on.
    pub(super) fn initialized(&self) {
        // SAFETY: `DriverEntry` has returned, and left this flag to the I/O manager.
        unsafe { (*self.nt()).Flags &= !DO_DEVICE_INITIALIZING };
    }

    /// Counts a new handle; refused for a second one on an exclusive device.
    pub(super) fn acquire_handle(&self) -> bool {
        let handles = self.handles();
        if self.flags() & DO_EXCLUSIVE != 0 {
            return handles
                .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        }
        handles.fetch_add(1, Ordering::AcqRel);
        true
    }

    pub(super) fn release_handle(&self) {
        self.handles().fetch_sub(1, Ordering::AcqRel);
    }

    fn handles(&self) -> &AtomicI32 {
        // SAFETY: the device is live.
        let count = unsafe { &raw mut (*self.nt()).ReferenceCount };
        // SAFETY: the count is the I/O manager's own, and always used atomically.
        unsafe { AtomicI32::from_ptr(count) }
    }

    pub(super) fn set_next(&self, next: *mut DEVICE_OBJECT) {
        // SAFETY: called under the lock of the driver's list of devices.
        unsafe { (*self.nt()).NextDevice = next };
    }
}

/// IRQL ≤ APC_LEVEL.
unsafe extern "win64" fn IoCreateDevice(
    driver: *mut DRIVER_OBJECT,
    extension_size: u32,
    name: *const UNICODE_STRING,
    device_type: u32,
    characteristics: u32,
    exclusive: u8,
    device: *mut *mut DEVICE_OBJECT,
) -> NTSTATUS {
    // SAFETY: the driver passes its driver object, which is the start of a `Driver` body.
    let driver = unsafe { ObjectRef::from_body(driver.cast::<Driver>()) };
    // SAFETY: the driver passes a valid name, or null.
    let name = unsafe { text(name) };
    Current::with(|current| {
        let kernel = &current.kernel;
        let words = (extension_size as usize).div_ceil(size_of::<u128>());
        let extension: Box<[UnsafeCell<u128>]> = (0..words).map(|_| UnsafeCell::new(0)).collect();
        let extension_address: *mut c_void = match words {
            0 => ptr::null_mut(),
            _ => UnsafeCell::raw_get(extension.as_ptr()).cast(),
        };
        let mut flags = DO_DEVICE_INITIALIZING;
        flags |= if exclusive != 0 { DO_EXCLUSIVE } else { 0 };
        flags |= if name.is_empty() {
            0
        } else {
            DO_DEVICE_HAS_NAME
        };
        let nt = DEVICE_OBJECT {
            Type: IO_TYPE_DEVICE,
            Size: (size_of::<DEVICE_OBJECT>() + extension_size as usize) as u16,
            DriverObject: driver.nt(),
            Flags: flags,
            Characteristics: characteristics,
            DeviceExtension: extension_address,
            DeviceType: device_type,
            StackSize: 1,
            ..DEVICE_OBJECT::default()
        };
        let object = ObjectRef::new(
            &kernel.objects,
            Device {
                nt: UnsafeCell::new(nt),
                nt_extension: UnsafeCell::new(DEVOBJ_EXTENSION::default()),
                _extension: extension,
                name: name.clone(),
                driver: driver.clone(),
                origin: Origin::here(),
                descriptor: Mutex::default(),
            },
        );
        // SAFETY: the object is new, nobody else knows it.
        unsafe { (*object.nt()).DeviceObjectExtension = object.nt_extension.get() };
        // SAFETY: as above.
        unsafe { (*object.nt_extension.get()).DeviceObject = object.nt() };
        if !name.is_empty()
            && let Err(status) = kernel.io.names.insert_device(&name, &object)
        {
            return status;
        }
        // SAFETY: the driver passes a place for the pointer.
        unsafe { device.write(object.nt()) };
        driver.add_device(object);
        STATUS_SUCCESS
    })
}

/// IRQL ≤ APC_LEVEL. The object stays until the last file on it is closed.
unsafe extern "win64" fn IoDeleteDevice(device: *mut DEVICE_OBJECT) {
    // SAFETY: the driver passes a device of its own.
    let device = unsafe { ObjectRef::from_body(device.cast::<Device>()) };
    Current::with(|current| current.kernel.io.names.remove_device(device.as_ptr()));
    device.driver.remove_device(&device);
}

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn IoCreateSymbolicLink(
    link: *const UNICODE_STRING,
    target: *const UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the driver passes a valid string.
    let link = unsafe { text(link) };
    // SAFETY: as above.
    let target = unsafe { text(target) };
    Current::with(
        |current| match current.kernel.io.names.insert_link(&link, &target) {
            Ok(()) => STATUS_SUCCESS,
            Err(status) => status,
        },
    )
}

/// IRQL = PASSIVE_LEVEL.
unsafe extern "win64" fn IoDeleteSymbolicLink(link: *const UNICODE_STRING) -> NTSTATUS {
    // SAFETY: the driver passes a valid string.
    let link = unsafe { text(link) };
    Current::with(|current| match current.kernel.io.names.remove_link(&link) {
        Ok(()) => STATUS_SUCCESS,
        Err(status) => status,
    })
}

/// IRQL = PASSIVE_LEVEL. Sets the DACL of a device; nothing else has one that can be set.
unsafe extern "win64" fn ZwSetSecurityObject(
    handle: HANDLE,
    information: u32,
    descriptor: *const c_void,
) -> NTSTATUS {
    if information != DACL_SECURITY_INFORMATION {
        return STATUS_NOT_IMPLEMENTED;
    }
    let object = match handle::object_of(handle as usize) {
        Ok(object) => object,
        Err(status) => return status,
    };
    let Ok(device) = object.downcast::<Device>() else {
        return STATUS_NOT_IMPLEMENTED;
    };
    // SAFETY: the driver passes a valid descriptor.
    let dacl = unsafe { security::capture_dacl(descriptor) };
    *device.descriptor.lock().unwrap() = dacl;
    STATUS_SUCCESS
}
