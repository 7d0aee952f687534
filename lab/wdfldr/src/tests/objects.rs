//! The tree of objects, contexts, and the end of a driver.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{ptr, thread};

use windows_sys::Win32::Foundation::{STATUS_OBJECT_NAME_EXISTS, STATUS_SUCCESS, STATUS_TIMEOUT};

use super::*;

/// Statics and callbacks that write down the end of objects.
macro_rules! callbacks {
    ($log:ident: $($name:ident),*) => {
        static $log: Log = Log::new();
        $(unsafe extern "system" fn $name(_: WDFOBJECT) {
            $log.push(stringify!($name));
        })*
    };
}

fn object(driver: &Driver, attributes: &WDF_OBJECT_ATTRIBUTES) -> WDFOBJECT {
    let mut object = ptr::null_mut();
    assert_eq!(
        wdf!(WdfObjectCreate(driver.globals, attributes, &mut object)),
        STATUS_SUCCESS
    );
    object
}

#[test]
fn a_child_is_cleaned_up_and_destroyed_before_its_parent() {
    callbacks!(LOG: clean_parent, destroy_parent, clean_child, destroy_child);
    let driver = Driver::start(None);
    let mut attributes = attributes();
    attributes.EvtCleanupCallback = Some(clean_parent);
    attributes.EvtDestroyCallback = Some(destroy_parent);
    let parent = object(&driver, &attributes);
    attributes.EvtCleanupCallback = Some(clean_child);
    attributes.EvtDestroyCallback = Some(destroy_child);
    attributes.ParentObject = parent;
    object(&driver, &attributes);
    wdf!(WdfObjectDelete(NO_GLOBALS, parent));
    assert_eq!(
        LOG.take(),
        [
            "clean_child",
            "clean_parent",
            "destroy_child",
            "destroy_parent"
        ]
    );
    driver.unload();
    assert!(LOG.take().is_empty());
}

#[test]
fn a_reference_keeps_a_deleted_object_until_it_is_given_up() {
    callbacks!(LOG: clean, destroy);
    let driver = Driver::start(None);
    let mut attributes = attributes();
    attributes.EvtCleanupCallback = Some(clean);
    attributes.EvtDestroyCallback = Some(destroy);
    let object = object(&driver, &attributes);
    wdf!(WdfObjectReferenceActual(
        NO_GLOBALS,
        object,
        ptr::null_mut(),
        0,
        ptr::null()
    ));
    wdf!(WdfObjectDelete(NO_GLOBALS, object));
    assert_eq!(LOG.take(), ["clean"]);
    wdf!(WdfObjectDereferenceActual(
        NO_GLOBALS,
        object,
        ptr::null_mut(),
        0,
        ptr::null()
    ));
    assert_eq!(LOG.take(), ["destroy"]);
    driver.unload();
}

#[test]
fn what_the_driver_does_not_delete_goes_with_it() {
    callbacks!(LOG: clean, destroy);
    let driver = Driver::start(None);
    let mut attributes = attributes();
    attributes.EvtCleanupCallback = Some(clean);
    attributes.EvtDestroyCallback = Some(destroy);
    object(&driver, &attributes);
    driver.unload();
    assert_eq!(LOG.take(), ["clean", "destroy"]);
}

#[test]
fn an_object_has_one_context_of_each_type() {
    fn type_info(size: usize) -> WDF_OBJECT_CONTEXT_TYPE_INFO {
        WDF_OBJECT_CONTEXT_TYPE_INFO {
            Size: size_of::<WDF_OBJECT_CONTEXT_TYPE_INFO>() as u32,
            ContextName: c"test".as_ptr(),
            ContextSize: size,
            UniqueType: ptr::null(),
            EvtDriverGetUniqueContextType: None,
        }
    }
    let driver = Driver::start(None);
    let (first, second, third) = (type_info(24), type_info(1), type_info(8));
    let mut attributes = attributes();
    attributes.ContextTypeInfo = &first;
    let object = object(&driver, &attributes);
    let memory = wdf!(WdfObjectGetTypedContextWorker(NO_GLOBALS, object, &first));
    assert!(memory.addr().is_multiple_of(16));
    // SAFETY: the context has 24 bytes, zeroed.
    assert_eq!(unsafe { memory.cast::<[u8; 24]>().read() }, [0; 24]);
    assert_eq!(wdf!(WdfObjectContextGetObject(NO_GLOBALS, memory)), object);

    let mut place = ptr::null_mut();
    attributes.ContextTypeInfo = &second;
    let mut allocate = || {
        (
            wdf!(WdfObjectAllocateContext(
                NO_GLOBALS,
                object,
                &attributes,
                &mut place
            )),
            place,
        )
    };
    let (added, added_memory) = allocate();
    let (again, again_memory) = allocate();
    assert_eq!((added, again), (STATUS_SUCCESS, STATUS_OBJECT_NAME_EXISTS));
    assert_eq!(added_memory, again_memory);
    assert_ne!(added_memory, memory);
    assert!(wdf!(WdfObjectGetTypedContextWorker(NO_GLOBALS, object, &third)).is_null());
    driver.unload();
}

#[test]
fn parent_and_child_deleted_at_once_end_once_each() {
    static CLEANED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "system" fn clean(_: WDFOBJECT) {
        CLEANED.fetch_add(1, Ordering::Relaxed);
    }
    let driver = Driver::start(None);
    let mut attributes = attributes();
    attributes.EvtCleanupCallback = Some(clean);
    for round in 1..=200 {
        attributes.ParentObject = ptr::null_mut();
        let parent = object(&driver, &attributes);
        attributes.ParentObject = parent;
        let child = object(&driver, &attributes);
        // The handle stays good while the other thread deletes it.
        wdf!(WdfObjectReferenceActual(
            NO_GLOBALS,
            child,
            ptr::null_mut(),
            0,
            ptr::null()
        ));
        let (parent, child_address) = (parent.expose_provenance(), child.expose_provenance());
        thread::scope(|scope| {
            scope.spawn(|| {
                wdf!(WdfObjectDelete(
                    NO_GLOBALS,
                    ptr::with_exposed_provenance_mut(parent)
                ));
            });
            scope.spawn(|| {
                let child = ptr::with_exposed_provenance_mut(child_address);
                wdf!(WdfObjectDelete(NO_GLOBALS, child));
            });
        });
        assert_eq!(CLEANED.load(Ordering::Relaxed), 2 * round);
        wdf!(WdfObjectDereferenceActual(
            NO_GLOBALS,
            child,
            ptr::null_mut(),
            0,
            ptr::null()
        ));
    }
    driver.unload();
}

#[test]
fn unload_calls_the_driver_and_then_deletes_its_device() {
    static LOG: Log = Log::new();
    unsafe extern "system" fn unload(driver: WDFDRIVER) {
        let wdm = wdf!(WdfDriverWdmGetDriverObject(NO_GLOBALS, driver));
        // SAFETY: the driver object the test keeps.
        let has_device = unsafe { !(*wdm).DeviceObject.is_null() };
        LOG.push(if has_device { "device" } else { "no device" });
    }
    let machine = Machine::start_unfinished(&DeviceOptions::default(), Some(unload));
    machine.driver.unload();
    assert_eq!(LOG.take(), ["device"]);
}

#[test]
fn a_driver_entry_that_fails_leaves_nothing_and_is_not_told() {
    callbacks!(LOG: unload);
    let mut machine = Machine::start_unfinished(&DeviceOptions::default(), Some(unload));
    let links = || kernel::LINKS.load(Ordering::Relaxed);
    let (_link, link) = unicode(r"\DosDevices\test");
    let status = wdf!(WdfDeviceCreateSymbolicLink(
        NO_GLOBALS,
        machine.device,
        &link
    ));
    assert_eq!((status, links()), (STATUS_SUCCESS, 1));
    machine.driver.unbind();
    assert_eq!(links(), 0);
    assert!(LOG.take().is_empty());
}

#[test]
fn a_wait_lock_lets_one_in_and_times_out() {
    let driver = Driver::start(None);
    let mut lock = ptr::null_mut();
    let status = wdf!(WdfWaitLockCreate(driver.globals, ptr::null(), &mut lock));
    assert_eq!(status, STATUS_SUCCESS);
    let now = 0;
    assert_eq!(
        wdf!(WdfWaitLockAcquire(NO_GLOBALS, lock, ptr::null())),
        STATUS_SUCCESS
    );
    assert_eq!(
        wdf!(WdfWaitLockAcquire(NO_GLOBALS, lock, &now)),
        STATUS_TIMEOUT
    );
    wdf!(WdfWaitLockRelease(NO_GLOBALS, lock));
    assert_eq!(
        wdf!(WdfWaitLockAcquire(NO_GLOBALS, lock, &now)),
        STATUS_SUCCESS
    );
    wdf!(WdfWaitLockRelease(NO_GLOBALS, lock));
    driver.unload();
}

#[test]
fn a_flush_waits_for_the_work_that_was_enqueued() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "system" fn run(item: WDFWORKITEM) {
        // The first run enqueues a second, which the flush waits for as well.
        thread::yield_now();
        if RUNS.fetch_add(1, Ordering::SeqCst) == 0 {
            wdf!(WdfWorkItemEnqueue(NO_GLOBALS, item));
        }
    }
    let machine = Machine::start(&DeviceOptions::default());
    let config = WDF_WORKITEM_CONFIG {
        Size: size_of::<WDF_WORKITEM_CONFIG>() as u32,
        EvtWorkItemFunc: Some(run),
        AutomaticSerialization: 0,
    };
    let mut item = ptr::null_mut();
    let status = wdf!(WdfWorkItemCreate(
        NO_GLOBALS,
        &config,
        ptr::null(),
        &mut item
    ));
    assert_eq!(status, STATUS_WDF_PARENT_NOT_SPECIFIED);
    let mut attributes = attributes();
    attributes.ParentObject = machine.device;
    let status = wdf!(WdfWorkItemCreate(
        NO_GLOBALS,
        &config,
        &attributes,
        &mut item
    ));
    assert_eq!(status, STATUS_SUCCESS);
    wdf!(WdfWorkItemFlush(NO_GLOBALS, item));
    wdf!(WdfWorkItemEnqueue(NO_GLOBALS, item));
    wdf!(WdfWorkItemFlush(NO_GLOBALS, item));
    assert_eq!(RUNS.load(Ordering::SeqCst), 2);
    machine.driver.unload();
}
