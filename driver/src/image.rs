//! The image notify routine.
//!
//! N.B. It may run with special kernel APCs off, where I/O never ends: it asks nothing that is not
//! in memory. `IMAGE_INFO_EX` adds the file object alone, which is of no use without I/O.

use crate::nt::critical_region::CriticalRegion;
use crate::nt::process::{Process, start_key_of};
use crate::nt::time::system_time;
use crate::nt::unicode_string::text;
use crate::nt::{self, image_notify};
use crate::state::STATE;
use ntwatch_engine::capture::ImageLoad;
use ntwatch_protocol::image::flags;
use ntwatch_protocol::record::Kind;
use wdk_sys::{HANDLE, IMAGE_INFO, NTSTATUS, PIMAGE_INFO, PUNICODE_STRING};

/// IRQL = PASSIVE_LEVEL.
pub(crate) fn register() -> Result<(), NTSTATUS> {
    image_notify::register(load_image_notify_routine)
}

/// When this returns, the routine runs nowhere any more. IRQL = PASSIVE_LEVEL.
pub(crate) fn unregister() -> Result<(), NTSTATUS> {
    image_notify::unregister(load_image_notify_routine)
}

/// Page "PLOAD_IMAGE_NOTIFY_ROUTINE". PASSIVE_LEVEL, in the thread that maps the image.
unsafe extern "C" fn load_image_notify_routine(
    name: PUNICODE_STRING,
    pid: HANDLE,
    info: PIMAGE_INFO,
) {
    if !STATE.capture.wants(Kind::ImageLoad) {
        return;
    }
    // SAFETY: valid during the call.
    if let Some(info) = unsafe { info.as_ref() } {
        // SAFETY: null, or as it is during the call.
        load(unsafe { text(name) }, pid, info);
    }
}

fn load(name: Option<&[u8]>, pid: HANDLE, info: &IMAGE_INFO) {
    let Some(ring) = STATE.ring.get() else {
        return;
    };
    // SAFETY: both members of the union are 32 bits that the system filled in.
    let properties = unsafe { info.__bindgen_anon_1.__bindgen_anon_1 };
    let is_kernel = pid.is_null() || properties.SystemModeImage() != 0;
    let bit = |is: bool, bit: u32| if is { bit } else { 0 };
    let load = ImageLoad {
        pid: nt::id(pid),
        key: if is_kernel { None } else { key_of(pid) },
        time: system_time(),
        base: info.ImageBase.addr() as u64,
        size: info.ImageSize,
        flags: bit(is_kernel, flags::KERNEL)
            | bit(properties.ImagePartialMap() != 0, flags::PARTIAL_MAP)
            | bit(
                properties.MachineTypeMismatch() != 0,
                flags::MACHINE_MISMATCH,
            ),
        signature_level: properties.ImageSignatureLevel(),
        signature_type: properties.ImageSignatureType(),
        name: name.filter(|name| !name.is_empty()),
    };
    let _region = CriticalRegion::enter();
    STATE.capture.image_load(ring, &load, || STATE.kick());
}

/// N.B. Nearly always the current process; the first image of a new one is mapped by a thread that
/// is attached to it.
fn key_of(pid: HANDLE) -> Option<u64> {
    match Process::current() {
        Some(process) if process.pid() == nt::id(pid) => Some(process.start_key()),
        _ => start_key_of(pid),
    }
}
