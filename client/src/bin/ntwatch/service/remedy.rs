//! What to do about what Windows says.

use std::io;
use windows_sys::Win32::Foundation::{
    CERT_E_CHAINING, CERT_E_UNTRUSTEDROOT, CERT_E_UNTRUSTEDTESTROOT, ERROR_DRIVER_BLOCKED,
    ERROR_FILE_NOT_FOUND, ERROR_INVALID_IMAGE_HASH, ERROR_MOD_NOT_FOUND, ERROR_PROC_NOT_FOUND,
    ERROR_REQUIRES_INTERACTIVE_WINDOWSTATION, ERROR_SERVICE_DISABLED,
    ERROR_SERVICE_MARKED_FOR_DELETE, SPAPI_E_AUTHENTICODE_DISALLOWED,
    SPAPI_E_AUTHENTICODE_PUBLISHER_NOT_TRUSTED, SPAPI_E_AUTHENTICODE_TRUST_NOT_ESTABLISHED,
    SPAPI_E_DRIVER_INSTALL_BLOCKED, SPAPI_E_FILE_HASH_NOT_IN_CATALOG, SPAPI_E_IN_WOW64,
    SPAPI_E_NO_CATALOG_FOR_OEM_INF, SPAPI_E_SIGNATURE_OSATTRIBUTE_MISMATCH, TRUST_E_BAD_DIGEST,
    TRUST_E_NOSIGNATURE,
};

/// Behind the error's words, if there is something.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    let Some(code) = error.raw_os_error() else {
        return "";
    };
    of_package(code)
        .or_else(|| of_service(code.cast_unsigned()))
        .unwrap_or_default()
}

/// N.B. Under test signing the kernel loads a file that anybody has signed (page "The TESTSIGNING Boot
/// Configuration Option"); of a package Windows wants to know who. Not to want that is the user's to say.
fn of_package(code: i32) -> Option<&'static str> {
    // Somebody would have to be asked.
    const UNASKED: i32 = ERROR_REQUIRES_INTERACTIVE_WINDOWSTATION.cast_signed();
    Some(match code {
        SPAPI_E_NO_CATALOG_FOR_OEM_INF | TRUST_E_NOSIGNATURE => {
            "; the package lacks its signed catalogue ntwatch.cat, which Windows wants even where \
             test signing is on: `cargo make --release` makes and signs it"
        }
        CERT_E_CHAINING
        | CERT_E_UNTRUSTEDROOT
        | CERT_E_UNTRUSTEDTESTROOT
        | SPAPI_E_AUTHENTICODE_DISALLOWED
        | SPAPI_E_AUTHENTICODE_PUBLISHER_NOT_TRUSTED
        | SPAPI_E_AUTHENTICODE_TRUST_NOT_ESTABLISHED
        | SPAPI_E_SIGNATURE_OSATTRIBUTE_MISMATCH
        | UNASKED => {
            "; Windows does not trust who signed the package: on a machine for tests `certutil \
             -addstore Root WDRLocalTestCert.cer`, the same with TrustedPublisher, `bcdedit /set \
             testsigning on`, and restart; `--driver ntwatch.sys` does without a package"
        }
        SPAPI_E_FILE_HASH_NOT_IN_CATALOG | TRUST_E_BAD_DIGEST => {
            "; a file of the package is not the one that was signed: take all of them from one build"
        }
        SPAPI_E_DRIVER_INSTALL_BLOCKED => "; a policy of this machine's forbids it",
        SPAPI_E_IN_WOW64 => "; that takes the 64-bit ntwatch.exe",
        _ => return None,
    })
}

fn of_service(code: u32) -> Option<&'static str> {
    Some(match code {
        ERROR_INVALID_IMAGE_HASH => {
            "; Windows does not trust the file's signature: on a machine for tests `bcdedit /set \
             testsigning on`, and restart"
        }
        ERROR_DRIVER_BLOCKED => "; a policy of this machine's, or memory integrity, blocks it",
        ERROR_FILE_NOT_FOUND | ERROR_MOD_NOT_FOUND | ERROR_PROC_NOT_FOUND => {
            "; its file or something that it needs is not there: KMDF 1.31 comes with Windows 10 2004"
        }
        ERROR_SERVICE_DISABLED => "; `sc config ntwatch start= demand` allows it",
        ERROR_SERVICE_MARKED_FOR_DELETE => {
            "; close whatever shows the machine's services, and restart if it is still there"
        }
        _ => return None,
    })
}
