//! Work items of drivers.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, PIO_WORKITEM};

use crate::Current;
use crate::exports::exports;
use crate::ke::bug_check;
use crate::ke::callback::unchanged;
use crate::ob::AnyObject;
use crate::verify::Origin;

exports! {
    DISPATCH_LEVEL: IoAllocateWorkItem, IoFreeWorkItem, IoQueueWorkItem, IoQueueWorkItemEx;
}

/// What a driver's `PIO_WORKITEM` points to.
struct WorkItem {
    device: *mut DEVICE_OBJECT,
    is_queued: AtomicBool,
}

type Routine = unsafe extern "win64" fn(*mut DEVICE_OBJECT, *mut c_void);
type RoutineEx = unsafe extern "win64" fn(*mut c_void, *mut c_void, PIO_WORKITEM);

/// A call that a worker thread is to make; the addresses are the driver's to keep valid.
struct Call<R> {
    item: PIO_WORKITEM,
    routine: R,
    context: *mut c_void,
    device: *mut DEVICE_OBJECT,
    /// Keeps the device, its driver and its code while the routine runs.
    _device: AnyObject,
}

// SAFETY: a driver queues a routine in order to have it called in another thread with these.
unsafe impl<R> Send for Call<R> {}

/// IRQL ≤ DISPATCH_LEVEL.
extern "win64" fn IoAllocateWorkItem(device: *mut DEVICE_OBJECT) -> PIO_WORKITEM {
    let item = Box::into_raw(Box::new(WorkItem {
        device,
        is_queued: AtomicBool::new(false),
    }));
    Current::with(|current| {
        let mut work_items = current.kernel.io.work_items.lock().unwrap();
        let name = format!("of device {device:p}");
        work_items.insert(item as usize, (name, Origin::here()));
    });
    item as PIO_WORKITEM
}

/// IRQL ≤ DISPATCH_LEVEL. A routine may free its own item.
unsafe extern "win64" fn IoFreeWorkItem(item: PIO_WORKITEM) {
    let known = Current::with(|current| {
        current
            .kernel
            .io
            .work_items
            .lock()
            .unwrap()
            .remove(&(item as usize))
            .is_some()
    });
    if !known {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "work item {item:#x} is freed and is none"
        );
    }
    // SAFETY: known until now, so it came from `IoAllocateWorkItem` and was not freed before.
    let item = unsafe { Box::from_raw(item as *mut WorkItem) };
    if item.is_queued.load(Ordering::Acquire) {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "a work item is freed while it is queued"
        );
    }
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn IoQueueWorkItem(
    item: PIO_WORKITEM,
    routine: Routine,
    _queue: i32,
    context: *mut c_void,
) {
    let call = Call::take(item, routine, context);
    // SAFETY: the driver asked for this call; the device is kept by the reference in it.
    call.queue(|call| unsafe { (call.routine)(call.device, call.context) });
}

/// IRQL ≤ DISPATCH_LEVEL.
unsafe extern "win64" fn IoQueueWorkItemEx(
    item: PIO_WORKITEM,
    routine: RoutineEx,
    _queue: i32,
    context: *mut c_void,
) {
    let call = Call::take(item, routine, context);
    // SAFETY: as for `IoQueueWorkItem`.
    call.queue(|call| unsafe { (call.routine)(call.device.cast(), call.context, call.item) });
}

impl<R: 'static> Call<R> {
    /// Marks the item as queued.
    fn take(item: PIO_WORKITEM, routine: R, context: *mut c_void) -> Call<R> {
        let taken = Current::with(|current| {
            let work_items = current.kernel.io.work_items.lock().unwrap();
            work_items.contains_key(&(item as usize)).then(|| {
                // SAFETY: known, so it came from `IoAllocateWorkItem`, and it is not freed before
                // it is taken out, which waits for the lock.
                let work_item = unsafe { &*(item as *const WorkItem) };
                let was_queued = work_item.is_queued.swap(true, Ordering::AcqRel);
                (work_item.device, was_queued)
            })
        });
        let device = match taken {
            Some((device, false)) => device,
            Some((_, true)) => bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "a work item is queued while it is queued"
            ),
            None => bug_check!(
                DRIVER_VERIFIER_DETECTED_VIOLATION,
                "work item {item:#x} is queued and is none"
            ),
        };
        // SAFETY: a driver frees its work items before it deletes their device.
        let reference = unsafe { AnyObject::from_body(device.cast()) };
        Call {
            item,
            routine,
            context,
            device,
            _device: reference,
        }
    }

    fn queue(self, call: impl FnOnce(&Call<R>) + Send + 'static) {
        Current::with(|current| {
            current.kernel.workers.queue(&current.kernel, move || {
                let this = self;
                // SAFETY: a queued item may not be freed.
                let work_item = unsafe { &*(this.item as *const WorkItem) };
                // Before the routine runs, which may queue the item again or free it.
                work_item.is_queued.store(false, Ordering::Release);
                unchanged("a work item's", || call(&this));
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::death;
    use std::ptr;

    unsafe extern "win64" fn nothing(_: *mut DEVICE_OBJECT, _: *mut c_void) {}

    /// A work item of an object that stays.
    fn work_item() -> PIO_WORKITEM {
        let object = Current::with(|current| current.kernel.ps.system.clone());
        IoAllocateWorkItem(object.as_ptr().cast())
    }

    /// As if the item had been queued and no thread had come to it.
    fn take(item: PIO_WORKITEM) {
        std::mem::forget(Call::take(item, nothing as Routine, ptr::null_mut()));
    }

    fn queue(item: PIO_WORKITEM) {
        // SAFETY: the tests' items cannot be queued, which is stopped.
        unsafe { IoQueueWorkItem(item, nothing, 0, ptr::null_mut()) };
    }

    fn free(item: PIO_WORKITEM) {
        // SAFETY: an item, or a breach that is stopped.
        unsafe { IoFreeWorkItem(item) };
    }

    #[test]
    fn a_work_item_is_not_queued_while_it_is_queued() {
        let printed = death::of(|| {
            let item = work_item();
            take(item);
            queue(item);
        });
        let named = "a work item is queued while it is queued";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn a_work_item_is_not_freed_while_it_is_queued() {
        let printed = death::of(|| {
            let item = work_item();
            take(item);
            free(item);
        });
        let named = "a work item is freed while it is queued";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn a_work_item_that_is_freed_is_not_queued() {
        let printed = death::of(|| {
            let item = work_item();
            free(item);
            queue(item);
        });
        assert!(printed.contains("is queued and is none"), "{printed}");
    }

    #[test]
    fn a_work_item_is_freed_once() {
        let printed = death::of(|| {
            let item = work_item();
            free(item);
            free(item);
        });
        assert!(printed.contains("is freed and is none"), "{printed}");
    }
}
