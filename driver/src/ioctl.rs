//! Control requests. All that they bring is checked before anything changes.

use crate::nt::privilege::has_debug_privilege;
use crate::protect;
use crate::session::{self, Session};
use crate::state::STATE;
use crate::wdf::device::Device;
use crate::wdf::request::Request;
use ntwatch_protocol::configure::Configure;
use ntwatch_protocol::ioctl::{
    CONFIGURE, GET_STATS, GET_VERSION, MAP_RING, PROTECT_ADD, PROTECT_LIST, PROTECT_REMOVE,
    READ_EVENTS, SHUTDOWN, STATUS_NOT_SUPPORTED, STATUS_PRIVILEGE_NOT_HELD, Version,
};
use ntwatch_protocol::mapped::{MapRing, MappedRing};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use ntwatch_protocol::{PROTOCOL_MAJOR, PROTOCOL_MINOR};
use wdk_sys::{
    NTSTATUS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS, WDFDEVICE, WDFQUEUE, WDFREQUEST,
};

/// Page "EVT_WDF_IO_IN_CALLER_CONTEXT". In the thread that asks; PASSIVE_LEVEL for user mode's.
///
/// The one place where the caller's privileges can be asked about, and where it can be given
/// handles. Whatever the queue hands out has passed here, so nothing needs to be noted in the
/// request. N.B. Kernel mode's come at up to DISPATCH_LEVEL, and in whatever thread: none of them
/// is let to the rules, or gets a handle.
pub(crate) unsafe extern "C" fn evt_io_in_caller_context(device: WDFDEVICE, request: WDFREQUEST) {
    // SAFETY: the framework leaves it to us to complete the request or to hand it on.
    let Some(request) = (unsafe { Request::new(request) }) else {
        return;
    };
    match request.control_code() {
        Some(PROTECT_ADD | PROTECT_REMOVE | PROTECT_LIST)
            if !(request.is_from_user_mode() && has_debug_privilege()) =>
        {
            return request.complete(STATUS_PRIVILEGE_NOT_HELD as NTSTATUS);
        }
        Some(MAP_RING) => return map_ring(request),
        _ => {}
    }
    // SAFETY: our device.
    let device = unsafe { Device::new(device) };
    if let Err((request, status)) = device.enqueue_request(request) {
        request.complete(status);
    }
}

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
    // Nobody may rely on more being ignored than a request asks for.
    match code {
        GET_VERSION | READ_EVENTS | GET_STATS | PROTECT_LIST | SHUTDOWN if input_length != 0 => {
            request.complete(STATUS_INVALID_PARAMETER);
        }
        CONFIGURE | PROTECT_ADD | PROTECT_REMOVE | SHUTDOWN if output_length != 0 => {
            request.complete(STATUS_INVALID_PARAMETER);
        }
        GET_VERSION => request.complete_with(|answer| *answer = version()),
        CONFIGURE => {
            let result = configure(session, &request);
            complete(request, result);
        }
        READ_EVENTS => session.read(request),
        GET_STATS => {
            // A client that reads in place has made room of which nobody was told.
            session.serve();
            request.complete_with(|stats| session.stats(stats));
        }
        PROTECT_ADD => {
            let result = protect::add(session, &request);
            complete(request, result);
        }
        PROTECT_REMOVE => {
            let result = protect::remove(session, &request);
            complete(request, result);
        }
        PROTECT_LIST => protect::list(session, request),
        SHUTDOWN => {
            STATE.shut_down();
            STATE.sessions.iter().for_each(Session::serve);
            request.complete(STATUS_SUCCESS);
        }
        _ => request.complete(STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// Completes a request that has no answer but how it went.
fn complete(request: Request, result: Result<(), NTSTATUS>) {
    request.complete(match result {
        Ok(()) => STATUS_SUCCESS,
        Err(status) => status,
    });
}

fn configure(session: &Session, request: &Request) -> Result<(), NTSTATUS> {
    let input = request.input_buffer()?;
    let configure = Configure::parse(input).map_err(|_| STATUS_INVALID_PARAMETER)?;
    session.configure(&configure)
}

/// In a thread of the process that asks.
fn map_ring(request: Request) {
    match mapped_ring(&request) {
        Ok(mapped) => request.complete_with(|answer| *answer = mapped),
        Err(status) => request.complete(status),
    }
}

fn mapped_ring(request: &Request) -> Result<MappedRing, NTSTATUS> {
    if !request.is_from_user_mode() || request.is_from_32_bit_process() {
        return Err(STATUS_NOT_SUPPORTED as NTSTATUS);
    }
    let wanted: MapRing = request.input()?;
    // Before there are handles that nobody would learn of.
    let _ = request.output_buffer(size_of::<MappedRing>())?;
    if !wanted.is_valid() {
        return Err(STATUS_INVALID_PARAMETER);
    }
    let session = request.file().and_then(session::of_file);
    session.ok_or(STATUS_INVALID_HANDLE)?.map_ring(&wanted)
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
