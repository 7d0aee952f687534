//! IRPs, and what the model keeps with each.

use std::cell::UnsafeCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, IO_STACK_LOCATION, IRP};
use windows_sys::Wdk::System::SystemServices::{
    IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL,
};
use windows_sys::Win32::Foundation::NTSTATUS;

use super::buffers::Buffers;
use super::file::File;
use crate::ob::ObjectRef;

const IO_TYPE_IRP: i16 = 6;
const USER_MODE: i8 = 1;
/// `IoMarkIrpPending` sets this in the driver's stack location.
const SL_PENDING_RETURNED: u8 = 1;

/// What a request asks for, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketInfo {
    /// `IRP_MJ_…`.
    pub major: u32,
    /// The control code, for `IRP_MJ_DEVICE_CONTROL`.
    pub control_code: u32,
    /// The process it was made in.
    pub process_id: u32,
    /// Is that a 32-bit process?
    pub is_32_bit: bool,
}

impl fmt::Display for PacketInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.major {
            IRP_MJ_CREATE => write!(f, "IRP_MJ_CREATE")?,
            IRP_MJ_CLEANUP => write!(f, "IRP_MJ_CLEANUP")?,
            IRP_MJ_CLOSE => write!(f, "IRP_MJ_CLOSE")?,
            IRP_MJ_DEVICE_CONTROL => write!(f, "IRP_MJ_DEVICE_CONTROL {:#x}", self.control_code)?,
            major => write!(f, "IRP_MJ {major}")?,
        }
        write!(f, " of pid {}", self.process_id)
    }
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The status.
    pub status: NTSTATUS,
    /// What the driver says about it: for a control request the number of bytes in `output`.
    pub information: usize,
    /// What the caller finds in its output buffer.
    pub output: Vec<u8>,
}

/// Called once with how the request ended, in the thread that completes it.
pub(super) type OnComplete = Box<dyn FnOnce(Completion) + Send>;

/// A request: the IRP that drivers see, and what the model keeps.
///
/// It stays in place, behind an `Arc`, and its address is the IRP's. It outlives its completion
/// as long as somebody may still cancel it.
#[repr(C)]
pub(super) struct Packet {
    irp: UnsafeCell<IRP>,
    location: UnsafeCell<IO_STACK_LOCATION>,
    info: PacketInfo,
    state: Mutex<State>,
    completed: Condvar,
}

struct State {
    /// `None` for IRP_MJ_CLOSE, which is sent because nobody holds the file any more.
    file: Option<ObjectRef<File>>,
    buffers: Buffers,
    on_complete: Option<OnComplete>,
    completion: Option<Completion>,
}

// SAFETY: the IRP and its location belong to the driver until it completes them, and are accessed by
// the rules Windows has for that; what both sides use at once is atomic. The rest is locked.
unsafe impl Send for Packet {}
// SAFETY: as above.
unsafe impl Sync for Packet {}

impl Packet {
    /// Makes a request with `location` for the driver. Devices here are not stacked: there is one
    /// location.
    pub(super) fn new(
        info: PacketInfo,
        file: Option<ObjectRef<File>>,
        location: IO_STACK_LOCATION,
        mut buffers: Buffers,
        on_complete: Option<OnComplete>,
    ) -> Arc<Packet> {
        let mut irp = IRP {
            Type: IO_TYPE_IRP,
            Size: size_of::<IRP>() as u16,
            RequestorMode: USER_MODE,
            StackCount: 1,
            CurrentLocation: 1,
            MdlAddress: buffers.mdl(),
            UserBuffer: buffers.user_output(),
            ..IRP::default()
        };
        irp.AssociatedIrp.SystemBuffer = buffers.system();
        let packet = Arc::new(Packet {
            irp: UnsafeCell::new(irp),
            location: UnsafeCell::new(location),
            info,
            state: Mutex::new(State {
                file,
                buffers,
                on_complete,
                completion: None,
            }),
            completed: Condvar::new(),
        });
        // SAFETY: nobody else knows the packet yet.
        let irp = unsafe { &mut *packet.irp.get() };
        irp.Tail.Overlay.Anonymous2.Anonymous.CurrentStackLocation = packet.location.get();
        packet
    }

    /// What drivers see.
    pub(super) fn irp(&self) -> *mut IRP {
        self.irp.get()
    }

    pub(super) fn info(&self) -> &PacketInfo {
        &self.info
    }

    /// The cancel routine's place in the IRP, which drivers exchange atomically.
    pub(super) fn cancel_routine(&self) -> &AtomicPtr<()> {
        // SAFETY: the IRP is live.
        let routine = unsafe { &raw mut (*self.irp()).CancelRoutine };
        // SAFETY: aligned, of a pointer's size, and used atomically by both sides
        // (`IoSetCancelRoutine`).
        unsafe { AtomicPtr::from_ptr(routine.cast()) }
    }

    /// The IRP's `Cancel`.
    pub(super) fn cancel(&self) -> &AtomicBool {
        // SAFETY: the IRP is live.
        let cancel = unsafe { &raw mut (*self.irp()).Cancel };
        // SAFETY: of a byte's size; drivers only read it.
        unsafe { AtomicBool::from_ptr(cancel) }
    }

    /// The IRQL that a cancel routine returns to when it releases the cancel spin lock.
    pub(super) fn set_cancel_irql(&self, irql: u8) {
        // SAFETY: written under the cancel spin lock, for the routine called next.
        unsafe { (*self.irp()).CancelIrql = irql };
    }

    /// The device it was sent to.
    pub(super) fn device(&self) -> *mut DEVICE_OBJECT {
        // SAFETY: set when the location was made, and left alone by drivers.
        unsafe { (*self.location.get()).DeviceObject }
    }

    /// Whether the driver called `IoMarkIrpPending`.
    pub(super) fn is_marked_pending(&self) -> bool {
        // SAFETY: the location outlives the request's completion, and the driver marks it before
        // its dispatch routine returns.
        unsafe { (*self.location.get()).Control & SL_PENDING_RETURNED != 0 }
    }

    /// Ends the request with what its IRP says. Returns the file, for the caller to let go.
    pub(super) fn finish(&self, status: NTSTATUS, information: usize) -> Option<ObjectRef<File>> {
        let mut state = self.state.lock().unwrap();
        let completion = Completion {
            status,
            information,
            output: state.buffers.take_output(&self.info, status, information),
        };
        let file = state.file.take();
        match state.on_complete.take() {
            Some(on_complete) => {
                state.completion = Some(Completion {
                    output: Vec::new(),
                    ..completion
                });
                drop(state);
                on_complete(completion);
            }
            None => {
                state.completion = Some(completion);
                drop(state);
            }
        }
        self.completed.notify_all();
        file
    }

    /// Waits for the end of the request and takes the result.
    pub(super) fn wait(&self) -> Completion {
        let state = self.state.lock().unwrap();
        let mut state = self
            .completed
            .wait_while(state, |state| state.completion.is_none())
            .unwrap();
        let completion = state.completion.as_mut().expect("it was waited for");
        Completion {
            output: std::mem::take(&mut completion.output),
            ..*completion
        }
    }

    /// Whether the request has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.state.lock().unwrap().completion.is_some()
    }

    /// The status and information a driver left in the IRP.
    pub(super) fn io_status(&self) -> (NTSTATUS, usize) {
        // SAFETY: called when the driver has completed the request: it does not touch it now.
        let io_status = unsafe { (*self.irp()).IoStatus };
        // SAFETY: every bit pattern is a status.
        (unsafe { io_status.Anonymous.Status }, io_status.Information)
    }

    /// Takes the cancel routine away, if there is one.
    pub(super) fn take_cancel_routine(&self) -> *mut () {
        self.cancel_routine()
            .swap(std::ptr::null_mut(), Ordering::AcqRel)
    }
}
