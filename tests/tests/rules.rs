//! What the shipped driver and its framework call while they work is held to rules, and the driver
//! takes little stack.

use nthost::Current;
use nthost::ke::HIGH_LEVEL;
use nthost::verify::{Call, Decision, Watch};
use ntwatch_lab_figures::tell;
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::ioctl::{CONFIGURE, GET_STATS, GET_VERSION, SHUTDOWN, Stats, Version};
use ntwatch_tests::activity::every_kind;
use ntwatch_tests::lab::{Lab, until};
use ntwatch_tests::machine::{client, configure_all, end_of, everything, load, stop, submit_read};
use ntwatch_tests::mapped::Mapped;
use ntwatch_tests::verify::{add, boot};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What any routine of the driver's may take of a kernel stack, in bytes. The check of the file,
/// which sees every way that a call can come, allows most of them less.
const MOST_STACK: usize = 2176;

#[derive(Default)]
struct Seen {
    /// Each function, and the highest IRQL that it may be called at.
    functions: Mutex<BTreeMap<&'static str, u8>>,
    /// What the driver itself took, in bytes.
    deepest: AtomicUsize,
}

impl Watch for Seen {
    fn enter(&self, call: &Call<'_>) -> Decision {
        let mut functions = self.functions.lock().unwrap();
        functions.insert(call.export.name, call.export.max_irql);
        let at = call.return_address;
        let image = Current::with(|current| current.kernel.modules.find(at));
        if image.is_some_and(|image| image.name() == "ntwatch.sys") {
            let depth = call.depth().expect("the driver has unwind data");
            self.deepest.fetch_max(depth, Ordering::Relaxed);
        }
        Decision::Call
    }
}

#[test]
fn what_the_driver_calls_is_held_to_rules_and_takes_little_stack() {
    let kernel = boot();
    let seen = Arc::new(Seen::default());
    add(&kernel, &seen);
    let service = load(&kernel, &Lab::get());

    let (reader, handle) = client(&kernel);
    configure_all(&handle);
    let read = submit_read(&handle);
    every_kind(&kernel, None);
    assert_eq!(end_of(&read).status, 0);
    for (code, output) in [
        (GET_VERSION, size_of::<Version>()),
        (GET_STATS, size_of::<Stats>()),
    ] {
        assert_eq!(handle.ioctl(code, &[], output).status, 0);
    }

    let (in_place, mapping) = client(&kernel);
    let mut mapped = Mapped::new(&in_place, &mapping, MIN_RING_SIZE);
    assert_eq!(mapping.ioctl(CONFIGURE, &everything(0), 0).status, 0);
    every_kind(&kernel, None);
    until("records in place", || {
        (!mapped.take().records.is_empty()).then_some(())
    });

    assert_eq!(handle.ioctl(SHUTDOWN, &[], 0).status, 0);
    drop((handle, mapping, mapped));
    reader.die();
    in_place.die();
    stop(&service);

    let functions = seen.functions.lock().unwrap();
    for function in [
        "WdfRequestForwardToIoQueue",
        "MmMapViewInSystemSpace",
        "ZwClose",
    ] {
        assert!(functions.contains_key(function), "{functions:?}");
    }
    let limited = functions
        .values()
        .filter(|irql| **irql < HIGH_LEVEL)
        .count();
    let deepest = seen.deepest.load(Ordering::Relaxed);
    assert_ne!(deepest, 0, "the driver calls nothing");
    assert!(deepest <= MOST_STACK, "{deepest} bytes of stack");
    tell("rules at the boundary", limited as u64, "functions called");
    tell("stack under the driver's calls", deepest as u64, "bytes");
}
