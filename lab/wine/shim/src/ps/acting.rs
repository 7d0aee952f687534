//! In whose name a routine is called.
//!
//! Windows calls it in the thread that creates or exits. Here it is called in a thread of ours, which
//! is given out for that one meanwhile. Of an exit it is known which; a creation is taken for one by
//! the first thread that is known of the parent, or of the process itself for its further threads. A
//! process without a parent, as what Linux starts, is taken for its own creator.
#![allow(
    clippy::missing_const_for_thread_local,
    reason = "it is asked for what is const already"
)]

use crate::object::{Held, Object};
use std::cell::Cell;
use windows_sys::Wdk::System::SystemServices::{PsGetProcessId, PsGetThreadId};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::WindowsProgramming::CLIENT_ID;

#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "system" {
    fn KeGetCurrentThread() -> Object;
    // N.B. to Wine the same as `IoGetCurrentProcess`, whose name is taken below.
    fn PsGetCurrentProcess() -> Object;
    fn PsGetThreadProcessId(thread: Object) -> HANDLE;
}

thread_local! {
    static ACTING: Cell<Option<Actor>> = const { Cell::new(None) };
}

/// A thread and its process, which somebody holds.
#[derive(Clone, Copy)]
pub(super) struct Actor {
    pub(super) thread: Object,
    pub(super) process: Object,
}

/// Gives the thread that asks out for another while `call` runs.
pub(super) fn act(actor: Option<Actor>, call: impl FnOnce()) {
    ACTING.set(actor);
    call();
    ACTING.set(None);
}

/// Page "PsGetCurrentThread".
#[unsafe(no_mangle)]
extern "system" fn PsGetCurrentThread() -> Object {
    // SAFETY: takes nothing.
    ACTING
        .get()
        .map_or_else(|| unsafe { KeGetCurrentThread() }, |actor| actor.thread)
}

/// Page "IoGetCurrentProcess".
#[unsafe(no_mangle)]
extern "system" fn IoGetCurrentProcess() -> Object {
    // SAFETY: takes nothing.
    ACTING
        .get()
        .map_or_else(|| unsafe { PsGetCurrentProcess() }, |actor| actor.process)
}

/// Page "IoThreadToProcess".
///
/// # Safety
/// A thread that somebody holds.
#[unsafe(no_mangle)]
unsafe extern "system" fn IoThreadToProcess(thread: Object) -> Object {
    if thread == PsGetCurrentThread() {
        return IoGetCurrentProcess();
    }
    // SAFETY: the caller's promise.
    let pid = unsafe { PsGetThreadProcessId(thread) };
    // A thread holds its process, so that the address stays when the reference is given back.
    Held::process(pid as usize).map_or(0, |process| process.get())
}

/// Their ids.
pub(super) fn client_id(actor: Actor) -> CLIENT_ID {
    // SAFETY: held, as an actor is.
    let process = unsafe { PsGetProcessId(actor.process) };
    // SAFETY: likewise.
    let thread = unsafe { PsGetThreadId(actor.thread) };
    CLIENT_ID {
        UniqueProcess: process,
        UniqueThread: thread,
    }
}
