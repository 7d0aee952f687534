//! Callbacks around the handles that programs make.

use super::driver::Entry;
use super::*;
use crate::ob::Kind;
use crate::ps::{NewProcess, NewThread, Open};
use crate::{Config, Kernel, LeakReport};
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::thread;
use windows_sys::Wdk::System::SystemServices::{
    OB_OPERATION_HANDLE_CREATE, OB_OPERATION_HANDLE_DUPLICATE, OB_POST_OPERATION_INFORMATION,
    OB_PRE_OPERATION_INFORMATION, OB_PREOP_SUCCESS,
};
use windows_sys::Win32::Foundation::{STATUS_INSUFFICIENT_RESOURCES, STATUS_SUCCESS};
use windows_sys::Win32::System::Threading::{
    PROCESS_TERMINATE, PROCESS_VM_OPERATION, PROCESS_VM_READ, PROCESS_VM_WRITE,
};

const BOTH: u32 = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;

/// A driver for the test: what it takes, and what it saw.
#[derive(Default)]
struct Driver {
    name: &'static str,
    takes: u32,
    log: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Name, operation, kernel handle, object, desired and original access.
    Pre(&'static str, u32, bool, usize, u32, u32),
    /// Name, status and, if there are parameters, the access granted.
    Post(&'static str, NTSTATUS, Option<u32>),
}

unsafe extern "win64" fn pre(
    context: *mut c_void,
    information: *mut OB_PRE_OPERATION_INFORMATION,
) -> i32 {
    // SAFETY: registered with a `Driver` that outlives its registration.
    let driver = unsafe { &*context.cast::<Driver>() };
    // SAFETY: valid for the call.
    let information = unsafe { &mut *information };
    // SAFETY: valid for the call.
    let parameters = unsafe { &mut *information.Parameters };
    // SAFETY: both structures begin with these two masks.
    let access = unsafe { &mut parameters.CreateHandleInformation };
    // SAFETY: every bit pattern is a number.
    let kernel = unsafe { information.Anonymous.Flags } == 1;
    let (desired, original) = (access.DesiredAccess, access.OriginalDesiredAccess);
    let object = information.Object as usize;
    let seen = Seen::Pre(
        driver.name,
        information.Operation,
        kernel,
        object,
        desired,
        original,
    );
    driver.log.lock().unwrap().push(seen);
    access.DesiredAccess &= !driver.takes;
    information.CallContext = context;
    OB_PREOP_SUCCESS
}

unsafe extern "win64" fn post(
    context: *mut c_void,
    information: *const OB_POST_OPERATION_INFORMATION,
) {
    // SAFETY: registered with a `Driver` that outlives its registration.
    let driver = unsafe { &*context.cast::<Driver>() };
    // SAFETY: valid for the call.
    let information = unsafe { &*information };
    assert_eq!(information.CallContext, context, "each gets its own back");
    // SAFETY: null or valid for the call.
    let parameters = unsafe { information.Parameters.as_ref() };
    // SAFETY: both structures are one mask.
    let granted = parameters.map(|p| unsafe { p.CreateHandleInformation.GrantedAccess });
    let seen = Seen::Post(driver.name, information.ReturnStatus, granted);
    driver.log.lock().unwrap().push(seen);
}

/// Registers `driver` at `altitude` for processes and threads.
fn register(kernel: &Kernel, altitude: &str, driver: &Driver) {
    let entry = |kind| Entry {
        context: ptr_of(driver),
        kind,
        operations: BOTH,
        pre: Some(pre),
        post: Some(post),
    };
    let entries = [Kind::Process, Kind::Thread].map(entry).into();
    let callee = Callee::Driver(DriverCallbacks { entries });
    let added = kernel.ob.add(altitude.parse().unwrap(), callee);
    assert!(added.is_ok(), "{altitude} is free");
}

fn ptr_of(driver: &Driver) -> usize {
    std::ptr::from_ref(driver) as usize
}

fn machine() -> (Arc<Kernel>, ObjectRef<Process>, ObjectRef<Process>) {
    let kernel = Kernel::boot(Config::default());
    let [actor, target] = [(); 2].map(|()| kernel.add_process(NewProcess::default()));
    (kernel, actor, target)
}

#[test]
fn the_highest_is_asked_first_and_told_last_and_rights_taken_are_gone() {
    let (kernel, actor, target) = machine();
    let log = Arc::default();
    let driver = |name, takes| Driver {
        name,
        takes,
        log: Arc::clone(&log),
    };
    let (low, high) = (
        driver("low", PROCESS_VM_WRITE),
        driver("high", PROCESS_TERMINATE),
    );
    register(&kernel, "99999.5", &low);
    register(&kernel, "320000", &high);
    let all = PROCESS_TERMINATE | PROCESS_VM_WRITE | PROCESS_VM_READ;
    let granted = kernel.enter(&actor, || {
        let opened = kernel.open_process(&target, Open::access(all)).unwrap();
        kernel.granted(opened)
    });
    assert_eq!(granted, Some(PROCESS_VM_READ));
    let object = target.as_ptr() as usize;
    let create = OB_OPERATION_HANDLE_CREATE;
    let expected = [
        Seen::Pre("high", create, false, object, all, all),
        Seen::Pre("low", create, false, object, all & !PROCESS_TERMINATE, all),
        Seen::Post("low", STATUS_SUCCESS, Some(PROCESS_VM_READ)),
        Seen::Post("high", STATUS_SUCCESS, Some(PROCESS_VM_READ)),
    ];
    assert_eq!(*log.lock().unwrap(), expected);
    assert_eq!(kernel.ob.posts(), 2);
    assert_eq!(kernel.ob.registered(), ["320000", "99999.5"]);
    let leaks = LeakReport::of(&kernel).to_string();
    assert!(
        leaks.contains("callback on handles at altitude 99999.5"),
        "{leaks}"
    );
}

/// Wants what it may not have.
struct Greedy;

impl HostCallbacks for Greedy {
    fn pre(&self, desired: &mut u32, _original: u32) {
        *desired = PROCESS_VM_OPERATION;
    }
}

#[test]
fn no_right_is_added_and_only_the_documented_ones_are_taken() {
    let (kernel, actor, target) = machine();
    kernel.ob.add_host_callbacks("1", Greedy);
    let granted = kernel.enter(&actor, || {
        let access = PROCESS_VM_READ | PROCESS_TERMINATE;
        let opened = kernel.open_process(&target, Open::access(access)).unwrap();
        kernel.granted(opened)
    });
    assert_eq!(granted, Some(PROCESS_VM_READ));
    assert_eq!(kernel.ob.overreaches(), 1);
}

#[test]
fn a_duplicate_has_its_source_s_rights_or_others_and_both_processes_are_told() {
    let (kernel, owner, object) = machine();
    let receiver = kernel.add_process(NewProcess::default());
    let driver = Driver::default();
    let thread = kernel.enter(&owner, || {
        kernel.start_thread(&object, NewThread::default())
    });
    let source = kernel.enter(&owner, || {
        kernel.open_thread(&thread, Open::access(3)).unwrap()
    });
    register(&kernel, "1", &driver);
    let copies = kernel.enter(&object, || {
        [Open::same_access(), Open::access(1)]
            .map(|open| kernel.duplicate_handle(&owner, source, &receiver, open))
    });
    let granted = kernel.enter(&receiver, || {
        copies.map(|copy| kernel.granted(copy.unwrap()))
    });
    assert_eq!(granted, [Some(3), Some(1)]);
    let address = thread.as_ptr() as usize;
    let seen = Seen::Pre("", OB_OPERATION_HANDLE_DUPLICATE, false, address, 3, 3);
    assert_eq!(driver.log.lock().unwrap().first(), Some(&seen));
    assert!(owner.handles.open().len() == 1 && object.handles.open().is_empty());
}

#[test]
fn only_what_was_registered_for_is_asked_about() {
    let (kernel, actor, target) = machine();
    let driver = Driver::default();
    let entry = Entry {
        context: ptr_of(&driver),
        kind: Kind::Thread,
        operations: OB_OPERATION_HANDLE_DUPLICATE,
        pre: Some(pre),
        post: None,
    };
    let callbacks = DriverCallbacks {
        entries: vec![entry],
    };
    let added = kernel
        .ob
        .add("1".parse().unwrap(), Callee::Driver(callbacks));
    assert!(added.is_ok());
    kernel.enter(&actor, || {
        let thread = kernel.start_thread(&target, NewThread::default());
        let open = Open::access(1);
        let process = kernel.open_process(&target, open).unwrap();
        let thread = kernel.open_thread(&thread, open).unwrap();
        assert!(driver.log.lock().unwrap().is_empty());
        for handle in [process, thread] {
            let copy = kernel.duplicate_handle(&actor, handle, &actor, open);
            assert!(copy.is_ok());
        }
    });
    let log = driver.log.lock().unwrap();
    assert!(matches!(
        log[..],
        [Seen::Pre(_, OB_OPERATION_HANDLE_DUPLICATE, ..)]
    ));
    assert_eq!(kernel.ob.posts(), 0);
}

#[test]
fn a_full_table_fails_an_open_that_was_asked_about_and_there_are_no_parameters() {
    let (kernel, actor, target) = machine();
    let driver = Driver::default();
    register(&kernel, "1", &driver);
    actor.handles.set_limit(0);
    let opened = kernel.enter(&actor, || kernel.open_process(&target, Open::access(1)));
    assert_eq!(opened, Err(STATUS_INSUFFICIENT_RESOURCES));
    let last = Seen::Post("", STATUS_INSUFFICIENT_RESOURCES, None);
    assert_eq!(driver.log.lock().unwrap().last(), Some(&last));
}

#[test]
fn a_handle_of_the_kernel_is_told_of_as_one_and_lives_in_the_system() {
    let (kernel, actor, target) = machine();
    let driver = Driver::default();
    register(&kernel, "1", &driver);
    kernel.enter(&actor, || {
        let open = Open {
            kernel_handle: true,
            ..Open::access(1)
        };
        let handle = kernel.open_process(&target, open).unwrap();
        assert_eq!(kernel.granted(handle), Some(1));
        assert_eq!(kernel.ps.system.handles.open().len(), 1);
        assert_eq!(kernel.close_handle(handle), STATUS_SUCCESS);
    });
    assert!(matches!(
        driver.log.lock().unwrap()[0],
        Seen::Pre(_, _, true, ..)
    ));
}

static ASKED: AtomicBool = AtomicBool::new(false);
static MAY_GO_ON: AtomicBool = AtomicBool::new(false);

unsafe extern "win64" fn linger(_: *mut c_void, _: *mut OB_PRE_OPERATION_INFORMATION) -> i32 {
    ASKED.store(true, Ordering::SeqCst);
    while !MAY_GO_ON.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    OB_PREOP_SUCCESS
}

#[test]
fn callbacks_are_removed_only_when_nobody_is_between_pre_and_post() {
    let (kernel, actor, target) = machine();
    let driver = Driver::default();
    let entry = Entry {
        context: ptr_of(&driver),
        kind: Kind::Process,
        operations: BOTH,
        pre: Some(linger),
        post: None,
    };
    let callbacks = DriverCallbacks {
        entries: vec![entry],
    };
    let added = kernel
        .ob
        .add("1".parse().unwrap(), Callee::Driver(callbacks));
    let address = Arc::as_ptr(&added.unwrap_or_else(|_| panic!("it is the first"))) as usize;
    thread::scope(|scope| {
        scope.spawn(|| kernel.enter(&actor, || kernel.open_process(&target, Open::access(1))));
        while !ASKED.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let removing = scope.spawn(|| kernel.ob.remove(address));
        while !kernel.ob.registered().is_empty() {
            thread::yield_now();
        }
        assert!(!removing.is_finished());
        MAY_GO_ON.store(true, Ordering::SeqCst);
        assert!(removing.join().unwrap());
    });
    assert_eq!(actor.handles.open().len(), 1);
}
