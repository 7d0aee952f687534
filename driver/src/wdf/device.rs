//! The control device.

use crate::nt::check;
use crate::wdf::driver::Driver;
use crate::wdf::request::Request;
use crate::wdf::{attributes, wdf_call};
use core::ptr;
use wdk_sys::{
    _WDF_EXECUTION_LEVEL, _WDF_FILEOBJECT_CLASS, _WDF_SYNCHRONIZATION_SCOPE, _WDF_TRI_STATE,
    FILE_DEVICE_SECURE_OPEN, NTSTATUS, PFN_WDF_DEVICE_FILE_CREATE, PFN_WDF_FILE_CLEANUP,
    PFN_WDF_FILE_CLOSE, PFN_WDF_IO_IN_CALLER_CONTEXT, PWDFDEVICE_INIT,
    STATUS_INSUFFICIENT_RESOURCES, TRUE, UNICODE_STRING, WDF_FILEOBJECT_CONFIG, WDFDEVICE,
};

/// What is called for a handle: all at PASSIVE_LEVEL.
pub(crate) struct FileCallbacks {
    /// Answers an open.
    pub(crate) create: PFN_WDF_DEVICE_FILE_CREATE,
    /// The last handle is closed. N.B. Requests that wait in queues are canceled after it.
    pub(crate) cleanup: PFN_WDF_FILE_CLEANUP,
    /// The last request is completed.
    pub(crate) close: PFN_WDF_FILE_CLOSE,
}

/// A control device in the making.
pub(crate) struct DeviceInit(PWDFDEVICE_INIT);

impl DeviceInit {
    /// For a device that `sddl` says who may open. Page "WdfControlDeviceInitAllocate".
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn control_device(driver: Driver, sddl: &UNICODE_STRING) -> Result<Self, NTSTATUS> {
        // SAFETY: our driver, and a string that is only read.
        let init = unsafe {
            wdf_call!(
                PFN_WDFCONTROLDEVICEINITALLOCATE,
                WdfControlDeviceInitAllocateTableIndex,
                driver.0,
                sddl,
            )
        };
        if init.is_null() {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        let init = Self(init);
        // The descriptor counts for names below the device as well.
        // SAFETY: not yet a device.
        unsafe {
            wdf_call!(
                PFN_WDFDEVICEINITSETCHARACTERISTICS,
                WdfDeviceInitSetCharacteristicsTableIndex,
                init.0,
                FILE_DEVICE_SECURE_OPEN,
                TRUE as u8,
            )
        };
        Ok(init)
    }

    /// Page "WdfDeviceInitAssignName". IRQL = PASSIVE_LEVEL.
    pub(crate) fn assign_name(&mut self, name: &UNICODE_STRING) -> Result<(), NTSTATUS> {
        // SAFETY: not yet a device; the string is copied.
        check(unsafe {
            wdf_call!(
                PFN_WDFDEVICEINITASSIGNNAME,
                WdfDeviceInitAssignNameTableIndex,
                self.0,
                name,
            )
        })
    }

    /// Page "WdfDeviceInitSetFileObjectConfig". IRQL = PASSIVE_LEVEL.
    pub(crate) fn set_file_callbacks(&mut self, callbacks: &FileCallbacks) {
        let mut config = WDF_FILEOBJECT_CONFIG {
            Size: size_of::<WDF_FILEOBJECT_CONFIG>() as u32,
            EvtDeviceFileCreate: callbacks.create,
            EvtFileClose: callbacks.close,
            EvtFileCleanup: callbacks.cleanup,
            AutoForwardCleanupClose: _WDF_TRI_STATE::WdfUseDefault,
            FileObjectClass: _WDF_FILEOBJECT_CLASS::WdfFileObjectWdfCannotUseFsContexts,
        };
        // SAFETY: not yet a device; the structure is copied.
        unsafe {
            wdf_call!(
                PFN_WDFDEVICEINITSETFILEOBJECTCONFIG,
                WdfDeviceInitSetFileObjectConfigTableIndex,
                self.0,
                &raw mut config,
                ptr::null_mut(),
            )
        };
    }

    /// `callback` gets every request first, in the thread that makes it, and hands it on with
    /// [`Device::enqueue_request`]. Page "WdfDeviceInitSetIoInCallerContextCallback".
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn set_io_in_caller_context_callback(
        &mut self,
        callback: PFN_WDF_IO_IN_CALLER_CONTEXT,
    ) {
        // SAFETY: not yet a device.
        unsafe {
            wdf_call!(
                PFN_WDFDEVICEINITSETIOINCALLERCONTEXTCALLBACK,
                WdfDeviceInitSetIoInCallerContextCallbackTableIndex,
                self.0,
                callback,
            )
        };
    }

    /// All callbacks of the device come at PASSIVE_LEVEL, and beside each other. Page
    /// "WdfDeviceCreate". IRQL = PASSIVE_LEVEL.
    pub(crate) fn create(mut self) -> Result<Device, NTSTATUS> {
        let mut attributes = attributes();
        attributes.ExecutionLevel = _WDF_EXECUTION_LEVEL::WdfExecutionLevelPassive;
        attributes.SynchronizationScope = _WDF_SYNCHRONIZATION_SCOPE::WdfSynchronizationScopeNone;
        let mut device = ptr::null_mut();
        // SAFETY: on success the framework takes the structure over and sets our pointer to null.
        check(unsafe {
            wdf_call!(
                PFN_WDFDEVICECREATE,
                WdfDeviceCreateTableIndex,
                &raw mut self.0,
                &raw mut attributes,
                &raw mut device,
            )
        })?;
        Ok(Device(device))
    }
}

impl Drop for DeviceInit {
    /// IRQL = PASSIVE_LEVEL.
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: no device was made of it.
            unsafe { wdf_call!(PFN_WDFDEVICEINITFREE, WdfDeviceInitFreeTableIndex, self.0) };
        }
    }
}

/// The framework deletes it after the driver's unload routine.
#[derive(Clone, Copy)]
pub(crate) struct Device(pub(super) WDFDEVICE);

// SAFETY: a handle that every thread may use.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// # Safety
    /// A device of this driver's.
    pub(crate) const unsafe fn new(device: WDFDEVICE) -> Self {
        Self(device)
    }

    /// Page "WdfDeviceCreateSymbolicLink". IRQL = PASSIVE_LEVEL.
    pub(crate) fn create_symbolic_link(self, name: &UNICODE_STRING) -> Result<(), NTSTATUS> {
        // SAFETY: our device; the string is copied.
        check(unsafe {
            wdf_call!(
                PFN_WDFDEVICECREATESYMBOLICLINK,
                WdfDeviceCreateSymbolicLinkTableIndex,
                self.0,
                name,
            )
        })
    }

    /// Hands a request on to the default queue; on failure it is still the caller's. Page
    /// "WdfDeviceEnqueueRequest". IRQL ≤ DISPATCH_LEVEL, in EvtIoInCallerContext.
    pub(crate) fn enqueue_request(self, request: Request) -> Result<(), (Request, NTSTATUS)> {
        // SAFETY: our device, and a request of its that is in no queue yet.
        let status = unsafe {
            wdf_call!(
                PFN_WDFDEVICEENQUEUEREQUEST,
                WdfDeviceEnqueueRequestTableIndex,
                self.0,
                request.as_ptr(),
            )
        };
        check(status).map_err(|status| (request, status))
    }

    /// From here on it can be opened. Page "WdfControlFinishInitializing". IRQL = PASSIVE_LEVEL.
    pub(crate) fn finish_initializing(self) {
        // SAFETY: our control device, with its queues.
        unsafe {
            wdf_call!(
                PFN_WDFCONTROLFINISHINITIALIZING,
                WdfControlFinishInitializingTableIndex,
                self.0,
            )
        };
    }

    /// Deletes it with its queues and work items. Page "WdfObjectDelete". IRQL = PASSIVE_LEVEL.
    ///
    /// # Safety
    /// Nothing that belongs to the device is used any more, and it was never finished.
    pub(crate) unsafe fn delete(self) {
        // SAFETY: our device, used no more, as the caller promises.
        unsafe {
            wdf_call!(
                PFN_WDFOBJECTDELETE,
                WdfObjectDeleteTableIndex,
                self.0.cast()
            )
        };
    }
}
