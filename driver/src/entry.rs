//! Loading and unloading.

use crate::altitude::Altitude;
use crate::device;
use crate::handle;
use crate::image;
use crate::nt::debug::print_failure;
use crate::nt::object_callbacks::Registration;
use crate::nt::pool::{InPool, Pool};
use crate::nt::push_lock::PushLock;
use crate::nt::time::system_time;
use crate::process;
use crate::state::STATE;
use crate::thread;
use crate::wdf::driver;
use crate::worker;
use core::ffi::CStr;
use ntwatch_engine::OutOfMemory;
use ntwatch_engine::capture::{RING_SIZE, reserve};
use ntwatch_engine::worker::Worker;
use ntwatch_ring::CaptureRing;
use wdk_sys::{
    DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS,
    WDFDRIVER,
};

/// What was begun and has to be ended.
struct Loaded {
    /// The memory of [`State::ring`](crate::state::State::ring).
    ring: Option<InPool<CaptureRing<'static>>>,
    process_notify: bool,
    thread_notify: bool,
    image_notify: bool,
    handle_callbacks: Option<Registration>,
}

impl Loaded {
    const NOTHING: Self = Self {
        ring: None,
        process_notify: false,
        thread_notify: false,
        image_notify: false,
        handle_callbacks: None,
    };
}

static LOADED: PushLock<Loaded> = PushLock::new(Loaded::NOTHING);

/// Page "DRIVER_INITIALIZE". PASSIVE_LEVEL.
///
/// # Safety
/// For the framework's entry point to call, once. It calls the symbol of this name, which no other
/// crate has.
#[unsafe(export_name = "DriverEntry")]
// The system discards this section when the framework's entry point, which is not in it, returns.
#[unsafe(link_section = "INIT")]
pub(crate) unsafe extern "system" fn driver_entry(
    object: &mut DRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the arguments are the system's own.
    let driver = unsafe { driver::create(object, registry_path, Some(evt_driver_unload)) };
    let loaded = driver.map_err(failed(c"WdfDriverCreate")).and_then(load);
    match loaded {
        Ok(()) => STATUS_SUCCESS,
        Err(status) => status,
    }
}

/// The status of a step that failed, with a line for the debugger.
fn failed(step: &'static CStr) -> impl FnOnce(NTSTATUS) -> NTSTATUS {
    move |status| {
        print_failure(step, status);
        status
    }
}

/// Does all or nothing.
fn load(driver: driver::Driver) -> Result<(), NTSTATUS> {
    STATE.load_id.set(system_time().cast_unsigned());
    let begun = begin(driver);
    if begun.is_err() {
        clean_up();
        if let Some(objects) = STATE.objects.get() {
            // SAFETY: callbacks and worker are gone, and nobody could open the device.
            unsafe { objects.device.delete() };
        }
    }
    begun
}

fn begin(driver: driver::Driver) -> Result<(), NTSTATUS> {
    let no_memory = |OutOfMemory| STATUS_INSUFFICIENT_RESOURCES;
    let worker = Worker::new()
        .map_err(no_memory)
        .map_err(failed(c"allocating the process table"))?;
    *STATE.worker.lock() = Some(worker);

    let ring = InPool::new(Pool::NonPaged, RING_SIZE, |words| {
        CaptureRing::new(words, reserve(RING_SIZE)).ok()
    })
    .map_err(failed(c"allocating the capture ring"))?;
    // SAFETY: the callbacks and the worker, which use it, are gone when `clean_up` frees it.
    STATE.ring.set(unsafe { ring.get() });
    LOADED.lock().ring = Some(ring);

    let altitude = Altitude::read(driver).map_err(failed(c"reading Parameters\\Altitude"))?;

    let objects = device::create(driver).map_err(failed(c"creating the device"))?;
    let device = objects.device;
    STATE.objects.set(objects);

    process::register().map_err(failed(c"PsSetCreateProcessNotifyRoutineEx2"))?;
    LOADED.lock().process_notify = true;
    thread::register().map_err(failed(c"PsSetCreateThreadNotifyRoutineEx"))?;
    LOADED.lock().thread_notify = true;
    image::register().map_err(failed(c"PsSetLoadImageNotifyRoutineEx"))?;
    LOADED.lock().image_notify = true;
    let handles = handle::register(altitude.as_unicode_string());
    let handles = handles.map_err(failed(c"ObRegisterCallbacks"))?;
    LOADED.lock().handle_callbacks = Some(handles);

    device.finish_initializing();
    Ok(())
}

/// Page "EVT_WDF_DRIVER_UNLOAD". PASSIVE_LEVEL; no handle is open, and no request outstanding.
/// N.B. Not called if `DriverEntry` fails.
unsafe extern "C" fn evt_driver_unload(_: WDFDRIVER) {
    clean_up();
}

/// Ends whatever was begun: first what calls us, then the worker, then the memory that both use.
fn clean_up() {
    let loaded = core::mem::replace(&mut *LOADED.lock(), Loaded::NOTHING);
    drop(loaded.handle_callbacks);
    let images = is_gone(
        loaded.image_notify,
        image::unregister,
        c"removing the image notify routine",
    );
    let threads = is_gone(
        loaded.thread_notify,
        thread::unregister,
        c"removing the thread notify routine",
    );
    let processes = is_gone(
        loaded.process_notify,
        process::unregister,
        c"removing the process notify routine",
    );
    worker::stop();
    if images && threads && processes {
        drop(loaded.ring);
    } else {
        // Documented for a routine that is not registered, which ours is. Should it happen all the
        // same, memory lost until the next boot is better than memory freed under a callback.
        core::mem::forget(loaded.ring);
    }
}

/// Is a routine registered no more? If it stays, with a line for the debugger.
fn is_gone(
    was_registered: bool,
    unregister: fn() -> Result<(), NTSTATUS>,
    step: &'static CStr,
) -> bool {
    !was_registered || unregister().map_err(failed(step)).is_ok()
}
