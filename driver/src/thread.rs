//! The thread notify routine.

use crate::nt::critical_region::CriticalRegion;
use crate::nt::process::start_key_of;
use crate::nt::thread::{self, Thread};
use crate::nt::time::system_time;
use crate::nt::{self, thread_notify};
use crate::state::STATE;
use ntwatch_engine::capture::{ThreadExit, ThreadStart};
use ntwatch_protocol::record::Kind;
use wdk_sys::{BOOLEAN, HANDLE, NTSTATUS};

/// IRQL = PASSIVE_LEVEL.
pub(crate) fn register() -> Result<(), NTSTATUS> {
    thread_notify::register(create_thread_notify_routine)
}

/// When this returns, the routine runs nowhere any more. IRQL = PASSIVE_LEVEL.
pub(crate) fn unregister() -> Result<(), NTSTATUS> {
    thread_notify::unregister(create_thread_notify_routine)
}

/// Page "PCREATE_THREAD_NOTIFY_ROUTINE". PASSIVE_LEVEL or APC_LEVEL: for a creation in the thread
/// that creates, for an exit in the thread that exits.
unsafe extern "C" fn create_thread_notify_routine(pid: HANDLE, tid: HANDLE, create: BOOLEAN) {
    let is_start = create != 0;
    let kind = match is_start {
        true => Kind::ThreadStart,
        false => Kind::ThreadExit,
    };
    if !STATE.capture.wants(kind) {
        return;
    }
    let Some(me) = Thread::current() else {
        return;
    };
    match is_start {
        true => start(pid, tid, me),
        false => exit(pid, tid, me),
    }
}

fn start(pid: HANDLE, tid: HANDLE, creator: Thread<'_>) {
    let (Some(ring), Some(creator_process)) = (STATE.ring.get(), creator.process()) else {
        return;
    };
    let creator_process_id = creator_process.id();
    // Nobody else can have the pid: the process has a thread that is just being created.
    let key = match nt::id(pid) == creator_process_id.pid {
        true => Some(creator_process_id.key),
        false => start_key_of(pid),
    };
    let start = ThreadStart {
        pid: nt::id(pid),
        key,
        tid: nt::id(tid),
        time: system_time(),
        creator_pid: creator_process_id.pid,
        creator_tid: creator.id(),
        creator_key: Some(creator_process_id.key),
    };
    // A thread that is suspended between reserve and commit would hold the ring.
    let _region = CriticalRegion::enter();
    let reference = || thread::reference(tid);
    STATE
        .capture
        .thread_start(ring, &start, reference, || STATE.kick());
}

fn exit(pid: HANDLE, tid: HANDLE, thread: Thread<'_>) {
    let (Some(ring), Some(process)) = (STATE.ring.get(), thread.process()) else {
        return;
    };
    let exit = ThreadExit {
        pid: nt::id(pid),
        key: process.start_key(),
        tid: nt::id(tid),
        time: system_time(),
        exit_status: thread.exit_status() as u32,
    };
    let _region = CriticalRegion::enter();
    STATE.capture.thread_exit(ring, &exit, || STATE.kick());
}
