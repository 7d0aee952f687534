//! Privileges of tokens.

use super::Token;
use crate::Current;
use crate::exports::exports;
use std::sync::atomic::{AtomicU64, Ordering};
use windows_sys::Wdk::System::SystemServices::{
    SE_CHANGE_NOTIFY_PRIVILEGE, SE_DEBUG_PRIVILEGE, SE_LOAD_DRIVER_PRIVILEGE,
};
use windows_sys::Win32::Foundation::{
    LUID, NTSTATUS, STATUS_NO_SUCH_PRIVILEGE, STATUS_NOT_ALL_ASSIGNED, STATUS_SUCCESS,
};

exports! {
    PASSIVE_LEVEL: SeSinglePrivilegeCheck;
}

const KERNEL_MODE: u8 = 0;

/// The privileges that tokens of the model have, by name and LUID (page "Privilege Constants").
const KNOWN: [(&str, i32); 3] = [
    ("SeLoadDriverPrivilege", SE_LOAD_DRIVER_PRIVILEGE),
    ("SeDebugPrivilege", SE_DEBUG_PRIVILEGE),
    ("SeChangeNotifyPrivilege", SE_CHANGE_NOTIFY_PRIVILEGE),
];

/// The privileges of a token, each a bit at the number that its LUID is.
#[derive(Debug, Default)]
pub struct Privileges {
    present: u64,
    enabled: AtomicU64,
}

impl Privileges {
    /// Those of an administrator: to load drivers and to debug, neither enabled.
    pub fn of_administrator() -> Privileges {
        let extra = 1 << SE_LOAD_DRIVER_PRIVILEGE | 1 << SE_DEBUG_PRIVILEGE;
        let of_user = Privileges::of_user();
        Privileges {
            present: of_user.present | extra,
            ..of_user
        }
    }

    /// Those that everybody has: to pass through folders, enabled.
    pub fn of_user() -> Privileges {
        Privileges {
            present: 1 << SE_CHANGE_NOTIFY_PRIVILEGE,
            enabled: AtomicU64::new(1 << SE_CHANGE_NOTIFY_PRIVILEGE),
        }
    }

    /// Those of the system: an administrator's, all enabled.
    pub fn of_system() -> Privileges {
        let present = Privileges::of_administrator().present;
        Privileges {
            present,
            enabled: AtomicU64::new(present),
        }
    }

    fn enabled(&self) -> u64 {
        self.enabled.load(Ordering::Relaxed)
    }
}

impl Clone for Privileges {
    fn clone(&self) -> Privileges {
        Privileges {
            present: self.present,
            enabled: AtomicU64::new(self.enabled()),
        }
    }
}

impl PartialEq for Privileges {
    fn eq(&self, other: &Privileges) -> bool {
        (self.present, self.enabled()) == (other.present, other.enabled())
    }
}

impl Eq for Privileges {}

impl Token {
    /// Enables a privilege such as `SeDebugPrivilege`, as `AdjustTokenPrivileges` does. Returns
    /// `STATUS_NOT_ALL_ASSIGNED`, which is no error, if the token does not have it, and
    /// `STATUS_NO_SUCH_PRIVILEGE` if the model does not know it.
    pub fn enable(&self, name: &str) -> NTSTATUS {
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        let Some((_, luid)) = known else {
            return STATUS_NO_SUCH_PRIVILEGE;
        };
        let bit = 1 << luid;
        if self.privileges.present & bit == 0 {
            return STATUS_NOT_ALL_ASSIGNED;
        }
        self.privileges.enabled.fetch_or(bit, Ordering::Relaxed);
        STATUS_SUCCESS
    }

    /// Is the privilege with this LUID enabled?
    fn is_enabled(&self, luid: LUID) -> bool {
        let bit = 1u64.checked_shl(luid.LowPart).unwrap_or(0);
        luid.HighPart == 0 && self.privileges.enabled() & bit != 0
    }
}

/// IRQL = PASSIVE_LEVEL. Whether the privilege is enabled in the current thread's token, which is
/// that of whom it impersonates if it does; on behalf of the kernel always.
extern "win64" fn SeSinglePrivilegeCheck(privilege: LUID, mode: u8) -> u8 {
    let token = Current::with(|current| current.thread.effective_token());
    let enabled = token.is_enabled(privilege);
    u8::from(mode == KERNEL_MODE || enabled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ps::NewProcess;
    use crate::{Config, Kernel};

    const USER_MODE: u8 = 1;

    fn luid(number: u32) -> LUID {
        LUID {
            LowPart: number,
            HighPart: 0,
        }
    }

    #[test]
    fn a_privilege_counts_once_it_is_enabled_and_only_who_has_it_can() {
        let kernel = Kernel::boot(Config::default());
        let check = |mode| SeSinglePrivilegeCheck(luid(SE_DEBUG_PRIVILEGE as u32), mode);
        let expected = [
            (Token::administrator(), STATUS_SUCCESS, 1),
            (Token::standard_user(), STATUS_NOT_ALL_ASSIGNED, 0),
        ];
        for (token, status, enabled) in expected {
            let process = kernel.add_process(NewProcess {
                token,
                ..NewProcess::default()
            });
            kernel.enter(&process, || {
                assert_eq!((check(USER_MODE), check(KERNEL_MODE)), (0, 1));
                assert_eq!(process.token.enable("SeDebugPrivilege"), status);
                assert_eq!(check(USER_MODE), enabled);
                let none = SeSinglePrivilegeCheck(luid(100), USER_MODE);
                assert_eq!(none, 0);
            });
        }
        let unknown = Token::system().enable("SeFlyPrivilege");
        assert_eq!(unknown, STATUS_NO_SUCH_PRIVILEGE);
    }

    #[test]
    fn a_thread_that_impersonates_has_the_privileges_of_the_other() {
        let kernel = Kernel::boot(Config::default());
        let check = || SeSinglePrivilegeCheck(luid(SE_DEBUG_PRIVILEGE as u32), USER_MODE);
        kernel.enter(&kernel.ps.system, || {
            kernel.impersonate(Token::standard_user(), || {
                assert_eq!(check(), 0);
                assert_eq!(kernel.impersonate(Token::system(), check), 1);
                assert_eq!(check(), 0);
            });
            assert_eq!(check(), 1);
        });
    }
}
