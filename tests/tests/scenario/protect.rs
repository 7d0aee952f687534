//! Rights to a process that nobody is to get.

use crate::running;
use nthost::Kernel;
use nthost::io::FileHandle;
use nthost::ob::ObjectRef;
use nthost::ps::{Open, Process};
use nthost::se::Token;
use ntwatch_protocol::access::process::{
    QUERY_LIMITED_INFORMATION, TERMINATE, VM_OPERATION, VM_READ, VM_WRITE,
};
use ntwatch_protocol::access::thread;
use ntwatch_protocol::handle::known;
use ntwatch_protocol::ioctl::{
    PROTECT_ADD, PROTECT_LIST, PROTECT_REMOVE, SHUTDOWN, STATUS_NOT_FOUND, STATUS_NOT_SUPPORTED,
    STATUS_PRIVILEGE_NOT_HELD, STATUS_QUOTA_EXCEEDED, STATUS_SHUTDOWN,
};
use ntwatch_protocol::protect::{Listed, MAX_RULES, Rule, Target};
use ntwatch_protocol::reader::Record;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{boot, client_of, debugger, load, read, unload, with_session};
use std::sync::Arc;
use zerocopy::{FromBytes, IntoBytes};

const STATUS_ACCESS_DENIED: i32 = 0xC000_0022_u32 as i32;
const STATUS_INVALID_PARAMETER: u32 = 0xC000_000D;

fn target(process: &ObjectRef<Process>) -> Target {
    Target {
        key: process.key,
        pid: process.id,
        reserved: 0,
    }
}

fn rule(process: &ObjectRef<Process>, denied: u32, thread: u32) -> Rule {
    Rule {
        target: target(process),
        process: denied,
        thread,
    }
}

/// PROTECT_ADD, and how it ends.
fn add(handle: &FileHandle, rule: &Rule) -> u32 {
    handle.ioctl(PROTECT_ADD, rule.as_bytes(), 0).status as u32
}

fn list(handle: &FileHandle) -> Vec<Listed> {
    let done = handle.ioctl(PROTECT_LIST, &[], MAX_RULES * size_of::<Listed>());
    assert_eq!(done.status, 0, "PROTECT_LIST: {:#x}", done.status);
    let rules = done.output.chunks(size_of::<Listed>());
    rules
        .map(|rule| Listed::read_from_bytes(rule).expect("whole rules"))
        .collect()
}

/// Opens `process` as `actor` does; what is granted, and the handle.
fn open(
    kernel: &Arc<Kernel>,
    actor: &ObjectRef<Process>,
    process: &ObjectRef<Process>,
    access: u32,
) -> (usize, u32) {
    kernel.enter(actor, || {
        let opened = kernel.open_process(process, Open::access(access));
        let opened = opened.expect("nobody refuses it");
        (opened, kernel.granted(opened).expect("it is open"))
    })
}

#[test]
fn a_protected_process_cannot_be_terminated_and_the_event_says_what_was_taken() {
    with_session(|kernel, handle| {
        let (guard, rules) = debugger(kernel);
        let attacker = running(kernel, 400);
        let protected = running(kernel, 404);
        let access = TERMINATE | VM_READ;
        let (old, _) = open(kernel, &attacker, &protected, access);
        assert_eq!(add(&rules, &rule(&protected, TERMINATE | VM_WRITE, 0)), 0);

        let (stripped, granted) = open(kernel, &attacker, &protected, access);
        assert_eq!(granted, VM_READ);
        let refused = kernel.enter(&attacker, || kernel.terminate_process(stripped, 1));
        assert_eq!(refused, STATUS_ACCESS_DENIED);
        // A copy of a handle is a handle too.
        let copied = kernel.enter(&attacker, || {
            let copy = kernel.duplicate_handle(&attacker, old, &attacker, Open::access(access));
            kernel.granted(copy.expect("the rest is copied"))
        });
        assert_eq!(copied, Some(VM_READ));

        let events = read(handle, 3);
        let seen: Vec<_> = events.records()[1..]
            .iter()
            .map(|record| match record {
                Record::HandleOpen(open) => (
                    open.original,
                    open.desired,
                    open.known(known::GRANTED, open.granted),
                ),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(seen, [(access, VM_READ, Some(VM_READ)); 2]);

        // From before the rule.
        let ended = kernel.enter(&attacker, || kernel.terminate_process(old, 7));
        assert_eq!(ended, 0);
        assert_eq!(protected.exit_status(), 7);
        drop(rules);
        guard.die();
        let events = read(handle, 1);
        let Record::ProcessExit(exit) = events.records()[0] else {
            panic!("the process has exited");
        };
        assert_eq!((exit.pid, exit.exit_status), (404, 7));
    });
}

#[test]
fn the_process_itself_and_the_kernel_keep_every_right() {
    with_session(|kernel, handle| {
        let (guard, rules) = debugger(kernel);
        let protected = running(kernel, 404);
        assert_eq!(
            add(&rules, &rule(&protected, TERMINATE, thread::TERMINATE)),
            0
        );
        assert_eq!(open(kernel, &protected, &protected, TERMINATE).1, TERMINATE);
        let own = kernel.ps.create_thread(&protected);
        let granted = kernel.enter(&protected, || {
            let opened = kernel.open_thread(&own, Open::access(thread::TERMINATE));
            kernel.granted(opened.expect("nobody refuses it"))
        });
        assert_eq!(granted, Some(thread::TERMINATE));
        let attacker = running(kernel, 400);
        kernel.enter(&attacker, || {
            let kernel_handle = Open {
                access: TERMINATE,
                kernel_handle: true,
            };
            let opened = kernel.open_process(&protected, kernel_handle);
            let opened = opened.expect("nobody refuses it");
            assert_eq!(kernel.granted(opened), Some(TERMINATE));
            kernel.close_handle(opened);
        });
        let _ = read(handle, 3);
        drop(rules);
        guard.die();
    });
}

#[test]
fn a_thread_that_is_attached_to_a_protected_process_is_no_part_of_it() {
    with_session(|kernel, _| {
        let (guard, rules) = debugger(kernel);
        let attacker = running(kernel, 400);
        let protected = running(kernel, 404);
        assert_eq!(add(&rules, &rule(&protected, TERMINATE, 0)), 0);
        let granted = kernel.enter(&attacker, || {
            kernel.attach(&protected, || {
                let opened = kernel.open_process(&protected, Open::access(TERMINATE | VM_READ));
                kernel.granted(opened.expect("the rest is granted"))
            })
        });
        assert_eq!(granted, Some(VM_READ));
        drop(rules);
        guard.die();
    });
}

#[test]
fn rights_to_the_threads_of_a_process_are_kept_too() {
    with_session(|kernel, handle| {
        let (guard, rules) = debugger(kernel);
        let protected = running(kernel, 404);
        let attacker = running(kernel, 400);
        assert_eq!(add(&rules, &rule(&protected, 0, thread::SET_CONTEXT)), 0);
        let thread = kernel.ps.create_thread(&protected);
        let access = thread::SET_CONTEXT | thread::GET_CONTEXT;
        let granted = kernel.enter(&attacker, || {
            let opened = kernel.open_thread(&thread, Open::access(access));
            kernel.granted(opened.expect("the rest is granted"))
        });
        assert_eq!(granted, Some(thread::GET_CONTEXT));
        // The process itself is under no rule.
        assert_eq!(
            open(kernel, &attacker, &protected, VM_OPERATION).1,
            VM_OPERATION
        );
        let _ = read(handle, 2);
        drop(rules);
        guard.die();
    });
}

#[test]
fn a_rule_ends_with_its_session_or_by_another_administrator() {
    with_session(|kernel, handle| {
        let protected = running(kernel, 404);
        let attacker = running(kernel, 400);
        let terminate = |expected: u32| {
            let access = TERMINATE | QUERY_LIMITED_INFORMATION;
            let (_, granted) = open(kernel, &attacker, &protected, access);
            assert_eq!(granted & TERMINATE, expected);
            let _ = read(handle, 1);
        };
        let (guard, rules) = debugger(kernel);
        assert_eq!(add(&rules, &rule(&protected, TERMINATE, 0)), 0);
        // A second rule about the process takes the place of the first.
        assert_eq!(add(&rules, &rule(&protected, TERMINATE | VM_WRITE, 0)), 0);
        terminate(0);
        let (other, others) = debugger(kernel);
        let listed = list(&others);
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].rule, rule(&protected, TERMINATE | VM_WRITE, 0));
        assert_eq!(listed[0].own, 0);
        assert_eq!(list(&rules)[0].own, 1);
        let remove = || {
            others
                .ioctl(PROTECT_REMOVE, target(&protected).as_bytes(), 0)
                .status as u32
        };
        assert_eq!(remove(), 0);
        assert_eq!(remove(), STATUS_NOT_FOUND);
        terminate(TERMINATE);

        assert_eq!(add(&rules, &rule(&protected, TERMINATE, 0)), 0);
        terminate(0);
        drop(rules);
        guard.die();
        terminate(TERMINATE);
        assert_eq!(list(&others), []);
        drop(others);
        other.die();
    });
}

#[test]
fn a_shutdown_leaves_a_rule_until_its_session_closes_and_takes_no_new_one() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let (guard, rules) = debugger(&kernel);
    let (stopper, stop) = client_of(&kernel, Token::administrator());
    let protected = running(&kernel, 404);
    let attacker = running(&kernel, 400);
    let access = TERMINATE | QUERY_LIMITED_INFORMATION;
    let granted = || open(&kernel, &attacker, &protected, access).1;
    assert_eq!(add(&rules, &rule(&protected, TERMINATE, 0)), 0);
    assert_eq!(stop.ioctl(SHUTDOWN, &[], 0).status, 0);
    assert_eq!(granted(), QUERY_LIMITED_INFORMATION);
    assert_eq!(add(&rules, &rule(&attacker, TERMINATE, 0)), STATUS_SHUTDOWN);
    // So who keeps a rule, and looks after it, knows that it is time to go.
    let listed = rules.ioctl(PROTECT_LIST, &[], MAX_RULES * size_of::<Listed>());
    assert_eq!(listed.status as u32, STATUS_SHUTDOWN);
    drop(rules);
    guard.die();
    assert_eq!(granted(), access);
    drop(stop);
    unload(service, stopper);
}

#[test]
fn a_rule_is_about_one_process_and_not_about_the_next_with_its_pid() {
    with_session(|kernel, handle| {
        let (guard, rules) = debugger(kernel);
        let attacker = running(kernel, 400);
        let first = running(kernel, 404);
        assert_eq!(add(&rules, &rule(&first, TERMINATE, 0)), 0);
        kernel.exit_process(&first, 0);
        let second = running(kernel, 404);
        assert_eq!(open(kernel, &attacker, &second, TERMINATE).1, TERMINATE);
        assert_eq!(list(&rules), []);
        assert_eq!(add(&rules, &rule(&first, TERMINATE, 0)), STATUS_NOT_FOUND);
        let _ = read(handle, 2);
        drop(rules);
        guard.die();
    });
}

#[test]
fn without_the_privilege_to_debug_nothing_is_protected() {
    with_session(|kernel, _| {
        let protected = running(kernel, 404);
        let rule = rule(&protected, TERMINATE, 0);
        // An administrator has the privilege; it is not enabled.
        let (clerk, handle) = client_of(kernel, Token::administrator());
        assert_eq!(add(&handle, &rule), STATUS_PRIVILEGE_NOT_HELD);
        let remove = handle.ioctl(PROTECT_REMOVE, rule.target.as_bytes(), 0);
        assert_eq!(remove.status as u32, STATUS_PRIVILEGE_NOT_HELD);
        let listed = handle.ioctl(PROTECT_LIST, &[], MAX_RULES * size_of::<Listed>());
        assert_eq!(listed.status as u32, STATUS_PRIVILEGE_NOT_HELD);
        drop(handle);
        clerk.die();
        // Whom the thread impersonates counts, not who its process is.
        let (guard, rules) = debugger(kernel);
        let as_another = || kernel.impersonate(Token::standard_user(), || add(&rules, &rule));
        let status = kernel.enter(guard.process(), as_another);
        assert_eq!(status, STATUS_PRIVILEGE_NOT_HELD);
        assert_eq!(list(&rules), []);
        drop(rules);
        guard.die();
    });
}

#[test]
fn a_rule_that_windows_would_not_keep_is_refused() {
    with_session(|kernel, _| {
        let (guard, rules) = debugger(kernel);
        let process = running(kernel, 404);
        assert_eq!(
            add(&rules, &rule(&process, VM_READ, 0)),
            STATUS_NOT_SUPPORTED
        );
        assert_eq!(
            add(&rules, &rule(&process, 0, thread::GET_CONTEXT)),
            STATUS_NOT_SUPPORTED
        );
        assert_eq!(add(&rules, &rule(&process, 0, 0)), STATUS_INVALID_PARAMETER);
        let whole = rule(&process, TERMINATE, 0);
        for wrong in [
            &whole.as_bytes()[1..],
            &[whole.as_bytes(), &[0; 8]].concat(),
        ] {
            let done = rules.ioctl(PROTECT_ADD, wrong, 0);
            assert_ne!(done.status, 0, "{} bytes", wrong.len());
        }
        let mut nobody = whole;
        nobody.target.key += 1;
        assert_eq!(add(&rules, &nobody), STATUS_NOT_FOUND);
        // Windows finds the process by this id, too.
        let mut beside = whole;
        beside.target.pid += 1;
        assert_eq!(add(&rules, &beside), STATUS_NOT_FOUND);
        assert_eq!(list(&rules), []);

        let many: Vec<_> = (0..=MAX_RULES as u32)
            .map(|n| running(kernel, 1000 + 4 * n))
            .collect();
        let (last, others) = many.split_last().expect("there are many");
        for process in others {
            assert_eq!(add(&rules, &rule(process, TERMINATE, 0)), 0);
        }
        assert_eq!(
            add(&rules, &rule(last, TERMINATE, 0)),
            STATUS_QUOTA_EXCEEDED
        );
        assert_eq!(list(&rules).len(), MAX_RULES);
        drop(rules);
        guard.die();
    });
}
