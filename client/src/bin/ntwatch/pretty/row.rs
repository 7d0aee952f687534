//! What a line says of each kind of event.
//!
//! Words in capitals are what one looks for: REMOTE, REFUSED, KERNEL, WSL.

use super::DIM;
use super::text::{Lifetime, file_name};
use anstyle::{AnsiColor, Style};
use ntwatch_client::event::{
    HandleOpen, Hex, ImageLoad, Operation, ProcessExit, ProcessStart, SignatureLevel, Subsystem,
    TargetType, Thread, ThreadExit, ThreadRef, ThreadStart,
};
use ntwatch_client::rights;
use ntwatch_client::time::Time;
use std::borrow::Cow;
use std::fmt::Write;

const START: Style = AnsiColor::Green.on_default();
const EXIT: Style = AnsiColor::Cyan.on_default();
const THREAD: Style = AnsiColor::Yellow.on_default();
const REMOTE: Style = THREAD.bold();
const IMAGE: Style = AnsiColor::Blue.on_default();
const HANDLE: Style = AnsiColor::Magenta.on_default();
const REFUSED: Style = HANDLE.bold();

/// What a line shows.
pub(super) struct Row<'a> {
    pub(super) word: &'static str,
    pub(super) style: Style,
    pub(super) pid: Option<u32>,
    pub(super) image: &'a str,
    /// Comes first in the details; its end matters most.
    pub(super) path: &'a str,
    /// The rest of them; its beginning matters most.
    pub(super) detail: Cow<'a, str>,
}

impl<'a> Row<'a> {
    pub(super) fn running(start: &'a ProcessStart) -> Self {
        Self::process("runs", DIM, start)
    }

    pub(super) fn process_start(start: &'a ProcessStart) -> Self {
        Self::process("start", START, start)
    }

    /// `WSL init:7 → ls -l`
    fn process(word: &'static str, style: Style, start: &'a ProcessStart) -> Self {
        let process = &start.process;
        let mut detail = String::new();
        if process.subsystem == Some(Subsystem::Wsl) {
            detail.push_str("WSL ");
        }
        if let Some(status) = start.creation_status {
            let _ = write!(detail, "REFUSED {status:#010x} ");
        }
        if let Some(parent) = &start.parent {
            let _ = write!(detail, "{} → ", other(parent.image.as_deref(), parent.pid));
        }
        match process.spaced_command_line() {
            Some(line) => detail.push_str(&line),
            None => detail.push_str(process.image.as_deref().unwrap_or("?")),
        }
        hash(&mut detail, process.sha256.as_deref());
        Self {
            word,
            style,
            pid: Some(process.pid),
            image: name(process.image.as_deref()),
            path: "",
            detail: Cow::Owned(detail),
        }
    }

    /// `code 0 after 1.001 s`
    pub(super) fn process_exit(time: Time, exit: &'a ProcessExit) -> Self {
        let process = &exit.process;
        let mut detail = ending(exit.exit_status);
        if let Some(lived) = process.create_time.and_then(|begun| time.since(begun)) {
            let _ = write!(detail, " after {}", Lifetime(lived));
        }
        Self {
            word: "exit",
            style: EXIT,
            pid: Some(process.pid),
            image: name(process.image.as_deref()),
            path: "",
            detail: Cow::Owned(detail),
        }
    }

    /// `tid 680 REMOTE by evil.exe:4711 at kernel32.dll+0x17b0`
    pub(super) fn thread_start(start: &'a ThreadStart) -> Self {
        let mut detail = format!("tid {}", start.thread.tid);
        remote(&mut detail, start.remote, &start.creator);
        origin(&mut detail, &start.thread);
        Self {
            word: "thread",
            style: match start.remote {
                Some(true) => REMOTE,
                _ => THREAD,
            },
            pid: Some(start.process.pid),
            image: name(start.process.image.as_deref()),
            path: "",
            detail: Cow::Owned(detail),
        }
    }

    /// `tid 680 code 0 REMOTE by evil.exe:4711`
    pub(super) fn thread_exit(exit: &'a ThreadExit) -> Self {
        let mut detail = format!("tid {} {}", exit.thread.tid, ending(exit.exit_status));
        if let Some(creator) = &exit.creator {
            remote(&mut detail, exit.remote, creator);
        }
        Self {
            word: "t-exit",
            style: THREAD.dimmed(),
            pid: Some(exit.process.pid),
            image: name(exit.process.image.as_deref()),
            path: "",
            detail: Cow::Owned(detail),
        }
    }

    /// `…\System32\drivers\x.sys KERNEL 0xfffff8051a2b0000 2108 KiB`
    pub(super) fn image_load(load: &'a ImageLoad) -> Self {
        let image = &load.image;
        let mut detail = String::new();
        for (holds, word) in [
            (image.kernel, " KERNEL"),
            (image.signature_level == SignatureLevel(1), " UNSIGNED"),
            (image.partial_map, " PARTIAL"),
            (image.machine_mismatch, " OTHER MACHINE"),
        ] {
            if holds {
                detail.push_str(word);
            }
        }
        if let Some(base) = image.base {
            let _ = write!(detail, " {base}");
        }
        if let Some(Hex(size)) = image.size {
            let _ = write!(detail, " {} KiB", size.div_ceil(1024));
        }
        hash(&mut detail, image.sha256.as_deref());
        let process = load.process.as_ref();
        Self {
            word: "image",
            style: IMAGE,
            pid: process.map(|process| process.pid),
            image: process.map_or("-", |process| name(process.image.as_deref())),
            path: image.path.as_deref().unwrap_or("?"),
            detail: Cow::Owned(detail),
        }
    }

    /// `→ lsass.exe:672 tid 680 from 4711 to 812 KERNEL -TERMINATE VM_READ|VM_WRITE`
    pub(super) fn handle_open(open: &'a HandleOpen) -> Self {
        let (target, source) = (&open.target, &open.source);
        let mut detail = format!("→ {}", other(target.image.as_deref(), target.pid));
        if let Some(tid) = target.tid {
            let _ = write!(detail, " tid {tid}");
        }
        if let Some(copied) = &open.duplicate {
            let _ = write!(detail, " from {} to {}", copied.from.pid, copied.to.pid);
        }
        if let Some(attached) = &open.attached {
            let attached = other(attached.image.as_deref(), attached.pid);
            let _ = write!(detail, " attached to {attached}");
        }
        if open.kernel {
            detail.push_str(" KERNEL");
        }
        let failed = open.access.granted.is_none();
        if failed {
            let _ = write!(detail, " REFUSED {:#010x}", open.status);
        }
        let rights = |mask| match target.kind {
            TargetType::Process => rights::of_process(mask).to_string(),
            TargetType::Thread => rights::of_thread(mask).to_string(),
        };
        if let Some(stripped) = open.access.stripped.filter(|rights| *rights != 0) {
            let _ = write!(detail, " -{}", rights(stripped).replace('|', "|-"));
        }
        let granted = open.access.granted.unwrap_or(open.access.original);
        let _ = write!(detail, " {}", rights(granted));
        Self {
            word: match open.operation {
                Operation::Create => "open",
                Operation::Duplicate => "dup",
            },
            style: if failed { REFUSED } else { HANDLE },
            pid: Some(source.pid),
            image: name(source.image.as_deref()),
            path: "",
            detail: Cow::Owned(detail),
        }
    }
}

fn name(image: Option<&str>) -> &str {
    image.map_or("?", file_name)
}

fn hash(detail: &mut String, sha256: Option<&str>) {
    if let Some(sha256) = sha256 {
        let _ = write!(detail, " sha256:{sha256}");
    }
}

/// `lsass.exe:672`
fn other(image: Option<&str>, pid: u32) -> String {
    format!("{}:{pid}", name(image))
}

/// An NTSTATUS of an error is known by its digits, a program's own code by its number.
fn ending(exit_status: u32) -> String {
    match exit_status {
        status if status >> 30 == 3 => format!("status {status:#010x}"),
        code => format!("code {code}"),
    }
}

/// `REMOTE?` if nobody can tell.
fn remote(detail: &mut String, remote: Option<bool>, creator: &ThreadRef) {
    let word = match remote {
        Some(true) => "REMOTE",
        Some(false) => return,
        None => "REMOTE?",
    };
    let creator = other(creator.image.as_deref(), creator.pid);
    let _ = write!(detail, " {word} by {creator}");
}

/// Where a thread begins.
fn origin(detail: &mut String, thread: &Thread) {
    if thread.subsystem == Some(Subsystem::Wsl) {
        detail.push_str(" WSL");
    }
    match (
        &thread.start_module,
        thread.start_offset,
        thread.start_address,
    ) {
        (Some(module), Some(offset), _) => {
            let _ = write!(detail, " at {}+{offset:#x}", file_name(module));
        }
        // A recording does not say where in the module.
        (Some(module), None, Some(address)) => {
            let _ = write!(detail, " at {address} in {}", file_name(module));
        }
        (_, _, Some(address)) => {
            let _ = write!(detail, " at {address}");
        }
        _ => {}
    }
}
