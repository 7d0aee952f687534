//! Queues of requests.

use crate::nt::check;
use crate::wdf::device::Device;
use crate::wdf::file::File;
use crate::wdf::request::Request;
use crate::wdf::wdf_call;
use core::ptr;
use wdk_sys::{
    _WDF_IO_QUEUE_DISPATCH_TYPE, _WDF_TRI_STATE, NTSTATUS, PFN_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE,
    PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL, TRUE, WDF_IO_QUEUE_CONFIG, WDFQUEUE,
};

/// Belongs to the device, and is deleted with it.
#[derive(Clone, Copy)]
pub(crate) struct Queue(pub(super) WDFQUEUE);

// SAFETY: a handle that every thread may use.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

/// `WDF_IO_QUEUE_CONFIG_INIT`, for a device without power.
fn config(dispatch: _WDF_IO_QUEUE_DISPATCH_TYPE::Type) -> WDF_IO_QUEUE_CONFIG {
    WDF_IO_QUEUE_CONFIG {
        Size: size_of::<WDF_IO_QUEUE_CONFIG>() as u32,
        DispatchType: dispatch,
        PowerManaged: _WDF_TRI_STATE::WdfFalse,
        ..WDF_IO_QUEUE_CONFIG::default()
    }
}

impl Queue {
    /// The device's default queue: hands every control request to `device_control` at once.
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn parallel(
        device: Device,
        device_control: PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL,
    ) -> Result<Self, NTSTATUS> {
        let mut config = config(_WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchParallel);
        config.DefaultQueue = TRUE as u8;
        config.EvtIoDeviceControl = device_control;
        config.Settings.Parallel.NumberOfPresentedRequests = u32::MAX;
        Self::create(device, config)
    }

    /// Requests wait here until they are retrieved, or canceled: then `canceled` completes them.
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn manual(
        device: Device,
        canceled: PFN_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE,
    ) -> Result<Self, NTSTATUS> {
        let mut config = config(_WDF_IO_QUEUE_DISPATCH_TYPE::WdfIoQueueDispatchManual);
        config.EvtIoCanceledOnQueue = canceled;
        Self::create(device, config)
    }

    /// Page "WdfIoQueueCreate".
    fn create(device: Device, mut config: WDF_IO_QUEUE_CONFIG) -> Result<Self, NTSTATUS> {
        let mut queue = ptr::null_mut();
        // SAFETY: our device, and structures on our stack.
        check(unsafe {
            wdf_call!(
                PFN_WDFIOQUEUECREATE,
                WdfIoQueueCreateTableIndex,
                device.0,
                &raw mut config,
                ptr::null_mut(),
                &raw mut queue,
            )
        })?;
        Ok(Self(queue))
    }

    /// The oldest request of `file` that waits here. Page
    /// "WdfIoQueueRetrieveRequestByFileObject". IRQL ≤ DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The file object is not closed yet.
    pub(crate) unsafe fn retrieve_request_by_file_object(self, file: File) -> Option<Request> {
        let mut request = ptr::null_mut();
        // SAFETY: our manual queue, and a file object that is there, as the caller promises.
        let status = unsafe {
            wdf_call!(
                PFN_WDFIOQUEUERETRIEVEREQUESTBYFILEOBJECT,
                WdfIoQueueRetrieveRequestByFileObjectTableIndex,
                self.0,
                file.as_ptr(),
                &raw mut request,
            )
        };
        check(status).ok()?;
        // SAFETY: on success the request is ours to complete.
        unsafe { Request::new(request) }
    }
}
