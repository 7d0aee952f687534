//! What only a handle to a thread tells.

use crate::nt::handle::{Handle, Number};
use crate::nt::thread::Thread;
use wdk_sys::{HANDLE, NTSTATUS, PULONG, PVOID, ULONG};

// N.B. Documented, and exported, but not declared in every WDK (page "ZwQueryInformationThread").
unsafe extern "C" {
    fn ZwQueryInformationThread(
        thread_handle: HANDLE,
        thread_information_class: i32,
        thread_information: PVOID,
        thread_information_length: ULONG,
        return_length: PULONG,
    ) -> NTSTATUS;
}

/// Values of `THREADINFOCLASS`, and what each answers with.
mod class {
    /// `ThreadQuerySetWin32StartAddress`: a pointer.
    pub(super) const START_ADDRESS: i32 = 9;
    /// `SUBSYSTEM_INFORMATION_TYPE`.
    pub(super) const SUBSYSTEM: i32 = 45;
}

/// The start address wants the one, the subsystem the other. Both are named, as a handle of the
/// kernel's is granted what is asked for, unchecked.
const ACCESS: u32 = THREAD_QUERY_INFORMATION | THREAD_QUERY_LIMITED_INFORMATION;
const THREAD_QUERY_INFORMATION: u32 = 0x0040;
const THREAD_QUERY_LIMITED_INFORMATION: u32 = 0x0800;

/// A kernel handle to a thread.
pub(crate) struct ThreadHandle(Handle);

impl ThreadHandle {
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn open(thread: Thread<'_>) -> Option<Self> {
        // SAFETY: a thread, held, and rights to threads.
        unsafe { Handle::open(thread.as_ptr().cast(), ACCESS) }.map(Self)
    }

    /// Where it begins to run, as its process has it: a hint. `None` where Windows has none.
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn start_address(&self) -> Option<u64> {
        self.query(class::START_ADDRESS)
            .filter(|address| *address != 0)
    }

    /// Page "SUBSYSTEM_INFORMATION_TYPE". IRQL = PASSIVE_LEVEL.
    pub(crate) fn subsystem(&self) -> Option<u32> {
        self.query(class::SUBSYSTEM)
    }

    fn query<T: Number>(&self, class: i32) -> Option<T> {
        // SAFETY: a handle to a thread.
        unsafe { self.0.query(ZwQueryInformationThread, class) }
    }
}
