//! The binary interface of KMDF 1.31: handles, structures, numbers.
//!
//! Structures are written by hand and checked, member by member, against the facts that the build
//! script turns into `assert_layout!`; indices, signatures and enumerators come from it directly.

#![allow(
    clippy::upper_case_acronyms,
    non_camel_case_types,
    non_snake_case,
    dead_code
)]

use core::ffi::{CStr, c_char, c_void};
use core::mem::offset_of;

use windows_sys::Wdk::Foundation::{
    DEVICE_OBJECT, DRIVER_OBJECT, FILE_OBJECT, IRP as WDM_IRP, MDL,
};
pub(crate) use windows_sys::Win32::Foundation::{NTSTATUS, UNICODE_STRING};

use crate::table::missing;

include!(concat!(env!("OUT_DIR"), "/facts.rs"));

pub(crate) type ACCESS_MASK = u32;
pub(crate) type BOOLEAN = u8;
pub(crate) type CCHAR = i8;
pub(crate) type KPROCESSOR_MODE = i8;
pub(crate) type LONG = i32;
pub(crate) type PCCH = *const c_char;
pub(crate) type PCUNICODE_STRING = *const UNICODE_STRING;
pub(crate) type PDEVICE_OBJECT = *mut DEVICE_OBJECT;
pub(crate) type PDRIVER_OBJECT = *mut DRIVER_OBJECT;
pub(crate) type PFILE_OBJECT = *mut FILE_OBJECT;
pub(crate) type PIRP = *mut WDM_IRP;
pub(crate) type PLONGLONG = *const i64;
pub(crate) type PMDL = *mut MDL;
pub(crate) type POOL_TYPE = i32;
pub(crate) type PULONG = *mut u32;
pub(crate) type PUNICODE_STRING = *mut UNICODE_STRING;
pub(crate) type PUSHORT = *mut u16;
pub(crate) type PVOID = *mut c_void;
pub(crate) type PWSTR = *mut u16;
pub(crate) type UCHAR = u8;
pub(crate) type ULONG = u32;
pub(crate) type ULONG_PTR = usize;
pub(crate) type size_t = usize;

/// Any handle: the address of a [`Header`](crate::object::Header).
pub(crate) type WDFOBJECT = *mut c_void;
pub(crate) type WDFCONTEXT = *mut c_void;
pub(crate) type WDFDEVICE = WDFOBJECT;
pub(crate) type WDFDRIVER = WDFOBJECT;
pub(crate) type WDFFILEOBJECT = WDFOBJECT;
pub(crate) type WDFKEY = WDFOBJECT;
pub(crate) type WDFMEMORY = WDFOBJECT;
pub(crate) type WDFQUEUE = WDFOBJECT;
pub(crate) type WDFREQUEST = WDFOBJECT;
pub(crate) type WDFSPINLOCK = WDFOBJECT;
pub(crate) type WDFWAITLOCK = WDFOBJECT;
pub(crate) type WDFWORKITEM = WDFOBJECT;
pub(crate) type PWDFDEVICE_INIT = *mut c_void;
pub(crate) type WDF_DEVICE_IO_TYPE = u32;
pub(crate) type WDF_IO_QUEUE_STATE = u32;

pub(crate) type PFN_WDF_OBJECT_CONTEXT = Option<unsafe extern "system" fn(WDFOBJECT)>;
pub(crate) type PFN_WDF_DRIVER_UNLOAD = Option<unsafe extern "system" fn(WDFDRIVER)>;
pub(crate) type PFN_WDF_DEVICE_FILE_CREATE =
    Option<unsafe extern "system" fn(WDFDEVICE, WDFREQUEST, WDFFILEOBJECT)>;
pub(crate) type PFN_WDF_FILE = Option<unsafe extern "system" fn(WDFFILEOBJECT)>;
pub(crate) type PFN_WDF_IO_IN_CALLER_CONTEXT =
    Option<unsafe extern "system" fn(WDFDEVICE, WDFREQUEST)>;
pub(crate) type PFN_WDF_IO_QUEUE_IO = Option<unsafe extern "system" fn(WDFQUEUE, WDFREQUEST)>;
pub(crate) type PFN_WDF_IO_QUEUE_IO_READ_WRITE =
    Option<unsafe extern "system" fn(WDFQUEUE, WDFREQUEST, usize)>;
pub(crate) type PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL =
    Option<unsafe extern "system" fn(WDFQUEUE, WDFREQUEST, usize, usize, u32)>;
pub(crate) type PFN_WDF_IO_QUEUE_STATE = Option<unsafe extern "system" fn(WDFQUEUE, WDFCONTEXT)>;
pub(crate) type PFN_WDF_REQUEST_CANCEL = Option<unsafe extern "system" fn(WDFREQUEST)>;
pub(crate) type PFN_WDF_WORKITEM = Option<unsafe extern "system" fn(WDFWORKITEM)>;

pub(crate) type PWDF_DRIVER_GLOBALS = *mut WDF_DRIVER_GLOBALS;
pub(crate) type PWDF_DRIVER_CONFIG = *const WDF_DRIVER_CONFIG;
pub(crate) type PWDF_FILEOBJECT_CONFIG = *const WDF_FILEOBJECT_CONFIG;
pub(crate) type PWDF_IO_QUEUE_CONFIG = *const WDF_IO_QUEUE_CONFIG;
pub(crate) type PWDF_OBJECT_ATTRIBUTES = *const WDF_OBJECT_ATTRIBUTES;
pub(crate) type PCWDF_OBJECT_CONTEXT_TYPE_INFO = *const WDF_OBJECT_CONTEXT_TYPE_INFO;
pub(crate) type PWDF_REQUEST_PARAMETERS = *mut WDF_REQUEST_PARAMETERS;
pub(crate) type PWDF_WORKITEM_CONFIG = *const WDF_WORKITEM_CONFIG;

#[repr(C)]
pub(crate) struct WDF_BIND_INFO {
    pub(crate) Size: u32,
    pub(crate) Component: *const u16,
    pub(crate) Version: WDF_VERSION,
    pub(crate) FuncCount: u32,
    pub(crate) FuncTable: *mut *const Function,
    pub(crate) Module: *mut c_void,
}
assert_layout!(WDF_BIND_INFO);

#[repr(C)]
pub(crate) struct WDF_VERSION {
    pub(crate) Major: u32,
    pub(crate) Minor: u32,
    pub(crate) Build: u32,
}

/// An entry of the function table, before it is cast to its own signature.
pub(crate) type Function = unsafe extern "system" fn();

#[repr(C)]
pub(crate) struct WDF_DRIVER_GLOBALS {
    pub(crate) Driver: WDFDRIVER,
    pub(crate) DriverFlags: u32,
    pub(crate) DriverTag: u32,
    pub(crate) DriverName: [c_char; 32],
    pub(crate) DisplaceDriverUnload: BOOLEAN,
}
assert_layout!(WDF_DRIVER_GLOBALS);

#[repr(C)]
pub(crate) struct WDF_DRIVER_CONFIG {
    pub(crate) Size: u32,
    pub(crate) EvtDriverDeviceAdd: *const c_void,
    pub(crate) EvtDriverUnload: PFN_WDF_DRIVER_UNLOAD,
    pub(crate) DriverInitFlags: u32,
    pub(crate) DriverPoolTag: u32,
}
assert_layout!(WDF_DRIVER_CONFIG);

#[repr(C)]
pub(crate) struct WDF_OBJECT_ATTRIBUTES {
    pub(crate) Size: u32,
    pub(crate) EvtCleanupCallback: PFN_WDF_OBJECT_CONTEXT,
    pub(crate) EvtDestroyCallback: PFN_WDF_OBJECT_CONTEXT,
    pub(crate) ExecutionLevel: u32,
    pub(crate) SynchronizationScope: u32,
    pub(crate) ParentObject: WDFOBJECT,
    pub(crate) ContextSizeOverride: usize,
    pub(crate) ContextTypeInfo: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
}
assert_layout!(WDF_OBJECT_ATTRIBUTES);

#[repr(C)]
pub(crate) struct WDF_OBJECT_CONTEXT_TYPE_INFO {
    pub(crate) Size: u32,
    pub(crate) ContextName: *const c_char,
    pub(crate) ContextSize: usize,
    pub(crate) UniqueType: PCWDF_OBJECT_CONTEXT_TYPE_INFO,
    pub(crate) EvtDriverGetUniqueContextType:
        Option<unsafe extern "system" fn() -> PCWDF_OBJECT_CONTEXT_TYPE_INFO>,
}
assert_layout!(WDF_OBJECT_CONTEXT_TYPE_INFO);

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct WDF_FILEOBJECT_CONFIG {
    pub(crate) Size: u32,
    pub(crate) EvtDeviceFileCreate: PFN_WDF_DEVICE_FILE_CREATE,
    pub(crate) EvtFileClose: PFN_WDF_FILE,
    pub(crate) EvtFileCleanup: PFN_WDF_FILE,
    pub(crate) AutoForwardCleanupClose: u32,
    pub(crate) FileObjectClass: u32,
}
assert_layout!(WDF_FILEOBJECT_CONFIG);

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct WDF_IO_QUEUE_CONFIG {
    pub(crate) Size: u32,
    pub(crate) DispatchType: u32,
    pub(crate) PowerManaged: u32,
    pub(crate) AllowZeroLengthRequests: BOOLEAN,
    pub(crate) DefaultQueue: BOOLEAN,
    pub(crate) EvtIoDefault: PFN_WDF_IO_QUEUE_IO,
    pub(crate) EvtIoRead: PFN_WDF_IO_QUEUE_IO_READ_WRITE,
    pub(crate) EvtIoWrite: PFN_WDF_IO_QUEUE_IO_READ_WRITE,
    pub(crate) EvtIoDeviceControl: PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL,
    pub(crate) EvtIoInternalDeviceControl: PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL,
    pub(crate) EvtIoStop: *const c_void,
    pub(crate) EvtIoResume: *const c_void,
    pub(crate) EvtIoCanceledOnQueue: PFN_WDF_IO_QUEUE_IO,
    /// `Settings.Parallel.NumberOfPresentedRequests`; all ones is no limit.
    pub(crate) Settings: u32,
    pub(crate) Driver: WDFDRIVER,
}
assert_layout!(WDF_IO_QUEUE_CONFIG);

// SAFETY: a queue keeps a copy; what is behind the pointers is code, and a handle.
unsafe impl Send for WDF_IO_QUEUE_CONFIG {}
// SAFETY: as above, and a copy is never written to.
unsafe impl Sync for WDF_IO_QUEUE_CONFIG {}

#[repr(C)]
pub(crate) struct WDF_REQUEST_PARAMETERS {
    pub(crate) Size: u16,
    pub(crate) MinorFunction: u8,
    pub(crate) Type: u32,
    pub(crate) Parameters: [usize; 4],
}
assert_layout!(WDF_REQUEST_PARAMETERS);

#[repr(C)]
pub(crate) struct WDF_WORKITEM_CONFIG {
    pub(crate) Size: u32,
    pub(crate) EvtWorkItemFunc: PFN_WDF_WORKITEM,
    pub(crate) AutomaticSerialization: BOOLEAN,
}
assert_layout!(WDF_WORKITEM_CONFIG);

// Statuses of the framework's own facility, as wdfstatus.h numbers them.
pub(crate) const STATUS_WDF_PAUSED: NTSTATUS = 0xC020_0203_u32 as NTSTATUS;
pub(crate) const STATUS_WDF_BUSY: NTSTATUS = 0xC020_0204_u32 as NTSTATUS;
pub(crate) const STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED: NTSTATUS = 0xC020_020F_u32 as NTSTATUS;
pub(crate) const STATUS_WDF_PARENT_NOT_SPECIFIED: NTSTATUS = 0xC020_0212_u32 as NTSTATUS;
