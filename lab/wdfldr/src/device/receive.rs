//! What the I/O manager sends, and where it goes.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, FILE_OBJECT, IRP};
use windows_sys::Wdk::System::SystemServices::{
    IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL,
    IRP_MJ_INTERNAL_DEVICE_CONTROL, IRP_MJ_READ, IRP_MJ_WRITE,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_NO_SUCH_DEVICE, STATUS_PENDING, STATUS_SUCCESS,
};

use super::Device;
use crate::file::{self, File};
use crate::kmdf::*;
use crate::nt::{Error, Irp};
use crate::object::{Object, Ref};
use crate::queue::End;
use crate::request::{self, Request};

/// The dispatch routine of every major function. At most APC_LEVEL.
pub(crate) unsafe extern "system" fn dispatch(
    device: *const DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: the I/O manager calls us for our device objects alone.
    let device = unsafe { Object::of_wdm(device) }.reference();
    let Some(irp) = NonNull::new(irp) else {
        return STATUS_INVALID_DEVICE_REQUEST;
    };
    // SAFETY: the I/O manager gives us the IRP.
    device.receive(unsafe { Irp::new(irp) })
}

impl Object<Device> {
    fn receive(&self, irp: Irp) -> NTSTATUS {
        match u32::from(irp.function().0) {
            IRP_MJ_CREATE => self.open(irp),
            IRP_MJ_CLEANUP => {
                if let Some(file) = self.file(irp.file_object()) {
                    file::clean_up(self, &file);
                }
                finish(irp, STATUS_SUCCESS)
            }
            IRP_MJ_CLOSE => {
                if let Some(file) = self.file(irp.file_object()) {
                    file::close(self, &file);
                }
                finish(irp, STATUS_SUCCESS)
            }
            IRP_MJ_DEVICE_CONTROL => self.take(irp, WdfRequestTypeDeviceControl),
            IRP_MJ_INTERNAL_DEVICE_CONTROL => self.take(irp, WdfRequestTypeDeviceControlInternal),
            IRP_MJ_READ => self.take(irp, WdfRequestTypeRead),
            IRP_MJ_WRITE => self.take(irp, WdfRequestTypeWrite),
            _ => finish(irp, STATUS_INVALID_DEVICE_REQUEST),
        }
    }

    /// The framework's object for an open file.
    pub(crate) fn file(&self, wdm: *mut FILE_OBJECT) -> Option<Ref<File>> {
        self.files()
            .lock()
            .iter()
            .find(|file| file.wdm() == wdm)
            .map(Object::reference)
    }

    fn open(&self, irp: Irp) -> NTSTATUS {
        if !self.open.load(Ordering::SeqCst) {
            return finish(irp, STATUS_NO_SUCH_DEVICE);
        }
        let Some(config) = self.config().file else {
            return finish(irp, STATUS_SUCCESS);
        };
        let file = match file::create(self, irp.file_object()) {
            Ok(file) => file,
            Err(status) => return finish(irp, status),
        };
        let Some(create) = config.EvtDeviceFileCreate else {
            return finish(irp, STATUS_SUCCESS);
        };
        let request = match Request::create(self, irp, WdfRequestTypeCreate, Some(file.reference()))
        {
            Ok(request) => request,
            Err(status) => {
                file::forget(self, &file);
                return finish(irp, status);
            }
        };
        irp.mark_pending();
        request.set_presented();
        let request = request::give_to_driver(request);
        // SAFETY: the driver's callback with its handles.
        unsafe { create(self.handle(), request, file.handle()) };
        STATUS_PENDING
    }

    /// Makes a request of an IRP and hands it to the driver's callback or a queue.
    fn take(&self, irp: Irp, kind: u32) -> NTSTATUS {
        let file = self.file(irp.file_object());
        let request = match Request::create(self, irp, kind, file) {
            Ok(request) => request,
            Err(status) => return finish(irp, status),
        };
        // N.B. KMDF pends every request it queues, even one that its driver completes at once.
        irp.mark_pending();
        if let Some(callback) = self.config().in_caller_context {
            request.set_presented();
            let handle = request::give_to_driver(request);
            // SAFETY: the driver's callback with its handles; it enqueues or completes.
            unsafe { callback(self.handle(), handle) };
        } else if let Err((request, status)) = self.enqueue(request) {
            let keep = request.reference();
            request::give_to_driver(request);
            request::complete(&keep, status, 0);
        }
        STATUS_PENDING
    }

    /// Moves a request that is in no queue to the default queue.
    pub(super) fn enqueue(&self, request: Ref<Request>) -> Result<(), (Ref<Request>, Error)> {
        let Some(queue) = self.default_queue() else {
            return Err((request, STATUS_INVALID_DEVICE_REQUEST));
        };
        queue.insert(request, End::Back)?;
        queue.dispatch();
        Ok(())
    }
}

fn finish(irp: Irp, status: NTSTATUS) -> NTSTATUS {
    irp.set_information(0);
    irp.complete(status, 0);
    status
}
