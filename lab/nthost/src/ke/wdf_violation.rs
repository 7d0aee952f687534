//! What the framework stops the machine for, in words (page "Bug Check 0x10D: WDF_VIOLATION").

pub(super) const WDF_VIOLATION: u32 = 0x10d;

// The first parameter. Enumeration "WDF_BUGCHECK_CODES".
const REQUIRED_PARAMETER_IS_NULL: usize = 4;
const INVALID_HANDLE: usize = 5;
const REQUEST_FATAL_ERROR: usize = 6;
const OBJECT_ERROR: usize = 7;
const API_UNAVAILABLE: usize = 16;

// The second one of REQUEST_FATAL_ERROR. Enumeration "WDF_REQUEST_FATAL_ERROR_CODES".
const NULL_IRP: usize = 2;
const REQUEST_NOT_IN_QUEUE: usize = 5;

/// Which rule was broken, by the first two parameters; `None` if wdfldr stops for no such thing.
pub(super) fn rule(code: usize, detail: usize) -> Option<&'static str> {
    match (code, detail) {
        (REQUIRED_PARAMETER_IS_NULL, _) => Some("a handle or a parameter that is needed is null"),
        (INVALID_HANDLE, _) => Some("a handle is of no object of this type; was it deleted?"),
        (REQUEST_FATAL_ERROR, NULL_IRP) => Some("a request is used that was completed before"),
        (REQUEST_FATAL_ERROR, REQUEST_NOT_IN_QUEUE) => {
            Some("a request is given away that is not the driver's; was it before?")
        }
        // N.B. the second parameter is then the request.
        (REQUEST_FATAL_ERROR, _) => {
            Some("a request is completed or made cancelable that is cancelable already")
        }
        (OBJECT_ERROR, _) => Some("an object is deleted, or cannot be made, that has to be there"),
        (API_UNAVAILABLE, _) => Some("the framework has no such function"),
        _ => None,
    }
}
