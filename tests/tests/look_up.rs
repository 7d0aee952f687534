//! A pid passes to another process while the driver looks it up: nobody is taken for who had the
//! pid before.

use nthost::Kernel;
use nthost::ob::ObjectRef;
use nthost::ps::{NewProcess, Open, Process};
use ntwatch_protocol::access::process::{TERMINATE, VM_READ};
use ntwatch_protocol::configure::Clause;
use ntwatch_protocol::ioctl::{PROTECT_ADD, STATUS_NOT_FOUND};
use ntwatch_protocol::protect::{Rule, Target};
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::{Kind, PerKind};
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::hold::hold;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{client, configure, debugger, load, read, settled, unload};
use ntwatch_tests::verify::boot;
use std::sync::Arc;
use std::thread;
use zerocopy::IntoBytes;

const LOOK_UP: &str = "PsLookupProcessByProcessId";
const PID: u32 = 700;

/// A process with the pid, which whoever had it has no more. Nobody is told.
fn bearer(kernel: &Kernel, image: &str) -> ObjectRef<Process> {
    kernel.add_process(NewProcess {
        id: Some(PID),
        image_path: Some(format!(r"\Device\HarddiskVolume3\{image}")),
        ..NewProcess::default()
    })
}

/// The process opens itself, and is granted this.
fn open_self(kernel: &Arc<Kernel>, process: &ObjectRef<Process>, access: u32) {
    kernel.enter(process, || {
        let opened = kernel.open_process(process, Open::access(access));
        kernel.close_handle(opened.expect("nobody refuses it"));
    });
}

#[test]
fn a_rule_is_not_about_the_process_that_takes_the_pid_meanwhile() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (guard, rules) = debugger(&kernel);
    let first = bearer(&kernel, "a.exe");
    let rule = Rule {
        target: Target {
            key: first.key,
            pid: PID,
            reserved: 0,
        },
        process: TERMINATE,
        thread: 0,
    };
    let look_up = hold(&kernel, LOOK_UP);
    let second = thread::scope(|scope| {
        let adding = scope.spawn(|| rules.ioctl(PROTECT_ADD, rule.as_bytes(), 0));
        look_up.is_there();
        let second = bearer(&kernel, "b.exe");
        look_up.let_go();
        let done = adding.join().expect("it does not fail");
        assert_eq!(done.status, STATUS_NOT_FOUND as i32);
        second
    });
    let actor = kernel.add_process(NewProcess::default());
    kernel.enter(&actor, || {
        let opened = kernel.open_process(&second, Open::access(TERMINATE));
        let opened = opened.expect("nobody refuses it");
        assert_eq!(kernel.granted(opened), Some(TERMINATE));
    });
    drop(rules);
    unload(service, guard);
}

#[test]
fn an_event_does_not_pass_for_the_image_of_the_process_that_takes_the_pid_meanwhile() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (watcher, handle) = client(&kernel);
    let pattern: Vec<u8> = r"*\b.exe"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    configure(
        &handle,
        Kind::ALL_EVENTS,
        &[Clause::Image(Wide::new(&pattern))],
    );
    let first = bearer(&kernel, "a.exe");
    let look_up = hold(&kernel, LOOK_UP);
    open_self(&kernel, &first, VM_READ);
    look_up.is_there();
    let second = bearer(&kernel, "b.exe");
    look_up.let_go();
    open_self(&kernel, &second, VM_READ);
    let events = read(&handle, 1);
    let [Record::HandleOpen(open)] = events.records()[..] else {
        panic!("{events:?}");
    };
    assert_eq!((open.source_pid, open.source_key), (PID, second.key));
    let of_opens = |counts: PerKind| counts[Kind::HandleOpen.index()];
    assert_eq!(of_opens(settled(&handle).filtered), 1, "that of the first");
    drop(handle);
    unload(service, watcher);
}
