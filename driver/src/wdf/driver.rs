//! The driver object.

use crate::nt::check;
use crate::wdf::wdf_call;
use core::ptr;
use wdk_sys::{
    _WDF_DRIVER_INIT_FLAGS, DRIVER_OBJECT, NTSTATUS, PCUNICODE_STRING, PFN_WDF_DRIVER_UNLOAD,
    WDF_DRIVER_CONFIG, WDFDRIVER,
};

/// Made by [`create`]; the framework deletes it at unload, or when `DriverEntry` fails.
#[derive(Clone, Copy)]
pub(crate) struct Driver(pub(super) WDFDRIVER);

/// A driver that is not for a device of the Plug and Play manager's. `unload` is called at
/// PASSIVE_LEVEL, and not if `DriverEntry` fails. Page "WdfDriverCreate". IRQL = PASSIVE_LEVEL.
///
/// # Safety
/// The arguments are those of `DriverEntry`, and this is its first call.
pub(crate) unsafe fn create(
    object: &mut DRIVER_OBJECT,
    registry_path: PCUNICODE_STRING,
    unload: PFN_WDF_DRIVER_UNLOAD,
) -> Result<Driver, NTSTATUS> {
    let mut config = WDF_DRIVER_CONFIG {
        Size: size_of::<WDF_DRIVER_CONFIG>() as u32,
        EvtDriverUnload: unload,
        DriverInitFlags: _WDF_DRIVER_INIT_FLAGS::WdfDriverInitNonPnpDriver as u32,
        ..WDF_DRIVER_CONFIG::default()
    };
    let mut driver = ptr::null_mut();
    // SAFETY: the arguments of `DriverEntry`, and structures on our stack.
    check(unsafe {
        wdf_call!(
            PFN_WDFDRIVERCREATE,
            WdfDriverCreateTableIndex,
            object,
            registry_path,
            ptr::null_mut(),
            &raw mut config,
            &raw mut driver,
        )
    })?;
    Ok(Driver(driver))
}
