//! A driver's callbacks, and how they are called.

use super::Operation;
use crate::ke::bug_check;
use crate::ke::callback::call_back;
use crate::ob::{Kind, ObjectType};
use std::ffi::c_void;
use std::ptr;
use windows_sys::Wdk::System::SystemServices::{
    OB_OPERATION_HANDLE_CREATE, OB_OPERATION_HANDLE_DUPLICATE, OB_POST_CREATE_HANDLE_INFORMATION,
    OB_POST_DUPLICATE_HANDLE_INFORMATION, OB_POST_OPERATION_INFORMATION,
    OB_POST_OPERATION_INFORMATION_0, OB_POST_OPERATION_PARAMETERS,
    OB_PRE_CREATE_HANDLE_INFORMATION, OB_PRE_DUPLICATE_HANDLE_INFORMATION,
    OB_PRE_OPERATION_INFORMATION, OB_PRE_OPERATION_INFORMATION_0, OB_PRE_OPERATION_PARAMETERS,
    OB_PREOP_SUCCESS,
};
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_SUCCESS};

/// Page "POB_PRE_OPERATION_CALLBACK". Called at PASSIVE_LEVEL or, whatever the page says,
/// APC_LEVEL, in a critical region.
pub(super) type PreOperation =
    unsafe extern "win64" fn(*mut c_void, *mut OB_PRE_OPERATION_INFORMATION) -> i32;

/// Page "POB_POST_OPERATION_CALLBACK". Called as the one before.
pub(super) type PostOperation =
    unsafe extern "win64" fn(*mut c_void, *const OB_POST_OPERATION_INFORMATION);

/// The bit of `Flags` that is `KernelHandle`.
const KERNEL_HANDLE: u32 = 1;

/// What a driver registered.
#[derive(Debug)]
pub(super) struct DriverCallbacks {
    pub(super) entries: Vec<Entry>,
}

/// The callbacks for one type of object.
#[derive(Debug)]
pub(super) struct Entry {
    /// The driver's `RegistrationContext`.
    pub(super) context: usize,
    pub(super) kind: Kind,
    /// `OB_OPERATION_*`.
    pub(super) operations: u32,
    pub(super) pre: Option<PreOperation>,
    pub(super) post: Option<PostOperation>,
}

impl DriverCallbacks {
    /// The callbacks that `operation` concerns.
    pub(super) fn entry(&self, operation: &Operation<'_>) -> Option<&Entry> {
        let concerns = |entry: &&Entry| {
            entry.kind == operation.object.kind() && entry.operations & operation.code() != 0
        };
        self.entries.iter().find(concerns)
    }
}

impl Operation<'_> {
    /// `OB_OPERATION_*`.
    fn code(&self) -> u32 {
        match self.duplicate {
            None => OB_OPERATION_HANDLE_CREATE,
            Some(_) => OB_OPERATION_HANDLE_DUPLICATE,
        }
    }

    fn flags(&self) -> u32 {
        if self.kernel_handle { KERNEL_HANDLE } else { 0 }
    }

    fn object_type(&self) -> *const ObjectType {
        ObjectType::of(self.object.kind()).map_or(ptr::null(), ptr::from_ref)
    }
}

impl Entry {
    /// Asks the driver. Returns the access it leaves of `desired`, and its `CallContext`.
    pub(super) fn pre(&self, operation: &Operation<'_>, desired: u32) -> (u32, *mut c_void) {
        let Some(pre) = self.pre else {
            return (desired, ptr::null_mut());
        };
        let (original, desired) = (operation.original, desired);
        let mut parameters = match operation.duplicate {
            None => OB_PRE_OPERATION_PARAMETERS {
                CreateHandleInformation: OB_PRE_CREATE_HANDLE_INFORMATION {
                    DesiredAccess: desired,
                    OriginalDesiredAccess: original,
                },
            },
            Some((source, target)) => OB_PRE_OPERATION_PARAMETERS {
                DuplicateHandleInformation: OB_PRE_DUPLICATE_HANDLE_INFORMATION {
                    DesiredAccess: desired,
                    OriginalDesiredAccess: original,
                    SourceProcess: source.as_ptr().cast(),
                    TargetProcess: target.as_ptr().cast(),
                },
            },
        };
        let mut information = OB_PRE_OPERATION_INFORMATION {
            Operation: operation.code(),
            Anonymous: OB_PRE_OPERATION_INFORMATION_0 {
                Flags: operation.flags(),
            },
            Object: operation.object.body(),
            ObjectType: operation.object_type() as _,
            CallContext: ptr::null_mut(),
            Parameters: &raw mut parameters,
        };
        let status = call_back("pre-operation", || {
            // SAFETY: the driver registered a routine of this type, in an image that stays until
            // its calls are over. The object is referenced, all else are locals.
            unsafe { pre(self.context as *mut c_void, &raw mut information) }
        });
        if status != OB_PREOP_SUCCESS {
            bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "a pre-operation routine returned {status}, not OB_PREOP_SUCCESS"
            );
        }
        // SAFETY: both structures begin with the access.
        let left = unsafe { parameters.CreateHandleInformation.DesiredAccess };
        (left, information.CallContext)
    }

    /// Tells the driver how it ended; `false` if it does not want to know.
    pub(super) fn post(
        &self,
        operation: &Operation<'_>,
        context: *mut c_void,
        outcome: Result<u32, NTSTATUS>,
    ) -> bool {
        let Some(post) = self.post else {
            return false;
        };
        let granted = outcome.unwrap_or(0);
        let mut parameters = match operation.duplicate {
            None => OB_POST_OPERATION_PARAMETERS {
                CreateHandleInformation: OB_POST_CREATE_HANDLE_INFORMATION {
                    GrantedAccess: granted,
                },
            },
            Some(_) => OB_POST_OPERATION_PARAMETERS {
                DuplicateHandleInformation: OB_POST_DUPLICATE_HANDLE_INFORMATION {
                    GrantedAccess: granted,
                },
            },
        };
        let information = OB_POST_OPERATION_INFORMATION {
            Operation: operation.code(),
            Anonymous: OB_POST_OPERATION_INFORMATION_0 {
                Flags: operation.flags(),
            },
            Object: operation.object.body(),
            ObjectType: operation.object_type() as _,
            CallContext: context,
            ReturnStatus: outcome.err().unwrap_or(STATUS_SUCCESS),
            // Valid on success only: a driver that looks all the same shall notice.
            Parameters: match outcome {
                Ok(_) => &raw mut parameters,
                Err(_) => ptr::null_mut(),
            },
        };
        call_back("post-operation", || {
            // SAFETY: as in `pre`.
            unsafe { post(self.context as *mut c_void, &raw const information) }
        });
        true
    }
}
