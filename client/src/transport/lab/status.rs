//! What statuses mean to a client.

use crate::transport::Fault;
use ntwatch_protocol::ioctl::{
    STATUS_NOT_FOUND, STATUS_NOT_SUPPORTED, STATUS_PRIVILEGE_NOT_HELD, STATUS_QUOTA_EXCEEDED,
    STATUS_SHUTDOWN, STATUS_TOO_MANY_SESSIONS,
};

/// What an NTSTATUS means to a client (page "NTSTATUS Values").
pub(super) fn fault(status: u32) -> Fault {
    match status {
        // NO_SUCH_DEVICE, OBJECT_NAME_NOT_FOUND, OBJECT_PATH_NOT_FOUND
        0xC000_000E | 0xC000_0034 | 0xC000_003A => Fault::NotFound,
        // ACCESS_DENIED
        0xC000_0022 => Fault::AccessDenied,
        STATUS_SHUTDOWN => Fault::ShuttingDown,
        // PRIVILEGE_NOT_HELD; of AdjustTokenPrivileges, NOT_ALL_ASSIGNED
        STATUS_PRIVILEGE_NOT_HELD | 0x0000_0106 => Fault::PrivilegeNotHeld,
        STATUS_NOT_FOUND => Fault::Missing,
        STATUS_QUOTA_EXCEEDED => Fault::Quota,
        // CANCELLED
        0xC000_0120 => Fault::Stopped,
        STATUS_TOO_MANY_SESSIONS => Fault::NoRoom,
        // INSUFFICIENT_RESOURCES
        0xC000_009A => Fault::NoMemory,
        // INVALID_DEVICE_REQUEST
        0xC000_0010 => Fault::UnknownRequest,
        STATUS_NOT_SUPPORTED => Fault::NotSupported,
        // INVALID_DEVICE_STATE
        0xC000_0184 => Fault::OutOfOrder,
        // INVALID_PARAMETER
        0xC000_000D => Fault::BadParameter,
        other => Fault::Status(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::discriminant;

    #[test]
    fn the_drivers_statuses_have_their_own_faults() {
        for (status, expected) in [
            (0xC000_0034, Fault::NotFound),
            (0xC000_0022, Fault::AccessDenied),
            (0xC000_0061, Fault::PrivilegeNotHeld),
            (0x0000_0106, Fault::PrivilegeNotHeld),
            (0xC000_0225, Fault::Missing),
            (0xC000_0044, Fault::Quota),
            (0xC000_02FE, Fault::ShuttingDown),
            (0xC000_0120, Fault::Stopped),
            (0xC000_011F, Fault::NoRoom),
            (0xC000_009A, Fault::NoMemory),
            (0xC000_0010, Fault::UnknownRequest),
            (0xC000_00BB, Fault::NotSupported),
            (0xC000_0184, Fault::OutOfOrder),
            (0xC000_000D, Fault::BadParameter),
            (0xC000_0001, Fault::Status(0xC000_0001)),
        ] {
            let fault = fault(status);
            assert_eq!(
                discriminant(&fault),
                discriminant(&expected),
                "{status:#x}: {fault:?}"
            );
        }
    }
}
