//! The control device: who may open it, and what is called for it.

use crate::ioctl::{evt_io_canceled_on_queue, evt_io_device_control, evt_io_in_caller_context};
use crate::nt::unicode_string::{unicode_string, utf16};
use crate::session;
use crate::state::Objects;
use crate::wdf::device::{Device, DeviceInit, FileCallbacks};
use crate::wdf::driver::Driver;
use crate::wdf::file::File;
use crate::wdf::queue::Queue;
use crate::wdf::request::Request;
use crate::wdf::work_item::WorkItem;
use crate::worker::evt_work_item;
use ntwatch_protocol::ioctl::{DEVICE_NAME, LINK_NAME, SDDL};
use wdk_sys::{
    NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, WDFDEVICE, WDFFILEOBJECT, WDFREQUEST,
};

static DEVICE_NAME_UNITS: [u16; DEVICE_NAME.len()] = utf16(DEVICE_NAME);
static LINK_NAME_UNITS: [u16; LINK_NAME.len()] = utf16(LINK_NAME);
static SDDL_UNITS: [u16; SDDL.len()] = utf16(SDDL);

/// Makes the device and all that belongs to it; nobody can open it yet. On failure nothing is
/// left. IRQL = PASSIVE_LEVEL.
pub(crate) fn create(driver: Driver) -> Result<Objects, NTSTATUS> {
    let mut init = DeviceInit::control_device(driver, &unicode_string(&SDDL_UNITS))?;
    init.assign_name(&unicode_string(&DEVICE_NAME_UNITS))?;
    init.set_file_callbacks(&FileCallbacks {
        create: Some(evt_device_file_create),
        cleanup: Some(evt_file_cleanup),
        close: Some(evt_file_close),
    });
    init.set_io_in_caller_context_callback(Some(evt_io_in_caller_context));
    let device = init.create()?;
    furnish(device).inspect_err(|_| {
        // SAFETY: nobody knows of it yet.
        unsafe { device.delete() };
    })
}

fn furnish(device: Device) -> Result<Objects, NTSTATUS> {
    device.create_symbolic_link(&unicode_string(&LINK_NAME_UNITS))?;
    Queue::parallel(device, Some(evt_io_device_control))?;
    Ok(Objects {
        device,
        pended_reads: Queue::manual(device, Some(evt_io_canceled_on_queue))?,
        work_item: WorkItem::create(device, Some(evt_work_item))?,
    })
}

/// Page "EVT_WDF_DEVICE_FILE_CREATE". PASSIVE_LEVEL, in the thread that opens.
unsafe extern "C" fn evt_device_file_create(
    _: WDFDEVICE,
    request: WDFREQUEST,
    file: WDFFILEOBJECT,
) {
    // SAFETY: the framework leaves the completion to us.
    let Some(request) = (unsafe { Request::new(request) }) else {
        return;
    };
    let status = match File::new(file).map(session::open) {
        Some(Ok(())) => STATUS_SUCCESS,
        Some(Err(status)) => status,
        None => STATUS_INVALID_PARAMETER,
    };
    request.complete(status);
}

/// Page "EVT_WDF_FILE_CLEANUP". PASSIVE_LEVEL.
unsafe extern "C" fn evt_file_cleanup(file: WDFFILEOBJECT) {
    if let Some(session) = File::new(file).and_then(session::of_file) {
        session.clean_up();
    }
}

/// Page "EVT_WDF_FILE_CLOSE". PASSIVE_LEVEL.
unsafe extern "C" fn evt_file_close(file: WDFFILEOBJECT) {
    if let Some(session) = File::new(file).and_then(session::of_file) {
        session.close();
    }
}
