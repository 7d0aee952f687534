//! Cancellation, in both orders and both at once.

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use windows_sys::Win32::Foundation::{STATUS_CANCELLED, STATUS_SUCCESS};

use super::*;

thread_local!(static PRESENTED: Cell<WDFREQUEST> = const { Cell::new(ptr::null_mut()) });

unsafe extern "system" fn keep(_: WDFQUEUE, request: WDFREQUEST, _: usize, _: usize, _: u32) {
    PRESENTED.set(request);
}

unsafe extern "system" fn cancel(request: WDFREQUEST) {
    wdf!(WdfRequestComplete(NO_GLOBALS, request, STATUS_CANCELLED));
}

const CANCELLED: Option<(NTSTATUS, usize)> = Some((STATUS_CANCELLED, 0));
const DONE: Option<(NTSTATUS, usize)> = Some((STATUS_SUCCESS, 0));

fn complete(request: WDFREQUEST) {
    wdf!(WdfRequestComplete(NO_GLOBALS, request, STATUS_SUCCESS));
}

#[test]
fn a_request_the_driver_never_saw_is_cancelled_without_it() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "system" fn canceled(_: WDFQUEUE, _: WDFREQUEST) {
        TOLD.fetch_add(1, Ordering::Relaxed);
    }
    let machine = Machine::start(&DeviceOptions::default());
    let mut config = queue_config(WdfIoQueueDispatchManual);
    config.DefaultQueue = 1;
    config.EvtIoCanceledOnQueue = Some(canceled);
    machine.queue(&config);
    let file = machine.open();
    let packet = file.control(4);
    packet.cancel();
    assert_eq!((packet.end(), TOLD.load(Ordering::Relaxed)), (CANCELLED, 0));
    file.close();
    machine.driver.unload();
}

#[test]
fn a_request_that_is_cancelled_before_it_is_sent_ends_at_once() {
    let machine = Machine::start(&DeviceOptions::default());
    machine.default_queue(WdfIoQueueDispatchManual, None);
    let file = machine.open();
    let packet = Packet::control(file.pointer(), 4, &mut []);
    packet.cancel();
    packet.send(machine.wdm);
    assert_eq!(packet.end(), CANCELLED);
    file.close();
    machine.driver.unload();
}

#[test]
fn a_request_the_driver_holds_is_cancelled_only_while_it_is_cancelable() {
    let machine = Machine::start(&DeviceOptions::default());
    machine.default_queue(WdfIoQueueDispatchParallel, Some(keep));
    let file = machine.open();

    let packet = file.control(4);
    let request = PRESENTED.get();
    wdf!(WdfRequestMarkCancelable(NO_GLOBALS, request, Some(cancel)));
    packet.cancel();
    assert_eq!(packet.end(), CANCELLED);

    let packet = file.control(4);
    let request = PRESENTED.get();
    let mark = || {
        wdf!(WdfRequestMarkCancelableEx(
            NO_GLOBALS,
            request,
            Some(cancel)
        ))
    };
    assert_eq!(mark(), STATUS_SUCCESS);
    assert_eq!(
        wdf!(WdfRequestUnmarkCancelable(NO_GLOBALS, request)),
        STATUS_SUCCESS
    );
    packet.cancel();
    assert_eq!(packet.end(), None);
    assert_eq!(wdf!(WdfRequestIsCanceled(NO_GLOBALS, request)), 1);
    // Too late to be told of it; the driver still owns the request.
    assert_eq!(mark(), STATUS_CANCELLED);
    complete(request);
    assert_eq!(packet.end(), DONE);

    // The older form calls back instead.
    let packet = file.control(4);
    packet.cancel();
    wdf!(WdfRequestMarkCancelable(
        NO_GLOBALS,
        PRESENTED.get(),
        Some(cancel)
    ));
    assert_eq!(packet.end(), CANCELLED);

    // So does a purge, for what is cancelable.
    let packet = file.control(4);
    wdf!(WdfRequestMarkCancelable(
        NO_GLOBALS,
        PRESENTED.get(),
        Some(cancel)
    ));
    let queue = wdf!(WdfDeviceGetDefaultQueue(NO_GLOBALS, machine.device));
    wdf!(WdfIoQueuePurgeSynchronously(NO_GLOBALS, queue));
    assert_eq!(packet.end(), CANCELLED);
    file.close();
    machine.driver.unload();
}

#[test]
fn at_dispatch_level_a_passive_driver_is_told_of_the_cancellation_later() {
    static LOG: Log = Log::new();
    unsafe extern "system" fn canceled(_: WDFQUEUE, request: WDFREQUEST) {
        LOG.push(if crate::nt::is_passive() {
            "passive"
        } else {
            "dispatch"
        });
        wdf!(WdfRequestComplete(NO_GLOBALS, request, STATUS_CANCELLED));
    }
    let machine = Machine::start(&DeviceOptions {
        passive: true,
        ..DeviceOptions::default()
    });
    machine.default_queue(WdfIoQueueDispatchParallel, Some(keep));
    let mut config = queue_config(WdfIoQueueDispatchManual);
    config.EvtIoCanceledOnQueue = Some(canceled);
    let manual = machine.queue(&config);
    let file = machine.open();
    let packet = file.control(4);
    let status = wdf!(WdfRequestForwardToIoQueue(
        NO_GLOBALS,
        PRESENTED.get(),
        manual
    ));
    assert_eq!(status, STATUS_SUCCESS);
    kernel::at_dispatch(|| packet.cancel());
    assert_eq!(Some(packet.wait()), CANCELLED);
    assert_eq!(LOG.take(), ["passive"]);
    file.close();
    machine.driver.unload();
}

/// Runs two sides on their own threads, started together.
fn race(rounds: usize, mut round: impl FnMut(&Barrier)) {
    let barrier = Barrier::new(2);
    for _ in 0..rounds {
        round(&barrier);
    }
}

#[test]
fn a_cancel_racing_a_retrieval_ends_the_request_once() {
    let machine = Machine::start(&DeviceOptions::default());
    let queue = machine
        .default_queue(WdfIoQueueDispatchManual, None)
        .expose_provenance();
    let file = machine.open();
    let (mut retrieved, mut cancelled) = (0, 0);
    race(2000, |barrier| {
        let packet = file.control(4);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                packet.cancel();
            });
            barrier.wait();
            let queue = ptr::with_exposed_provenance_mut(queue);
            let mut request = ptr::null_mut();
            match wdf!(WdfIoQueueRetrieveNextRequest(
                NO_GLOBALS,
                queue,
                &mut request
            )) {
                STATUS_SUCCESS => {
                    retrieved += 1;
                    complete(request);
                }
                _ => cancelled += 1,
            }
        });
        assert!(packet.end().is_some());
    });
    assert_eq!(retrieved + cancelled, 2000);
    file.close();
    machine.driver.unload();
}

#[test]
fn a_cancel_racing_mark_and_unmark_ends_the_request_once() {
    let machine = Machine::start(&DeviceOptions::default());
    machine.default_queue(WdfIoQueueDispatchParallel, Some(keep));
    let file = machine.open();
    race(2000, |barrier| {
        let packet = file.control(4);
        let request = PRESENTED.get();
        wdf!(WdfObjectReferenceActual(
            NO_GLOBALS,
            request,
            ptr::null_mut(),
            0,
            ptr::null()
        ));
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                packet.cancel();
            });
            barrier.wait();
            let owned = wdf!(WdfRequestMarkCancelableEx(
                NO_GLOBALS,
                request,
                Some(cancel)
            )) != STATUS_SUCCESS
                || wdf!(WdfRequestUnmarkCancelable(NO_GLOBALS, request)) == STATUS_SUCCESS;
            if owned {
                complete(request);
            }
        });
        assert!(packet.end().is_some());
        wdf!(WdfObjectDereferenceActual(
            NO_GLOBALS,
            request,
            ptr::null_mut(),
            0,
            ptr::null()
        ));
    });
    file.close();
    machine.driver.unload();
}

#[test]
fn a_cancel_racing_a_forward_and_a_clean_up_ends_the_request_once() {
    unsafe extern "system" fn canceled(_: WDFQUEUE, request: WDFREQUEST) {
        wdf!(WdfRequestComplete(NO_GLOBALS, request, STATUS_CANCELLED));
    }
    let machine = Machine::start(&DeviceOptions::default());
    machine.default_queue(WdfIoQueueDispatchParallel, Some(keep));
    let mut config = queue_config(WdfIoQueueDispatchManual);
    config.EvtIoCanceledOnQueue = Some(canceled);
    let manual = machine.queue(&config);
    race(1000, |barrier| {
        let file = machine.open();
        let packet = file.control(4);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                packet.cancel();
            });
            barrier.wait();
            let status = wdf!(WdfRequestForwardToIoQueue(
                NO_GLOBALS,
                PRESENTED.get(),
                manual
            ));
            assert_eq!(status, STATUS_SUCCESS);
            file.clean_up();
        });
        assert_eq!(packet.end(), CANCELLED);
        file.close();
    });
    machine.driver.unload();
}
