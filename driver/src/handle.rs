//! The callbacks around the making of handles: what is protected loses rights before, and what is
//! to be told of is told of after.
//!
//! One record for each open: the callback before it passes on what it saw and takes nothing of the
//! capture ring, as nobody knows how long the other drivers take in between.

use crate::nt::critical_region::CriticalRegion;
use crate::nt::object_callbacks::{self, PostOperation, PreOperation, Registration, Target};
use crate::nt::process::Process;
use crate::nt::thread::Thread;
use crate::nt::time::system_time;
use crate::state::STATE;
use ntwatch_engine::capture::HandleOpen;
use ntwatch_engine::in_flight::Seen;
use ntwatch_protocol::handle::flags;
use wdk_sys::{
    _OB_PREOP_CALLBACK_STATUS, NTSTATUS, POB_POST_OPERATION_INFORMATION,
    POB_PRE_OPERATION_INFORMATION, PVOID, UNICODE_STRING,
};

/// Until what it returns is dropped, the callbacks are called. IRQL ≤ APC_LEVEL.
pub(crate) fn register(altitude: UNICODE_STRING) -> Result<Registration, NTSTATUS> {
    object_callbacks::register(altitude, pre_operation, post_operation)
}

/// Page "POB_PRE_OPERATION_CALLBACK". PASSIVE_LEVEL or APC_LEVEL, in the thread that opens.
unsafe extern "C" fn pre_operation(
    _: PVOID,
    information: POB_PRE_OPERATION_INFORMATION,
) -> _OB_PREOP_CALLBACK_STATUS::Type {
    // SAFETY: what this was called with.
    if let Some(operation) = unsafe { PreOperation::new(information) }
        && let Some(target) = operation.target()
    {
        before(operation, target);
    }
    object_callbacks::SUCCESS
}

/// Page "POB_POST_OPERATION_CALLBACK". PASSIVE_LEVEL or APC_LEVEL, in the thread that opens.
unsafe extern "C" fn post_operation(_: PVOID, information: POB_POST_OPERATION_INFORMATION) {
    // SAFETY: what this was called with.
    if let Some(operation) = unsafe { PostOperation::new(information) }
        && let Some(seen) = STATE.opens.get(operation.context())
        && let Some(target) = operation.target()
    {
        after(&operation, target, &seen);
    }
}

fn before(mut operation: PreOperation<'_>, target: Target<'_>) {
    let original = operation.original();
    let is_wanted = STATE.capture.wants_handle(target.is_thread(), original);
    let is_protected = !STATE.denials.is_empty() && !operation.is_kernel_handle();
    if !is_wanted && !is_protected {
        return;
    }
    // The owner of this thread, not whom it is attached to.
    let Some(me) = Thread::current() else {
        return;
    };
    if is_protected && let Some(denied) = denied(target, me.process()) {
        operation.strip(denied);
    }
    if is_wanted && !STATE.is_worker(me) {
        let context = STATE.opens.put(&Seen {
            original,
            desired: operation.desired(),
            duplicate: operation.duplicate().map(|(from, to)| (from.id(), to.id())),
        });
        operation.set_context(context);
    }
}

/// The rights to `target` that its rules deny. No rule counts for a process and its own threads.
fn denied(target: Target<'_>, source: Option<Process<'_>>) -> Option<u32> {
    let process = target.process()?;
    if source == Some(process) {
        return None;
    }
    let key = process.start_key();
    Some(if target.is_thread() {
        STATE.denials.denied_thread(key)
    } else {
        STATE.denials.denied_process(key)
    })
}

fn after(operation: &PostOperation<'_>, target: Target<'_>, seen: &Seen) {
    let (Some(ring), Some(me)) = (STATE.ring.get(), Thread::current()) else {
        return;
    };
    let (Some(source), Some(process)) = (me.process(), target.process()) else {
        return;
    };
    let bit = |is: bool, bit: u32| if is { bit } else { 0 };
    let attached = Process::current().filter(|attached| *attached != source);
    let (source, process) = (source.id(), process.id());
    let open = HandleOpen {
        time: system_time(),
        source_pid: source.pid,
        source_tid: me.id(),
        source_key: source.key,
        target_pid: process.pid,
        target_tid: match target {
            Target::Thread(thread) => thread.id(),
            Target::Process(_) => 0,
        },
        target_key: process.key,
        attached: attached.map(Process::id),
        duplicate: seen.duplicate,
        original: seen.original,
        desired: seen.desired,
        granted: operation.granted(),
        status: operation.status() as u32,
        flags: bit(target.is_thread(), flags::THREAD)
            | bit(operation.is_duplicate(), flags::DUPLICATE)
            | bit(operation.is_kernel_handle(), flags::KERNEL),
    };
    let _region = CriticalRegion::enter();
    STATE.capture.handle_open(ring, &open, || STATE.kick());
}
