//! The rights that a handle to a process or a thread can have (pages "Process Security and Access
//! Rights" and "Thread Security and Access Rights"), and which of them a driver may take away (page
//! "OB_PRE_CREATE_HANDLE_INFORMATION").

/// Rights that every type has.
pub mod standard {
    #![allow(missing_docs)]
    pub const DELETE: u32 = 0x0001_0000;
    pub const READ_CONTROL: u32 = 0x0002_0000;
    pub const WRITE_DAC: u32 = 0x0004_0000;
    pub const WRITE_OWNER: u32 = 0x0008_0000;
    pub const SYNCHRONIZE: u32 = 0x0010_0000;
    pub const ACCESS_SYSTEM_SECURITY: u32 = 0x0100_0000;
    pub const MAXIMUM_ALLOWED: u32 = 0x0200_0000;
    pub const GENERIC_ALL: u32 = 0x1000_0000;
    pub const GENERIC_EXECUTE: u32 = 0x2000_0000;
    pub const GENERIC_WRITE: u32 = 0x4000_0000;
    pub const GENERIC_READ: u32 = 0x8000_0000;
}

/// Rights to a process.
pub mod process {
    #![allow(missing_docs)]
    use super::standard::{READ_CONTROL, SYNCHRONIZE};

    pub const TERMINATE: u32 = 0x0001;
    pub const CREATE_THREAD: u32 = 0x0002;
    pub const SET_SESSIONID: u32 = 0x0004;
    pub const VM_OPERATION: u32 = 0x0008;
    pub const VM_READ: u32 = 0x0010;
    pub const VM_WRITE: u32 = 0x0020;
    pub const DUP_HANDLE: u32 = 0x0040;
    pub const CREATE_PROCESS: u32 = 0x0080;
    pub const SET_QUOTA: u32 = 0x0100;
    pub const SET_INFORMATION: u32 = 0x0200;
    pub const QUERY_INFORMATION: u32 = 0x0400;
    pub const SUSPEND_RESUME: u32 = 0x0800;
    pub const QUERY_LIMITED_INFORMATION: u32 = 0x1000;
    pub const SET_LIMITED_INFORMATION: u32 = 0x2000;

    /// Rights that let their holder look and wait, and no more.
    pub const QUERY_ONLY: u32 =
        QUERY_INFORMATION | QUERY_LIMITED_INFORMATION | READ_CONTROL | SYNCHRONIZE;

    /// Rights that a driver may take away.
    pub const STRIPPABLE: u32 = CREATE_PROCESS
        | CREATE_THREAD
        | DUP_HANDLE
        | SET_QUOTA
        | SET_INFORMATION
        | SUSPEND_RESUME
        | TERMINATE
        | VM_OPERATION
        | VM_WRITE;
}

/// Rights to a thread.
pub mod thread {
    #![allow(missing_docs)]
    use super::standard::{READ_CONTROL, SYNCHRONIZE};

    pub const TERMINATE: u32 = 0x0001;
    pub const SUSPEND_RESUME: u32 = 0x0002;
    pub const ALERT: u32 = 0x0004;
    pub const GET_CONTEXT: u32 = 0x0008;
    pub const SET_CONTEXT: u32 = 0x0010;
    pub const SET_INFORMATION: u32 = 0x0020;
    pub const QUERY_INFORMATION: u32 = 0x0040;
    pub const SET_THREAD_TOKEN: u32 = 0x0080;
    pub const IMPERSONATE: u32 = 0x0100;
    pub const DIRECT_IMPERSONATION: u32 = 0x0200;
    pub const SET_LIMITED_INFORMATION: u32 = 0x0400;
    pub const QUERY_LIMITED_INFORMATION: u32 = 0x0800;
    pub const RESUME: u32 = 0x1000;

    /// Rights that let their holder look and wait, and no more.
    pub const QUERY_ONLY: u32 =
        QUERY_INFORMATION | QUERY_LIMITED_INFORMATION | READ_CONTROL | SYNCHRONIZE;

    /// Rights that a driver may take away.
    pub const STRIPPABLE: u32 = DIRECT_IMPERSONATION
        | IMPERSONATE
        | SET_CONTEXT
        | SET_INFORMATION
        | SET_LIMITED_INFORMATION
        | SET_THREAD_TOKEN
        | SUSPEND_RESUME
        | TERMINATE;
}

const _: () = {
    // N.B. Reading memory cannot be denied.
    assert!(process::STRIPPABLE & process::VM_READ == 0);
    assert!(process::STRIPPABLE & process::QUERY_ONLY == 0);
    assert!(thread::STRIPPABLE & thread::QUERY_ONLY == 0);
};
