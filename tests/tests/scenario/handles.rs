//! Handles to processes and threads.

use crate::running;
use nthost::ob::HostCallbacks;
use nthost::ps::{NewThread, Open};
use ntwatch_protocol::access::process::{
    QUERY_INFORMATION, QUERY_LIMITED_INFORMATION, TERMINATE, VM_OPERATION, VM_READ, VM_WRITE,
};
use ntwatch_protocol::access::standard::SYNCHRONIZE;
use ntwatch_protocol::access::thread;
use ntwatch_protocol::handle::{HandleOpen, flags, known};
use ntwatch_protocol::reader::{Record, View};
use ntwatch_protocol::record::Kind;
use ntwatch_tests::machine::{live_and_die, read, settled, with_session, with_session_of};

/// The event, which must be a handle.
fn handle_open<'a>(record: Record<'a>) -> View<'a, HandleOpen> {
    match record {
        Record::HandleOpen(open) => open,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_open_says_who_opened_whom_with_which_rights() {
    with_session(|kernel, handle| {
        let actor = running(kernel, 400);
        let target = running(kernel, 404);
        let thread = kernel.ps.create_thread(&actor);
        let access = VM_READ | QUERY_INFORMATION;
        let opened = kernel.enter_thread(&thread, || {
            kernel.open_process(&target, Open::access(access))
        });
        opened.expect("nobody refuses it");

        let events = read(handle, 1);
        let open = handle_open(events.records()[0]);
        assert_eq!((open.source_pid, open.source_tid), (400, thread.id));
        assert_eq!(
            open.known(known::SOURCE_KEY, open.source_key),
            Some(actor.key)
        );
        assert_eq!((open.target_pid, open.target_tid), (404, 0));
        assert_eq!(
            open.known(known::TARGET_KEY, open.target_key),
            Some(target.key)
        );
        assert_eq!((open.original, open.desired), (access, access));
        assert_eq!(open.known(known::GRANTED, open.granted), Some(access));
        assert_eq!(open.status, 0);
        assert_eq!(open.flags, 0);
        assert_eq!(open.known & (known::ATTACHED | known::DUPLICATE), 0);
    });
}

#[test]
fn a_handle_to_a_thread_names_the_thread_and_its_process() {
    with_session(|kernel, handle| {
        let actor = running(kernel, 400);
        let target = running(kernel, 404);
        let thread = kernel.ps.create_thread(&target);
        kernel.enter(&actor, || {
            kernel.at_apc_level(|| {
                kernel
                    .open_thread(&thread, Open::access(thread::SET_CONTEXT))
                    .expect("nobody refuses it")
            })
        });
        let events = read(handle, 1);
        let open = handle_open(events.records()[0]);
        assert_eq!(open.flags, flags::THREAD);
        assert_eq!((open.target_pid, open.target_tid), (404, thread.id));
        assert_eq!(open.target_key, target.key);
        assert_eq!(open.granted, thread::SET_CONTEXT);
    });
}

#[test]
fn opens_that_only_look_are_left_out_unless_asked_for() {
    with_session_of(&[], |kernel, handle| {
        let actor = running(kernel, 400);
        let target = running(kernel, 404);
        let thread = kernel.ps.create_thread(&target);
        let look = QUERY_LIMITED_INFORMATION | QUERY_INFORMATION | SYNCHRONIZE;
        kernel.enter(&actor, || {
            for access in [0, look, look | VM_READ] {
                let opened = kernel.open_process(&target, Open::access(access));
                opened.expect("nobody refuses it");
            }
            for access in [thread::QUERY_ONLY, thread::QUERY_ONLY | thread::TERMINATE] {
                let opened = kernel.open_thread(&thread, Open::access(access));
                opened.expect("nobody refuses it");
            }
        });
        let events = read(handle, 2);
        let seen: Vec<_> = events
            .records()
            .into_iter()
            .map(|record| handle_open(record).original)
            .collect();
        assert_eq!(
            seen,
            [look | VM_READ, thread::QUERY_ONLY | thread::TERMINATE]
        );
        // Not offered at all: nobody wants them.
        assert_eq!(settled(handle).offered[Kind::HandleOpen.index()], 2);
    });
}

#[test]
fn a_handle_duplicated_between_two_others_names_all_three() {
    with_session(|kernel, handle| {
        let owner = running(kernel, 400);
        let receiver = running(kernel, 404);
        let broker = running(kernel, 408);
        let object = running(kernel, 412);
        let original = kernel.enter(&owner, || {
            let opened = kernel.open_process(&object, Open::access(VM_READ | VM_WRITE));
            opened.expect("nobody refuses it")
        });
        kernel.enter(&broker, || {
            let copy = kernel.duplicate_handle(&owner, original, &receiver, Open::access(VM_READ));
            copy.expect("nobody refuses it")
        });
        let events = read(handle, 2);
        let copy = handle_open(events.records()[1]);
        assert_eq!(copy.flags, flags::DUPLICATE);
        assert_eq!((copy.source_pid, copy.source_key), (408, broker.key));
        assert_eq!((copy.target_pid, copy.target_key), (412, object.key));
        assert_ne!(copy.known & known::DUPLICATE, 0);
        assert_eq!((copy.from_pid, copy.from_key), (400, owner.key));
        assert_eq!((copy.to_pid, copy.to_key), (404, receiver.key));
        assert_eq!(copy.granted, VM_READ);
    });
}

#[test]
fn an_open_that_is_refused_after_drivers_were_asked_says_with_what() {
    with_session(|kernel, handle| {
        let actor = running(kernel, 400);
        let target = running(kernel, 404);
        actor.handles.set_limit(0);
        let refused = kernel.enter(&actor, || {
            kernel.open_process(&target, Open::access(VM_READ))
        });
        let status = refused.expect_err("the handle table is full");
        assert!(status < 0);
        let events = read(handle, 1);
        let open = handle_open(events.records()[0]);
        assert_eq!(open.status, status as u32);
        assert_eq!((open.original, open.desired), (VM_READ, VM_READ));
        assert_eq!(open.known(known::GRANTED, open.granted), None);
    });
}

/// Another driver, which takes away a right.
struct Takes(u32);

impl HostCallbacks for Takes {
    fn pre(&self, desired: &mut u32, _original: u32) {
        *desired &= !self.0;
    }
}

#[test]
fn rights_that_drivers_above_and_below_take_away_show_where_they_went() {
    with_session(|kernel, handle| {
        kernel.ob.add_host_callbacks("399999", Takes(TERMINATE));
        kernel
            .ob
            .add_host_callbacks("320000.5", Takes(VM_OPERATION));
        let actor = running(kernel, 400);
        let target = running(kernel, 404);
        let access = TERMINATE | VM_OPERATION | VM_READ;
        let opened = kernel.enter(&actor, || {
            let opened = kernel.open_process(&target, Open::access(access));
            kernel.granted(opened.expect("the rest is granted"))
        });
        assert_eq!(opened, Some(VM_READ));
        let events = read(handle, 1);
        let open = handle_open(events.records()[0]);
        assert_eq!(open.original, access);
        assert_eq!(open.desired, VM_OPERATION | VM_READ);
        assert_eq!(open.granted, VM_READ);
        assert_eq!(open.status, 0);
    });
}

#[test]
fn a_handle_of_the_kernel_says_so() {
    with_session(|kernel, handle| {
        let target = running(kernel, 404);
        kernel.enter(&kernel.ps.system, || {
            let open = Open {
                access: VM_READ,
                kernel_handle: true,
            };
            let opened = kernel
                .open_process(&target, open)
                .expect("nobody refuses it");
            kernel.close_handle(opened);
        });
        let events = read(handle, 1);
        let open = handle_open(events.records()[0]);
        assert_eq!(open.flags, flags::KERNEL);
        assert_eq!(open.source_pid, kernel.ps.system.id);
    });
}

#[test]
fn an_actor_that_is_attached_to_another_process_is_still_the_actor() {
    with_session(|kernel, handle| {
        let actor = running(kernel, 400);
        let visited = running(kernel, 404);
        let target = running(kernel, 408);
        kernel.enter(&actor, || {
            kernel.attach(&visited, || {
                let opened = kernel.open_process(&target, Open::access(VM_READ));
                opened.expect("nobody refuses it")
            })
        });
        let events = read(handle, 1);
        let open = handle_open(events.records()[0]);
        assert_eq!((open.source_pid, open.source_key), (400, actor.key));
        assert_eq!(
            open.known(known::ATTACHED, (open.attached_pid, open.attached_key)),
            Some((404, visited.key))
        );
    });
}

#[test]
fn what_the_driver_opens_itself_is_no_event() {
    with_session(|kernel, handle| {
        for _ in 0..3 {
            live_and_die(kernel);
        }
        let process = running(kernel, 400);
        kernel.enter(&process, || {
            kernel.start_thread(&process, NewThread::default())
        });
        let events = read(handle, 7);
        let handles = |record: &&Record<'_>| matches!(record, Record::HandleOpen(_));
        assert_eq!(events.records().iter().filter(handles).count(), 0);
        assert_eq!(settled(handle).offered[Kind::HandleOpen.index()], 0);
    });
}
