//! The verifier says by whom in the driver a thing was done.

use crate::once::Once;
use nthost::Current;
use nthost::io::Stop;
use nthost::ke::DISPATCH_LEVEL;
use nthost::verify::Decision;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::load;
use ntwatch_tests::verify::{add, boot};
use std::env;
use std::process::Command;

/// All of `names` are in `text`, each behind the one before.
fn assert_in_order(text: &str, names: &[&str]) {
    let mut rest = text;
    for name in names {
        let (_, behind) = rest
            .split_once(name)
            .unwrap_or_else(|| panic!("no {name} where it is expected in: {text}"));
        rest = behind;
    }
}

const LINK: &str = "wdfldr::device::api::create_symbolic_link";

#[test]
fn a_breach_is_printed_with_the_stack_through_the_framework_and_the_driver() {
    const ROLE: &str = "NTWATCH_TEST_DIES";
    if env::var_os(ROLE).is_some() {
        // The framework does not expect to be at this level when it goes on.
        let raise = Once::new("ExAllocatePool2", LINK, || {
            Current::with(|current| current.thread.ke.set_irql(DISPATCH_LEVEL));
            Decision::Call
        });
        let kernel = boot();
        add(&kernel, &raise);
        let _ = load(&kernel, &Lab::get());
        return;
    }
    let this = "stack::a_breach_is_printed_with_the_stack_through_the_framework_and_the_driver";
    let output = Command::new(env::current_exe().expect("a test has a file"))
        .args(["--exact", this, "--nocapture"])
        .env(ROLE, "1")
        .output()
        .expect("a test can be run");
    assert!(!output.status.success(), "the machine goes on");
    let printed = String::from_utf8_lossy(&output.stderr);
    let breach = "IoCreateSymbolicLink is called at IRQL 2, and this call may be at 0 to 0";
    let stack = [
        breach,
        "in IoCreateSymbolicLink, called at IRQL 2 by",
        LINK,
        "ntwatch::device::create",
        "ntwatch::entry::driver_entry",
        "FxDriverEntry",
        "nthost",
    ];
    assert_in_order(&printed, &stack);
}

#[test]
fn a_block_that_was_not_freed_is_named_with_who_allocated_it() {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    // The driver's own memory, not the framework's.
    let keep = Once::new("ExFreePool", "ntwatch::entry::clean_up", || {
        Decision::Return(0)
    });
    add(&kernel, &keep);
    let Stop::Stopped(leaks) = service.stop() else {
        panic!("nobody has it open");
    };
    let stack = [
        "1 \u{d7} ",
        "allocated by",
        "ntwatch::entry",
        "FxDriverEntry",
        "nthost",
    ];
    assert_in_order(&leaks.to_string(), &stack);
    assert_eq!(leaks.0.len(), 1, "{leaks}");
}

#[test]
fn whatever_is_left_behind_is_named_with_who_made_it() {
    // What gives it back, in which function, and what is then left.
    let cases = [
        ("IoDeleteSymbolicLink", "wdfldr", "symbolic link", LINK),
        ("ZwClose", "wdfldr", "handle", "wdfldr::registry"),
        (
            "IoFreeWorkItem",
            "wdfldr",
            "work item",
            "wdfldr::nt::WorkItem::allocate",
        ),
        (
            "PsRemoveCreateThreadNotifyRoutine",
            "ntwatch",
            "thread-notify",
            "ntwatch::entry",
        ),
        (
            "ObUnRegisterCallbacks",
            "ntwatch",
            "callback",
            "ntwatch::entry",
        ),
    ];
    for (function, from, left, maker) in cases {
        let kernel = boot();
        let keep = Once::new(function, from, || Decision::Return(0));
        add(&kernel, &keep);
        let service = load(&kernel, &Lab::get());
        let Stop::Stopped(leaks) = service.stop() else {
            panic!("nobody has it open");
        };
        assert_in_order(
            &leaks.to_string(),
            &[left, "made by", maker, "FxDriverEntry"],
        );
    }
}
