//! The process notify routine.

use crate::nt::critical_region::CriticalRegion;
use crate::nt::process::{Process, start_key_of};
use crate::nt::thread::Thread;
use crate::nt::time::system_time;
use crate::nt::unicode_string::text;
use crate::nt::{self, process_notify};
use crate::state::STATE;
use ntwatch_engine::capture::{ProcessExit, ProcessStart};
use ntwatch_engine::process_table::ProcessId;
use ntwatch_protocol::record::Kind;
use wdk_sys::{HANDLE, NTSTATUS, PEPROCESS, PPS_CREATE_NOTIFY_INFO, PS_CREATE_NOTIFY_INFO};

/// IRQL = PASSIVE_LEVEL.
pub(crate) fn register() -> Result<(), NTSTATUS> {
    process_notify::register(create_process_notify_routine)
}

/// When this returns, the routine runs nowhere any more. IRQL = PASSIVE_LEVEL.
pub(crate) fn unregister() -> Result<(), NTSTATUS> {
    process_notify::unregister(create_process_notify_routine)
}

/// Page "PCREATE_PROCESS_NOTIFY_ROUTINE_EX". PASSIVE_LEVEL: for a creation in the thread that
/// creates, for an exit in the last thread of the process.
unsafe extern "C" fn create_process_notify_routine(
    process: PEPROCESS,
    pid: HANDLE,
    info: PPS_CREATE_NOTIFY_INFO,
) {
    // SAFETY: the system holds the process during the call.
    let Some(process) = (unsafe { Process::new(process) }) else {
        return;
    };
    // SAFETY: null for an exit, else valid during the call.
    match unsafe { info.as_ref() } {
        Some(info) if STATE.capture.wants(Kind::ProcessStart) => start(process, pid, info),
        None if STATE.capture.wants(Kind::ProcessExit) => exit(process, pid),
        _ => {}
    }
}

fn start(process: Process<'_>, pid: HANDLE, info: &PS_CREATE_NOTIFY_INFO) {
    let Some(ring) = STATE.ring.get() else {
        return;
    };
    let creator = info.CreatingThreadId.UniqueProcess;
    // The creator runs this thread, so its key need not be looked up. Nobody else can have the
    // parent's pid: the system holds it as long as it creates a child of it, even if it has exited.
    let me = Thread::current().and_then(Thread::process).map(Process::id);
    let key_of = |pid| match me {
        Some(me) if me.pid == nt::id(pid) => Some(me.key),
        _ => start_key_of(pid),
    };
    // SAFETY: both members of the union are 32 bits that the system filled in.
    let flags = unsafe { info.__bindgen_anon_1.__bindgen_anon_1 };
    let start = ProcessStart {
        id: ProcessId {
            pid: nt::id(pid),
            key: process.start_key(),
        },
        time: system_time(),
        create_time: process.create_time(),
        parent_pid: nt::id(info.ParentProcessId),
        parent_key: key_of(info.ParentProcessId),
        creator_pid: nt::id(creator),
        creator_tid: nt::id(info.CreatingThreadId.UniqueThread),
        creator_key: key_of(creator),
        image_exact: flags.FileOpenNameAvailable() != 0,
        subsystem_process: flags.IsSubsystemProcess() != 0,
        creation_status: info.CreationStatus,
        // SAFETY: null, or as it is during the call.
        image_name: unsafe { text(info.ImageFileName) },
        // SAFETY: as above.
        command_line: unsafe { text(info.CommandLine) },
    };
    // A thread that is suspended between reserve and commit would hold the ring.
    let _region = CriticalRegion::enter();
    let reference = || process.reference();
    STATE
        .capture
        .process_start(ring, &start, reference, || STATE.kick());
}

fn exit(process: Process<'_>, pid: HANDLE) {
    let Some(ring) = STATE.ring.get() else {
        return;
    };
    let exit = ProcessExit {
        id: ProcessId {
            pid: nt::id(pid),
            key: process.start_key(),
        },
        time: system_time(),
        create_time: process.create_time(),
        exit_status: process.exit_status() as u32,
    };
    let _region = CriticalRegion::enter();
    let reference = || process.reference();
    STATE
        .capture
        .process_exit(ring, &exit, reference, || STATE.kick());
}
