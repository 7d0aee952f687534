//! Control requests. All that they bring is checked before anything changes.

use crate::session::{self, Session};
use crate::state::STATE;
use crate::wdf::request::Request;
use ntwatch_protocol::configure::Configure;
use ntwatch_protocol::ioctl::{CONFIGURE, GET_STATS, GET_VERSION, READ_EVENTS, SHUTDOWN, Version};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_protocol::{PROTOCOL_MAJOR, PROTOCOL_MINOR};
use wdk_sys::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS, WDFQUEUE, WDFREQUEST,
};

/// Page "EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL". PASSIVE_LEVEL, as the device asks for.
pub(crate) unsafe extern "C" fn evt_io_device_control(
    _: WDFQUEUE,
    request: WDFREQUEST,
    output_length: usize,
    input_length: usize,
    code: u32,
) {
    // SAFETY: the queue gives us the request.
    if let Some(request) = unsafe { Request::new(request) } {
        device_control(request, code, input_length, output_length);
    }
}

fn device_control(request: Request, code: u32, input_length: usize, output_length: usize) {
    let Some(session) = request.file().and_then(session::of_file) else {
        return request.complete(STATUS_INVALID_HANDLE);
    };
    // CONFIGURE alone has input; nobody may rely on more being ignored.
    match code {
        GET_VERSION | READ_EVENTS | GET_STATS | SHUTDOWN if input_length != 0 => {
            request.complete(STATUS_INVALID_PARAMETER);
        }
        SHUTDOWN | CONFIGURE if output_length != 0 => request.complete(STATUS_INVALID_PARAMETER),
        CONFIGURE if input_length == 0 => request.complete(STATUS_INVALID_PARAMETER),
        GET_VERSION => request.complete_with(|answer| *answer = version()),
        CONFIGURE => {
            let status = match configure(session, &request) {
                Ok(()) => STATUS_SUCCESS,
                Err(status) => status,
            };
            request.complete(status);
        }
        READ_EVENTS => session.read(request),
        GET_STATS => request.complete_with(|stats| session.stats(stats)),
        SHUTDOWN => {
            STATE.shut_down();
            STATE.sessions.iter().for_each(Session::serve);
            request.complete(STATUS_SUCCESS);
        }
        _ => request.complete(STATUS_INVALID_DEVICE_REQUEST),
    }
}

fn configure(session: &Session, request: &Request) -> Result<(), NTSTATUS> {
    let input = request.input_buffer()?;
    let configure = Configure::parse(input).map_err(|_| STATUS_INVALID_PARAMETER)?;
    session.configure(&configure)
}

fn version() -> Version {
    const DRIVER_VERSION: [u16; 4] = [
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
        0,
    ];
    Version {
        size: size_of::<Version>() as u32,
        protocol_major: PROTOCOL_MAJOR,
        protocol_minor: PROTOCOL_MINOR,
        driver_version: DRIVER_VERSION,
        driver_load_id: STATE.load_id.get().copied().unwrap_or(0),
        kinds: Kind::ALL_EVENTS,
        max_record_size: MAX_RECORD_SIZE as u32,
    }
}

/// A decimal number, at compile time.
const fn number(text: &str) -> u16 {
    match u16::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("a part of the version is no number"),
    }
}

/// Page "EVT_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE". PASSIVE_LEVEL.
pub(crate) unsafe extern "C" fn evt_io_canceled_on_queue(_: WDFQUEUE, request: WDFREQUEST) {
    // SAFETY: the framework took the request off the queue and leaves its completion to us.
    let Some(request) = (unsafe { Request::new(request) }) else {
        return;
    };
    match request.file().and_then(session::of_file) {
        Some(session) => session.canceled(request),
        None => request.complete(wdk_sys::STATUS_CANCELLED),
    }
}
