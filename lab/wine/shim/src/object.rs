//! Objects of Wine's kernel, and what handles to them tell.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use windows_sys::Wdk::Foundation::NtClose;
use windows_sys::Wdk::Storage::FileSystem::{
    NtOpenProcessTokenEx, NtQueryInformationToken, ObOpenObjectByPointer,
    PsLookupProcessByProcessId, PsLookupThreadByThreadId,
};
use windows_sys::Wdk::System::SystemServices::{KernelMode, ObfDereferenceObject};
use windows_sys::Wdk::System::Threading::{
    NtQueryInformationProcess, NtQueryInformationThread, PROCESSINFOCLASS, THREADINFOCLASS,
};
use windows_sys::Win32::Foundation::{HANDLE, NTSTATUS, OBJ_KERNEL_HANDLE, STATUS_SUCCESS};
use windows_sys::Win32::Security::{TOKEN_INFORMATION_CLASS, TOKEN_QUERY};

/// The address of a process or of a thread, as drivers have it.
pub(crate) type Object = isize;

/// A reference, given back when it is dropped.
pub(crate) struct Held(Object);

impl Held {
    /// The process that has this pid now.
    pub(crate) fn process(pid: usize) -> Option<Self> {
        let mut object = 0;
        // SAFETY: `object` is ours to write.
        let status = unsafe { PsLookupProcessByProcessId(pid as HANDLE, &raw mut object) };
        (status == STATUS_SUCCESS).then_some(Self(object))
    }

    /// The thread that has this id now.
    pub(crate) fn thread(tid: usize) -> Option<Self> {
        let mut object = 0;
        // SAFETY: `object` is ours to write.
        let status = unsafe { PsLookupThreadByThreadId(tid as HANDLE, &raw mut object) };
        (status == STATUS_SUCCESS).then_some(Self(object))
    }

    pub(crate) fn get(&self) -> Object {
        self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the reference of the look-up, given back once.
        unsafe { ObfDereferenceObject(self.0 as *const c_void) };
    }
}

/// A handle of this process' to an object.
pub(crate) struct Handle(OwnedHandle);

/// A plain structure that the kernel fills in, of which every bit pattern is a value.
///
/// # Safety
/// It is one.
pub(crate) unsafe trait Facts {}

impl Handle {
    /// # Safety
    /// A process or a thread, and somebody holds it.
    pub(crate) unsafe fn open(object: Object, access: u32) -> Option<Self> {
        let mut handle = ptr::null_mut();
        // SAFETY: the caller's promise; no type is checked, and `handle` is ours to write.
        let status = unsafe {
            ObOpenObjectByPointer(
                object as *const c_void,
                OBJ_KERNEL_HANDLE,
                ptr::null(),
                access,
                0,
                KernelMode as i8,
                &raw mut handle,
            )
        };
        // SAFETY: just opened, and nobody else's.
        (status == STATUS_SUCCESS).then(|| Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    /// The token of a process.
    pub(crate) fn token(&self) -> Option<Self> {
        let mut token = ptr::null_mut();
        // SAFETY: a handle, and `token` is ours to write.
        let status = unsafe { NtOpenProcessTokenEx(self.as_ptr(), TOKEN_QUERY, 0, &raw mut token) };
        // SAFETY: just opened, and nobody else's.
        (status == STATUS_SUCCESS).then(|| Self(unsafe { OwnedHandle::from_raw_handle(token) }))
    }

    pub(crate) fn as_ptr(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    /// What a process tells.
    pub(crate) fn process<T: Facts>(&self, class: PROCESSINFOCLASS) -> Option<T> {
        facts(|answer, size, length| {
            // SAFETY: a handle, and a place of this size.
            unsafe { NtQueryInformationProcess(self.as_ptr(), class, answer, size, length) }
        })
    }

    /// What a thread tells.
    pub(crate) fn thread<T: Facts>(&self, class: THREADINFOCLASS) -> Option<T> {
        facts(|answer, size, length| {
            // SAFETY: as above.
            unsafe { NtQueryInformationThread(self.as_ptr(), class, answer, size, length) }
        })
    }

    /// What a token tells, of fixed size.
    pub(crate) fn token_facts<T: Facts>(&self, class: TOKEN_INFORMATION_CLASS) -> Option<T> {
        facts(|answer, size, length| {
            // SAFETY: as above.
            unsafe { NtQueryInformationToken(self.as_ptr(), class, answer, size, length) }
        })
    }
}

fn facts<T: Facts>(ask: impl FnOnce(*mut c_void, u32, *mut u32) -> NTSTATUS) -> Option<T> {
    let mut answer = MaybeUninit::<T>::zeroed();
    let mut length = 0;
    let status = ask(
        answer.as_mut_ptr().cast(),
        size_of::<T>() as u32,
        &raw mut length,
    );
    // SAFETY: all zeroes, and what was written over that, are a value.
    (status == STATUS_SUCCESS).then(|| unsafe { answer.assume_init() })
}

/// Page "ObCloseHandle".
#[unsafe(no_mangle)]
extern "system" fn ObCloseHandle(handle: HANDLE, _: i8) -> NTSTATUS {
    // SAFETY: takes any handle.
    unsafe { NtClose(handle) }
}
