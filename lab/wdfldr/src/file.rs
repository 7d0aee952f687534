//! Open files: `WdfFileObject…` and the life of one, create to close.

use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use windows_sys::Wdk::Foundation::FILE_OBJECT;

use crate::device::Device;
use crate::kmdf::*;
use crate::nt::Error;
use crate::object::{self, Body, Kind, Object, Ref, adopt, delete, handle_or_null};

/// A file object of the I/O manager, open on one of our devices.
pub(crate) struct File {
    wdm: AtomicPtr<FILE_OBJECT>,
    cleaned_up: AtomicBool,
    closed: AtomicBool,
}

impl Body for File {
    const KIND: Kind = Kind::File;
}

impl File {
    pub(crate) fn wdm(&self) -> *mut FILE_OBJECT {
        self.wdm.load(Ordering::Relaxed)
    }
}

/// Makes the object and enters it in the device's list.
pub(crate) fn create(device: &Object<Device>, wdm: *mut FILE_OBJECT) -> Result<Ref<File>, Error> {
    let body = File {
        wdm: AtomicPtr::new(wdm),
        cleaned_up: AtomicBool::new(false),
        closed: AtomicBool::new(false),
    };
    let file = Object::create(&device.config().file_attributes, Some(device.any()), body)?;
    let member = file.reference();
    adopt(file.reference())?;
    device.files().lock().push_back(member);
    Ok(file)
}

/// Undoes [`create`] for an open that failed: neither clean-up nor close will come.
pub(crate) fn forget(device: &Object<Device>, file: &Object<File>) {
    let member = device.files().lock().remove(file);
    if member.is_some() {
        delete(file.header());
    }
}

/// The last handle is closed. EvtFileCleanup first; only then does the framework cancel the file's
/// requests that wait in queues. PASSIVE_LEVEL.
pub(crate) fn clean_up(device: &Object<Device>, file: &Object<File>) {
    if file.cleaned_up.swap(true, Ordering::SeqCst) {
        return;
    }
    if let Some(callback) = device
        .config()
        .file
        .and_then(|config| config.EvtFileCleanup)
    {
        // SAFETY: the driver's callback with its handle.
        unsafe { callback(file.handle()) };
    }
    device.for_each_queue(|queue| queue.cancel_all(|request| request.is_of(file)));
}

/// The last reference is gone. PASSIVE_LEVEL.
pub(crate) fn close(device: &Object<Device>, file: &Object<File>) {
    if file.closed.swap(true, Ordering::SeqCst) {
        return;
    }
    // N.B. Windows always sends IRP_MJ_CLEANUP before IRP_MJ_CLOSE; Wine 8 never does.
    clean_up(device, file);
    if let Some(callback) = device.config().file.and_then(|config| config.EvtFileClose) {
        // SAFETY: the driver's callback with its handle.
        unsafe { callback(file.handle()) };
    }
    forget(device, file);
}

pub(crate) unsafe extern "system" fn get_file_name(
    _: PWDF_DRIVER_GLOBALS,
    file: WDFFILEOBJECT,
) -> PUNICODE_STRING {
    // SAFETY: the driver's handle.
    let wdm = unsafe { object::object::<File>(file) }.wdm();
    match wdm.is_null() {
        true => core::ptr::null_mut(),
        // SAFETY: the I/O manager keeps the file object until IRP_MJ_CLOSE is completed.
        false => unsafe { &raw mut (*wdm).FileName },
    }
}

pub(crate) unsafe extern "system" fn get_flags(
    _: PWDF_DRIVER_GLOBALS,
    file: WDFFILEOBJECT,
) -> ULONG {
    // SAFETY: the driver's handle.
    let wdm = unsafe { object::object::<File>(file) }.wdm();
    match wdm.is_null() {
        true => 0,
        // SAFETY: as in `get_file_name`.
        false => unsafe { (*wdm).Flags },
    }
}

pub(crate) unsafe extern "system" fn get_device(
    _: PWDF_DRIVER_GLOBALS,
    file: WDFFILEOBJECT,
) -> WDFDEVICE {
    // SAFETY: the driver's handle.
    let file = unsafe { object::object::<File>(file) };
    handle_or_null(file.header().ancestor::<Device>())
}

pub(crate) unsafe extern "system" fn wdm_get_file_object(
    _: PWDF_DRIVER_GLOBALS,
    file: WDFFILEOBJECT,
) -> PFILE_OBJECT {
    // SAFETY: the driver's handle.
    unsafe { object::object::<File>(file) }.wdm()
}
