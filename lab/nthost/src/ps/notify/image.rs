//! Load-image routines: who is told of images that are mapped.

use super::Counter;
use super::guarded::Guarded;
use super::routines::Routines;
use super::text::Text;
use crate::exports::exports;
use crate::ke::callback::call_back_at_passive;
use crate::ps::NewImage;
use crate::ps::process::wide;
use crate::{Current, Leak};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use windows_sys::Wdk::System::SystemServices::{
    IMAGE_ADDRESSING_MODE_32BIT, IMAGE_INFO, IMAGE_INFO_0, IMAGE_INFO_EX,
    PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER_2,
    STATUS_PROCEDURE_NOT_FOUND, STATUS_SUCCESS, UNICODE_STRING,
};

exports! {
    PASSIVE_LEVEL: PsSetLoadImageNotifyRoutine, PsSetLoadImageNotifyRoutineEx;
    APC_LEVEL: PsRemoveLoadImageNotifyRoutine;
}

/// Page "PLOAD_IMAGE_NOTIFY_ROUTINE". Called at PASSIVE_LEVEL, in a critical region.
type NotifyRoutine =
    unsafe extern "win64" fn(*const UNICODE_STRING, process_id: usize, *const IMAGE_INFO);

/// What a routine was registered for.
#[derive(Debug)]
struct Options {
    /// Told of images of other architectures too.
    conflicting_architecture: bool,
}

/// The routines of one machine.
#[derive(Debug, Default)]
pub struct ImageNotify {
    routines: Routines<Options>,
    loads: Counter,
}

impl ImageNotify {
    /// The addresses of the routines that are registered.
    pub fn registered(&self) -> Vec<usize> {
        self.routines.registered()
    }

    /// What drivers registered and did not remove.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        self.routines.leaks("load-image")
    }

    /// How often drivers' routines were called since boot.
    pub fn calls(&self) -> u64 {
        self.loads.get()
    }

    /// Tells everybody that `image` was mapped in the process with this id; 0 for the kernel.
    pub(in crate::ps) fn load(&self, process: u32, image: &NewImage) {
        let name = image.name.as_deref().map(wide);
        self.routines.for_each(|address, options| {
            if image.machine_mismatch && !options.conflicting_architecture {
                return;
            }
            self.loads.add_one();
            let mut name = Text::of(name.as_deref());
            let name = name.as_mut().map_or(ptr::null_mut(), Text::pointer);
            let info = info(image, process == 0);
            if image.extended {
                let extended = extended(info);
                call(address, name, process, &raw const extended.ImageInfo);
            } else {
                // A driver that takes it for a part of more finds nothing there.
                call(address, name, process, Guarded::new(info).as_ptr());
            }
        });
    }

    fn add(&self, routine: *const c_void, conflicting_architecture: bool) -> NTSTATUS {
        let options = Options {
            conflicting_architecture,
        };
        match self.routines.add(routine as usize, options) {
            Ok(()) => STATUS_SUCCESS,
            Err(_) => STATUS_INSUFFICIENT_RESOURCES,
        }
    }
}

/// The bits of `Properties` (page "IMAGE_INFO").
mod properties {
    pub(super) const SYSTEM_MODE_IMAGE: u32 = 1 << 8;
    pub(super) const EXTENDED_INFO_PRESENT: u32 = 1 << 10;
    pub(super) const MACHINE_TYPE_MISMATCH: u32 = 1 << 11;
    /// Four bits.
    pub(super) const SIGNATURE_LEVEL: u32 = 12;
    /// Three bits.
    pub(super) const SIGNATURE_TYPE: u32 = 16;
    pub(super) const PARTIAL_MAP: u32 = 1 << 19;
}

/// What drivers are told.
fn info(image: &NewImage, kernel: bool) -> IMAGE_INFO {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    let properties = IMAGE_ADDRESSING_MODE_32BIT
        | flag(kernel, properties::SYSTEM_MODE_IMAGE)
        | flag(image.extended, properties::EXTENDED_INFO_PRESENT)
        | flag(image.machine_mismatch, properties::MACHINE_TYPE_MISMATCH)
        | u32::from(image.signature_level & 0xf) << properties::SIGNATURE_LEVEL
        | u32::from(image.signature_type & 0x7) << properties::SIGNATURE_TYPE
        | flag(image.partial_map, properties::PARTIAL_MAP);
    IMAGE_INFO {
        Anonymous: IMAGE_INFO_0 {
            Properties: properties,
        },
        ImageBase: image.base as *mut c_void,
        ImageSize: image.size as usize,
        ..IMAGE_INFO::default()
    }
}

/// The structure that `info` is a part of where drivers are shown more.
fn extended(info: IMAGE_INFO) -> IMAGE_INFO_EX {
    IMAGE_INFO_EX {
        Size: size_of::<IMAGE_INFO_EX>(),
        ImageInfo: info,
        // N.B. Windows has one here; the model opens no file.
        FileObject: ptr::null_mut(),
    }
}

/// Calls a driver's routine.
fn call(address: usize, name: *const UNICODE_STRING, process: u32, info: *const IMAGE_INFO) {
    // SAFETY: a driver registered this address as a routine of this type, in an image that stays
    // while the routine is registered and the call is running.
    let routine: NotifyRoutine = unsafe { std::mem::transmute(address) };
    call_back_at_passive("load-image", || {
        // SAFETY: the name is null or lives for the call, and so does the information.
        unsafe { routine(name, process as usize, info) }
    });
}

fn with_notify<R>(body: impl FnOnce(&ImageNotify) -> R) -> R {
    let kernel = Current::with(|current| Arc::clone(&current.kernel));
    body(&kernel.ps.image_notify)
}

/// IRQL = PASSIVE_LEVEL. Page "PsSetLoadImageNotifyRoutineEx".
extern "win64" fn PsSetLoadImageNotifyRoutineEx(routine: *const c_void, flags: usize) -> NTSTATUS {
    let known = PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE as usize;
    if flags & !known != 0 {
        return STATUS_INVALID_PARAMETER_2;
    }
    with_notify(|notify| notify.add(routine, flags & known != 0))
}

/// IRQL = PASSIVE_LEVEL. Page "PsSetLoadImageNotifyRoutine".
extern "win64" fn PsSetLoadImageNotifyRoutine(routine: *const c_void) -> NTSTATUS {
    with_notify(|notify| notify.add(routine, false))
}

/// IRQL ≤ APC_LEVEL. Removes what either function registered, when its last call is over.
extern "win64" fn PsRemoveLoadImageNotifyRoutine(routine: *const c_void) -> NTSTATUS {
    with_notify(|notify| match notify.routines.remove(routine as usize) {
        true => STATUS_SUCCESS,
        false => STATUS_PROCEDURE_NOT_FOUND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ps::NewProcess;
    use crate::ps::notify::guarded::is_readable;
    use crate::rtl::text;
    use crate::{Config, Kernel, LeakReport};
    use std::cell::RefCell;

    /// What a routine was told: name, process, properties, base and size, and the extended size.
    type Load = (Option<String>, usize, u32, usize, usize, Option<usize>);

    thread_local! {
        static LOADS: RefCell<Vec<Load>> = const { RefCell::new(Vec::new()) };
    }

    unsafe extern "win64" fn note(
        name: *const UNICODE_STRING,
        process: usize,
        info: *const IMAGE_INFO,
    ) {
        // SAFETY: null, or valid for the call.
        let name = (!name.is_null()).then(|| unsafe { text(name) });
        // SAFETY: valid for the call.
        let image = unsafe { &*info };
        // SAFETY: every bit pattern is a number.
        let properties = unsafe { image.Anonymous.Properties };
        let extended = (properties & properties::EXTENDED_INFO_PRESENT != 0).then(|| {
            let offset = std::mem::offset_of!(IMAGE_INFO_EX, ImageInfo);
            // SAFETY: the flag says that this is a part of the larger structure.
            let extended: *const IMAGE_INFO_EX = unsafe { info.byte_sub(offset) }.cast();
            // SAFETY: as above.
            unsafe { (*extended).Size }
        });
        let behind = info.wrapping_add(1);
        assert_eq!(is_readable(behind.cast(), 1), extended.is_some());
        let place = (image.ImageBase as usize, image.ImageSize);
        let load = (name, process, properties, place.0, place.1, extended);
        LOADS.with_borrow_mut(|loads| loads.push(load));
    }

    #[test]
    fn each_fact_of_an_image_has_its_place() {
        let kernel = Kernel::boot(Config::default());
        let process = kernel.add_process(NewProcess::default());
        let mismatched = NewImage {
            name: Some("a.dll".into()),
            base: 0x7ff0_0000,
            size: 0x5000,
            signature_level: 12,
            signature_type: 3,
            partial_map: true,
            machine_mismatch: true,
            ..NewImage::default()
        };
        let of_kernel = NewImage {
            extended: false,
            ..NewImage::default()
        };
        let load_both = || {
            kernel.load_image(Some(&process), mismatched.clone());
            kernel.load_image(None, of_kernel.clone());
        };
        kernel.enter(&process, || {
            let routine = note as *const c_void;
            let invalid = PsSetLoadImageNotifyRoutineEx(routine, 2);
            assert_eq!(invalid, STATUS_INVALID_PARAMETER_2);
            assert_eq!(PsSetLoadImageNotifyRoutineEx(routine, 1), STATUS_SUCCESS);
            load_both();
            let leaks = LeakReport::of(&kernel).to_string();
            assert!(leaks.contains("callback load-image at 0x"), "{leaks}");
            assert_eq!(PsRemoveLoadImageNotifyRoutine(routine), STATUS_SUCCESS);
            assert!(LeakReport::of(&kernel).is_empty());
            // Without the flag it is not told of other architectures.
            assert_eq!(PsSetLoadImageNotifyRoutine(routine), STATUS_SUCCESS);
            load_both();
            assert_eq!(PsRemoveLoadImageNotifyRoutine(routine), STATUS_SUCCESS);
            let status = PsRemoveLoadImageNotifyRoutine(routine);
            assert_eq!(status, STATUS_PROCEDURE_NOT_FOUND);
        });
        let size = size_of::<IMAGE_INFO_EX>();
        let first = (
            Some("a.dll".into()),
            process.id as usize,
            0x000b_cc03,
            0x7ff0_0000,
            0x5000,
            Some(size),
        );
        let second = (None, 0, 0x0000_0103, 0, 0, None);
        assert_eq!(LOADS.take(), [first, second.clone(), second]);
        assert_eq!(kernel.ps.image_notify.calls(), 3);
    }
}
