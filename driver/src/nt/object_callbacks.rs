//! Callbacks around the making of handles to processes and threads (page "ObRegisterCallbacks").

use crate::nt::check;
use crate::nt::process::Process;
use crate::nt::thread::Thread;
use core::ptr::{self, NonNull};
use wdk_sys::ntddk::{ObRegisterCallbacks, ObUnRegisterCallbacks};
use wdk_sys::{
    _OB_PREOP_CALLBACK_STATUS, NTSTATUS, OB_CALLBACK_REGISTRATION, OB_FLT_REGISTRATION_VERSION,
    OB_OPERATION_HANDLE_CREATE, OB_OPERATION_HANDLE_DUPLICATE, OB_OPERATION_REGISTRATION,
    OB_POST_OPERATION_INFORMATION, OB_PRE_OPERATION_INFORMATION, OB_PRE_OPERATION_PARAMETERS,
    POB_POST_OPERATION_INFORMATION, POB_PRE_OPERATION_INFORMATION, POBJECT_TYPE, PVOID,
    PsProcessType, PsThreadType, UNICODE_STRING,
};

/// What the system calls before a handle is made. N.B. Documented for PASSIVE_LEVEL; comes at
/// APC_LEVEL as well, as the routine after it does.
pub(crate) type PreOperationRoutine =
    unsafe extern "C" fn(PVOID, POB_PRE_OPERATION_INFORMATION) -> _OB_PREOP_CALLBACK_STATUS::Type;
/// What the system calls in the same thread once the handle is made, or is not.
pub(crate) type PostOperationRoutine = unsafe extern "C" fn(PVOID, POB_POST_OPERATION_INFORMATION);

/// What every [`PreOperationRoutine`] returns.
pub(crate) const SUCCESS: _OB_PREOP_CALLBACK_STATUS::Type =
    _OB_PREOP_CALLBACK_STATUS::OB_PREOP_SUCCESS;

/// Callbacks that are registered.
pub(crate) struct Registration(NonNull<core::ffi::c_void>);

// SAFETY: a token of the system's, good in every thread.
unsafe impl Send for Registration {}

/// From here on both are called, for handles that are opened or duplicated. IRQL ≤ APC_LEVEL.
pub(crate) fn register(
    altitude: UNICODE_STRING,
    pre: PreOperationRoutine,
    post: PostOperationRoutine,
) -> Result<Registration, NTSTATUS> {
    // SAFETY: set by the system before any driver is loaded, and never changed.
    let process_type = unsafe { PsProcessType };
    // SAFETY: as above.
    let thread_type = unsafe { PsThreadType };
    let mut operations = [process_type, thread_type].map(|of_type| OB_OPERATION_REGISTRATION {
        ObjectType: of_type,
        Operations: OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE,
        PreOperation: Some(pre),
        PostOperation: Some(post),
    });
    let mut registration = OB_CALLBACK_REGISTRATION {
        Version: OB_FLT_REGISTRATION_VERSION as u16,
        OperationRegistrationCount: operations.len() as u16,
        Altitude: altitude,
        RegistrationContext: ptr::null_mut(),
        OperationRegistration: operations.as_mut_ptr(),
    };
    let mut handle = ptr::null_mut();
    // SAFETY: structures on our stack, which are copied, and routines of this image, which stays
    // until they are unregistered.
    check(unsafe { ObRegisterCallbacks(&raw mut registration, &raw mut handle) })?;
    NonNull::new(handle)
        .map(Registration)
        .ok_or(wdk_sys::STATUS_INVALID_PARAMETER)
}

impl Drop for Registration {
    /// Returns when the last call has. Page "ObUnRegisterCallbacks". IRQL ≤ APC_LEVEL, and not from
    /// inside a call.
    fn drop(&mut self) {
        // SAFETY: registered by `register`, unregistered once.
        unsafe { ObUnRegisterCallbacks(self.0.as_ptr()) };
    }
}

/// What a handle is made to.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    Process(Process<'a>),
    Thread(Thread<'a>),
}

impl<'a> Target<'a> {
    /// # Safety
    /// A process or a thread, as the type says, which stays for `'a`.
    unsafe fn new(object: PVOID, of_type: POBJECT_TYPE) -> Option<Self> {
        // SAFETY: set by the system before any driver is loaded, and never changed.
        let thread = unsafe { PsThreadType };
        // SAFETY: likewise; where it points, the type is.
        if of_type == unsafe { *thread } {
            // SAFETY: as the caller promises.
            unsafe { Thread::new(object.cast()) }.map(Self::Thread)
        } else {
            // SAFETY: as the caller promises; registered for these two types.
            unsafe { Process::new(object.cast()) }.map(Self::Process)
        }
    }

    /// The process, or that of the thread. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn process(self) -> Option<Process<'a>> {
        match self {
            Self::Process(process) => Some(process),
            Self::Thread(thread) => thread.process(),
        }
    }

    pub(crate) const fn is_thread(self) -> bool {
        matches!(self, Self::Thread(_))
    }
}

/// A handle is about to be made.
pub(crate) struct PreOperation<'a> {
    information: &'a mut OB_PRE_OPERATION_INFORMATION,
    parameters: &'a mut OB_PRE_OPERATION_PARAMETERS,
}

impl<'a> PreOperation<'a> {
    /// # Safety
    /// What the routine was called with, for as long as it runs.
    pub(crate) unsafe fn new(information: POB_PRE_OPERATION_INFORMATION) -> Option<Self> {
        // SAFETY: as the caller promises.
        let information = unsafe { information.as_mut() }?;
        // SAFETY: as the caller promises; a structure of its own.
        let parameters = unsafe { information.Parameters.as_mut() }?;
        Some(Self {
            information,
            parameters,
        })
    }

    pub(crate) fn target(&self) -> Option<Target<'a>> {
        // SAFETY: the system holds the object during the call.
        unsafe { Target::new(self.information.Object, self.information.ObjectType) }
    }

    pub(crate) fn is_kernel_handle(&self) -> bool {
        // SAFETY: both members of the union are 32 bits that the system filled in.
        let flags = unsafe { self.information.__bindgen_anon_1.__bindgen_anon_1 };
        flags.KernelHandle() != 0
    }

    /// `OriginalDesiredAccess`.
    pub(crate) fn original(&self) -> u32 {
        // SAFETY: filled in by the system. N.B. Both members of the union begin alike.
        unsafe { self.parameters.CreateHandleInformation }.OriginalDesiredAccess
    }

    /// `DesiredAccess`, as drivers of higher altitudes and this one have left it so far.
    pub(crate) fn desired(&self) -> u32 {
        // SAFETY: as in `original`.
        unsafe { self.parameters.CreateHandleInformation }.DesiredAccess
    }

    /// Takes rights away.
    pub(crate) fn strip(&mut self, denied: u32) {
        // SAFETY: as in `original`.
        let access = unsafe { &mut self.parameters.CreateHandleInformation };
        access.DesiredAccess &= !denied;
    }

    /// Of a duplicate: the process whose handle it is of, and the one that gets it.
    pub(crate) fn duplicate(&self) -> Option<(Process<'a>, Process<'a>)> {
        if self.information.Operation != OB_OPERATION_HANDLE_DUPLICATE {
            return None;
        }
        // SAFETY: the member of this operation.
        let duplicate = unsafe { self.parameters.DuplicateHandleInformation };
        // SAFETY: the system holds both during the call.
        let source = unsafe { Process::new(duplicate.SourceProcess.cast()) }?;
        // SAFETY: as above.
        let target = unsafe { Process::new(duplicate.TargetProcess.cast()) }?;
        Some((source, target))
    }

    /// What [`PostOperation::context`] is to say.
    pub(crate) fn set_context(&mut self, context: u64) {
        self.information.CallContext = ptr::without_provenance_mut(context as usize);
    }
}

/// A handle was made, or was not.
pub(crate) struct PostOperation<'a>(&'a OB_POST_OPERATION_INFORMATION);

impl<'a> PostOperation<'a> {
    /// # Safety
    /// What the routine was called with, for as long as it runs.
    pub(crate) unsafe fn new(information: POB_POST_OPERATION_INFORMATION) -> Option<Self> {
        // SAFETY: as the caller promises.
        unsafe { information.as_ref() }.map(Self)
    }

    pub(crate) fn target(&self) -> Option<Target<'a>> {
        // SAFETY: the system holds the object during the call.
        unsafe { Target::new(self.0.Object, self.0.ObjectType) }
    }

    pub(crate) fn is_kernel_handle(&self) -> bool {
        // SAFETY: both members of the union are 32 bits that the system filled in.
        let flags = unsafe { self.0.__bindgen_anon_1.__bindgen_anon_1 };
        flags.KernelHandle() != 0
    }

    pub(crate) const fn is_duplicate(&self) -> bool {
        self.0.Operation == OB_OPERATION_HANDLE_DUPLICATE
    }

    /// 0 if [`PreOperation::set_context`] set none.
    pub(crate) fn context(&self) -> u64 {
        self.0.CallContext.addr() as u64
    }

    pub(crate) const fn status(&self) -> NTSTATUS {
        self.0.ReturnStatus
    }

    /// `GrantedAccess`, of an operation that succeeded.
    pub(crate) fn granted(&self) -> Option<u32> {
        check(self.0.ReturnStatus).ok()?;
        // SAFETY: valid during the call. N.B. On success only.
        let parameters = unsafe { self.0.Parameters.as_ref() }?;
        // SAFETY: filled in by the system; both members of the union are alike.
        Some(unsafe { parameters.CreateHandleInformation }.GrantedAccess)
    }
}
