//! Control devices: `WdfControlDevice…`, `WdfDevice…`.

mod api;
mod init;
mod receive;

use alloc::vec::Vec;
use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Win32::Foundation::UNICODE_STRING;

use crate::driver::Driver;
use crate::file::{self, File};
use crate::kmdf::{PFN_WDF_IO_IN_CALLER_CONTEXT, WDF_FILEOBJECT_CONFIG};
use crate::nt::{self, SpinLock};
use crate::object::{Attributes, Body, Kind, List, Object, Ref};
use crate::queue::Queue;
use crate::request::BufferMethod;

pub(crate) use api::*;
pub(crate) use init::*;
pub(crate) use receive::dispatch;

/// A control device.
pub(crate) struct Device {
    wdm: nt::Device,
    name: Name,
    config: Config,
    /// `WdfControlFinishInitializing` was called, and the driver is not being unloaded.
    open: AtomicBool,
    links: SpinLock<Vec<Name>>,
    files: SpinLock<List<File>>,
    queues: SpinLock<List<Queue>>,
    default_queue: SpinLock<Option<Ref<Queue>>>,
}

/// What the driver set in its `WDFDEVICE_INIT`, as far as it is asked for later.
pub(crate) struct Config {
    pub(crate) passive: bool,
    pub(crate) file: Option<WDF_FILEOBJECT_CONFIG>,
    pub(crate) file_attributes: Attributes,
    pub(crate) request_attributes: Attributes,
    pub(crate) in_caller_context: PFN_WDF_IO_IN_CALLER_CONTEXT,
    pub(crate) read_write: BufferMethod,
    pub(crate) characteristics: u32,
}

/// A counted string of our own.
pub(crate) struct Name(Vec<u16>);

impl Name {
    pub(crate) fn copy(units: &[u16]) -> Option<Self> {
        let mut name = Vec::new();
        name.try_reserve_exact(units.len()).ok()?;
        name.extend_from_slice(units);
        Some(Self(name))
    }

    pub(crate) fn units(&self) -> &[u16] {
        &self.0
    }

    /// Borrows the string as the DDIs want it.
    pub(crate) fn as_unicode(&self) -> UNICODE_STRING {
        nt::unicode_string(&self.0)
    }
}

impl Body for Device {
    const KIND: Kind = Kind::Device;

    fn dispose(this: &Object<Self>) {
        let links = core::mem::take(&mut *this.links.lock());
        for link in links {
            nt::delete_symbolic_link(&link.as_unicode());
        }
        *this.default_queue.lock() = None;
        if let Some(driver) = this.header().ancestor::<Driver>() {
            let member = driver.devices.lock().remove(this);
            drop(member);
        }
    }
}

impl Object<Device> {
    /// The device behind a WDM device object.
    ///
    /// # Safety
    /// The device object is one of ours, and alive for `'a`.
    unsafe fn of_wdm<'a>(device: *const windows_sys::Wdk::Foundation::DEVICE_OBJECT) -> &'a Self {
        // SAFETY: the caller's promise.
        let extension: *mut c_void = unsafe { nt::Device::extension(device) };
        // SAFETY: `WdfDeviceCreate` stored the handle there before the device was ready.
        unsafe { crate::object::object(extension) }
    }

    pub(crate) fn wdm(&self) -> &nt::Device {
        &self.wdm
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn files(&self) -> &SpinLock<List<File>> {
        &self.files
    }

    pub(crate) fn queues(&self) -> &SpinLock<List<Queue>> {
        &self.queues
    }

    pub(crate) fn default_queue(&self) -> Option<Ref<Queue>> {
        self.default_queue.lock().as_deref().map(Object::reference)
    }

    /// False if there is one already.
    pub(crate) fn set_default_queue(&self, queue: &Object<Queue>) -> bool {
        let mut default = self.default_queue.lock();
        let free = default.is_none();
        if free {
            *default = Some(queue.reference());
        }
        free
    }

    /// Forgets a queue that is being deleted.
    pub(crate) fn remove_queue(&self, queue: &Object<Queue>) {
        let member = self.queues.lock().remove(queue);
        let default = {
            let mut default = self.default_queue.lock();
            match default.as_deref() {
                Some(this) if core::ptr::eq(this, queue) => default.take(),
                _ => None,
            }
        };
        // Outside the locks: either may be the last reference.
        drop((member, default));
    }

    /// Calls `visit` for each queue, without a lock held.
    pub(crate) fn for_each_queue(&self, mut visit: impl FnMut(&Object<Queue>)) {
        for index in 0.. {
            let queue = self.queues.lock().iter().nth(index).map(Object::reference);
            let Some(queue) = queue else { return };
            visit(&queue);
        }
    }

    /// Ends every open handle as its clean-up and close would, and lets no more be opened. Comes
    /// before the deletion of a device, since files are below it.
    pub(crate) fn close_all(&self) {
        self.open.store(false, Ordering::SeqCst);
        loop {
            let file = self.files.lock().iter().next().map(Object::reference);
            let Some(file) = file else { break };
            file::close(self, &file);
        }
    }
}
