//! The requests about protection. The caller's privilege was checked when they came in
//! ([`evt_io_in_caller_context`](crate::ioctl::evt_io_in_caller_context)).

use crate::nt::process::HeldProcess;
use crate::nt::push_lock::Guard;
use crate::session::Session;
use crate::state::STATE;
use crate::wdf::request::Request;
use ntwatch_engine::event::{Event, Party, What};
use ntwatch_engine::process_table::ProcessId;
use ntwatch_engine::protect::{Full, Rules};
use ntwatch_engine::session::Output;
use ntwatch_protocol::ioctl::{
    STATUS_NOT_FOUND, STATUS_NOT_SUPPORTED, STATUS_QUOTA_EXCEEDED, STATUS_SHUTDOWN,
};
use ntwatch_protocol::protect::{Listed, MAX_RULES, Rule, RuleError, Target};
use wdk_sys::{
    NTSTATUS, STATUS_CANCELLED, STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_SUCCESS,
};
use zerocopy::IntoBytes;

/// PROTECT_ADD. IRQL = PASSIVE_LEVEL, as for the others.
pub(crate) fn add(session: &Session, request: &Request) -> Result<(), NTSTATUS> {
    let rule: Rule = request.input()?;
    rule.check().map_err(|error| match error {
        RuleError::Malformed => STATUS_INVALID_PARAMETER,
        RuleError::NotStrippable => STATUS_NOT_SUPPORTED as NTSTATUS,
    })?;
    forget_exited();
    if !is_running(&rule.target) {
        return Err(STATUS_NOT_FOUND as NTSTATUS);
    }
    rules(session)?
        .add(session.number, rule)
        .map_err(|Full| STATUS_QUOTA_EXCEEDED as NTSTATUS)
}

/// PROTECT_REMOVE.
pub(crate) fn remove(session: &Session, request: &Request) -> Result<(), NTSTATUS> {
    let target: Target = request.input()?;
    if target.reserved != 0 {
        return Err(STATUS_INVALID_PARAMETER);
    }
    match rules(session)?.remove(&target) {
        true => Ok(()),
        false => Err(STATUS_NOT_FOUND as NTSTATUS),
    }
}

/// PROTECT_LIST.
pub(crate) fn list(session: &Session, request: Request) {
    let result = write_list(session, &request);
    match result {
        Ok(bytes) => request.complete_with_information(STATUS_SUCCESS, bytes),
        Err(status) => request.complete(status),
    }
}

fn write_list(session: &Session, request: &Request) -> Result<usize, NTSTATUS> {
    let mut output = request.output_buffer(MAX_RULES * size_of::<Listed>())?;
    forget_exited();
    let rules = rules(session)?;
    for listed in rules.list(session.number) {
        output.push(listed.as_bytes());
    }
    Ok(output.written())
}

/// The rules, unless the session is over, as what is added then would stay; or is to end, which
/// who keeps a rule, and reads no events, learns here.
fn rules(session: &Session) -> Result<Guard<'static, Rules<'static>>, NTSTATUS> {
    let rules = STATE.rules.lock();
    if session.is_closed() {
        Err(STATUS_CANCELLED)
    } else if STATE.is_shut_down() {
        Err(STATUS_SHUTDOWN as NTSTATUS)
    } else {
        Ok(rules)
    }
}

/// Ends the rules about a process that is told to have exited. Exits are captured only while some
/// session listens, so this is not all; see [`forget_exited`].
pub(crate) fn follow_exit(event: &Event<'_>) {
    if let (What::ProcessExit, [Some(Party { id, .. }), _]) = (event.what, event.about)
        && !STATE.denials.is_empty()
    {
        STATE.rules.lock().remove(&target(id));
    }
}

/// Ends the rules about processes that have exited. The lock is not held while they are looked
/// for: the last reference to a process may be the one given back.
fn forget_exited() {
    for place in 0..MAX_RULES {
        let target = STATE.rules.lock().target(place);
        if let Some(target) = target
            && !is_running(&target)
        {
            STATE.rules.lock().remove(&target);
        }
    }
}

const fn target(id: ProcessId) -> Target {
    Target {
        key: id.key,
        pid: id.pid,
        reserved: 0,
    }
}

/// N.B. A process that has exited can be found as long as somebody refers to it.
fn is_running(target: &Target) -> bool {
    let id = ProcessId {
        pid: target.pid,
        key: target.key,
    };
    HeldProcess::find(id).is_some_and(|process| process.get().exit_status() == STATUS_PENDING)
}
