//! What Win32 errors mean to a client. Needs nothing of Windows, so that it is tested anywhere.

use super::Fault;
use std::io;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_BAD_COMMAND, ERROR_DEV_NOT_EXIST, ERROR_FILE_NOT_FOUND,
    ERROR_INVALID_FUNCTION, ERROR_INVALID_NAME, ERROR_INVALID_PARAMETER, ERROR_NO_SUCH_DEVICE,
    ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ALL_ASSIGNED, ERROR_NOT_ENOUGH_QUOTA, ERROR_NOT_FOUND,
    ERROR_NOT_SUPPORTED, ERROR_OPERATION_ABORTED, ERROR_PATH_NOT_FOUND, ERROR_PRIVILEGE_NOT_HELD,
    ERROR_SHUTDOWN_IN_PROGRESS, ERROR_TOO_MANY_OPEN_FILES,
};

/// The fault that a Win32 error is (page "System Error Codes").
pub(crate) fn fault(error: io::Error) -> Fault {
    match error.raw_os_error().map_or(0, i32::cast_unsigned) {
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND | ERROR_INVALID_NAME | ERROR_DEV_NOT_EXIST
        | ERROR_NO_SUCH_DEVICE => Fault::NotFound,
        ERROR_ACCESS_DENIED => Fault::AccessDenied,
        ERROR_PRIVILEGE_NOT_HELD | ERROR_NOT_ALL_ASSIGNED => Fault::PrivilegeNotHeld,
        ERROR_NOT_FOUND => Fault::Missing,
        // STATUS_QUOTA_EXCEEDED
        ERROR_NOT_ENOUGH_QUOTA => Fault::Quota,
        ERROR_SHUTDOWN_IN_PROGRESS => Fault::ShuttingDown,
        ERROR_OPERATION_ABORTED => Fault::Stopped,
        // STATUS_TOO_MANY_OPENED_FILES
        ERROR_TOO_MANY_OPEN_FILES => Fault::NoRoom,
        ERROR_NO_SYSTEM_RESOURCES => Fault::NoMemory,
        ERROR_INVALID_FUNCTION => Fault::UnknownRequest,
        ERROR_NOT_SUPPORTED => Fault::NotSupported,
        // STATUS_INVALID_DEVICE_STATE
        ERROR_BAD_COMMAND => Fault::OutOfOrder,
        ERROR_INVALID_PARAMETER => Fault::BadParameter,
        _ => Fault::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::discriminant;

    #[test]
    fn the_errors_of_the_drivers_statuses_have_their_own_faults() {
        for (code, expected) in [
            (2, Fault::NotFound),
            (5, Fault::AccessDenied),
            (1314, Fault::PrivilegeNotHeld),
            (1300, Fault::PrivilegeNotHeld),
            (1168, Fault::Missing),
            (1816, Fault::Quota),
            (1115, Fault::ShuttingDown),
            (995, Fault::Stopped),
            (4, Fault::NoRoom),
            (1450, Fault::NoMemory),
            (1, Fault::UnknownRequest),
            (50, Fault::NotSupported),
            (22, Fault::OutOfOrder),
            (87, Fault::BadParameter),
        ] {
            let fault = fault(io::Error::from_raw_os_error(code));
            assert_eq!(
                discriminant(&fault),
                discriminant(&expected),
                "{code}: {fault:?}"
            );
        }
        assert!(matches!(
            fault(io::Error::from_raw_os_error(31)),
            Fault::Io(_)
        ));
    }
}
