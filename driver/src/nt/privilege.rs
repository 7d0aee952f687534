//! Privileges.

use wdk_sys::ntddk::SeSinglePrivilegeCheck;
use wdk_sys::{_MODE, KPROCESSOR_MODE, LUID};

/// `SE_DEBUG_PRIVILEGE`.
const DEBUG: LUID = LUID {
    LowPart: 20,
    HighPart: 0,
};

/// Has the thread that asks `SeDebugPrivilege`, and is it enabled? Page "SeSinglePrivilegeCheck".
/// IRQL = PASSIVE_LEVEL.
pub(crate) fn has_debug_privilege() -> bool {
    // SAFETY: no precondition. N.B. For kernel mode the answer would always be yes.
    unsafe { SeSinglePrivilegeCheck(DEBUG, _MODE::UserMode as KPROCESSOR_MODE) != 0 }
}
