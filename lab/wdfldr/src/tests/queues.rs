//! Presenting, retrieving, forwarding, and the buffers of a request.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_INVALID_DEVICE_REQUEST,
    STATUS_NO_MORE_ENTRIES, STATUS_NOT_FOUND, STATUS_SUCCESS,
};

use super::*;

thread_local!(static PRESENTED: RefCell<Vec<WDFREQUEST>> = const { RefCell::new(Vec::new()) });

unsafe extern "system" fn keep(_: WDFQUEUE, request: WDFREQUEST, _: usize, _: usize, _: u32) {
    PRESENTED.with_borrow_mut(|presented| presented.push(request));
}

fn presented() -> Vec<WDFREQUEST> {
    PRESENTED.with_borrow_mut(std::mem::take)
}

fn complete(request: WDFREQUEST) {
    wdf!(WdfRequestCompleteWithInformation(
        NO_GLOBALS,
        request,
        STATUS_SUCCESS,
        7
    ));
}

/// A device with an open file, and its default queue.
fn with_queue(dispatch_type: u32, test: impl FnOnce(&Machine, &File<'_>, WDFQUEUE)) {
    let machine = Machine::start(&DeviceOptions::default());
    let queue = machine.default_queue(dispatch_type, Some(keep));
    {
        let file = machine.open();
        test(&machine, &file, queue);
        file.clean_up();
        file.close();
    }
    machine.driver.unload();
}

#[test]
fn a_parallel_queue_presents_every_request_at_once() {
    with_queue(WdfIoQueueDispatchParallel, |_, file, _| {
        let packets = [file.control(4), file.control(8)];
        let requests = presented();
        assert_eq!(requests.len(), 2);
        for request in requests.into_iter().rev() {
            complete(request);
        }
        assert!(
            packets
                .iter()
                .all(|packet| packet.end() == Some((STATUS_SUCCESS, 7)))
        );
    });
}

#[test]
fn a_sequential_queue_presents_the_next_request_when_the_last_is_completed() {
    with_queue(WdfIoQueueDispatchSequential, |_, file, _| {
        let packets = [file.control(4), file.control(8), file.control(12)];
        for packet in &packets {
            let [request] = presented()[..] else {
                panic!("one at a time")
            };
            assert_eq!(packet.end(), None);
            complete(request);
            assert_eq!(packet.end(), Some((STATUS_SUCCESS, 7)));
        }
        assert!(presented().is_empty());
    });
}

#[test]
fn a_request_that_waits_can_be_retrieved_by_its_file() {
    with_queue(WdfIoQueueDispatchManual, |machine, file, queue| {
        let other = machine.open();
        let (first, second) = (file.control(4), other.control(4));
        let wdm = other.pointer().cast();
        let object = wdf!(WdfDeviceGetFileObject(NO_GLOBALS, machine.device, wdm));
        let mut request = ptr::null_mut();
        let mut retrieve = || {
            let status = wdf!(WdfIoQueueRetrieveRequestByFileObject(
                NO_GLOBALS,
                queue,
                object,
                &mut request
            ));
            (status, request)
        };
        let (status, found) = retrieve();
        assert_eq!(status, STATUS_SUCCESS);
        complete(found);
        assert_eq!(
            (first.end(), second.end()),
            (None, Some((STATUS_SUCCESS, 7)))
        );
        assert_eq!(retrieve().0, STATUS_NO_MORE_ENTRIES);
        other.clean_up();
        other.close();
        assert_eq!(first.end(), None);
        file.clean_up();
        assert_eq!(first.end(), Some((STATUS_CANCELLED, 0)));
    });
}

#[test]
fn a_request_that_was_found_is_retrieved_or_gone() {
    with_queue(WdfIoQueueDispatchManual, |_, file, queue| {
        let packets = [file.control(4), file.control(8)];
        let find = |after| {
            let mut found = ptr::null_mut();
            // SAFETY: integers.
            let mut parameters: WDF_REQUEST_PARAMETERS = unsafe { zeroed() };
            let status = wdf!(WdfIoQueueFindRequest(
                NO_GLOBALS,
                queue,
                after,
                ptr::null_mut(),
                &mut parameters,
                &mut found
            ));
            (status, found, parameters.Parameters[2])
        };
        let (status, first, code) = find(ptr::null_mut());
        assert_eq!((status, code), (STATUS_SUCCESS, 4));
        let (status, second, code) = find(first);
        assert_eq!((status, code), (STATUS_SUCCESS, 8));
        assert_eq!(find(second).0, STATUS_NO_MORE_ENTRIES);

        packets[0].cancel();
        let mut request = ptr::null_mut();
        let mut retrieve = |found| {
            wdf!(WdfIoQueueRetrieveFoundRequest(
                NO_GLOBALS,
                queue,
                found,
                &mut request
            ))
        };
        assert_eq!(retrieve(first), STATUS_NOT_FOUND);
        assert_eq!(retrieve(second), STATUS_SUCCESS);
        complete(second);
        for found in [first, second] {
            wdf!(WdfObjectDereferenceActual(
                NO_GLOBALS,
                found,
                ptr::null_mut(),
                0,
                ptr::null()
            ));
        }
        let ends = packets.each_ref().map(|packet| packet.end());
        assert_eq!(
            ends,
            [Some((STATUS_CANCELLED, 0)), Some((STATUS_SUCCESS, 7))]
        );
    });
}

#[test]
fn a_forwarded_request_waits_in_the_other_queue() {
    with_queue(WdfIoQueueDispatchSequential, |machine, file, queue| {
        let manual = machine.queue(&queue_config(WdfIoQueueDispatchManual));
        let packets = [file.control(4), file.control(4)];
        let [first] = presented()[..] else {
            panic!("one at a time")
        };
        let forward = |to| wdf!(WdfRequestForwardToIoQueue(NO_GLOBALS, first, to));
        assert_eq!(forward(queue), STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(forward(manual), STATUS_SUCCESS);
        // Its place in the sequential queue is free.
        let [second] = presented()[..] else {
            panic!("the next one")
        };
        let mut request = ptr::null_mut();
        let status = wdf!(WdfIoQueueRetrieveNextRequest(
            NO_GLOBALS,
            manual,
            &mut request
        ));
        assert_eq!((status, request), (STATUS_SUCCESS, first));
        assert_eq!(wdf!(WdfRequestGetIoQueue(NO_GLOBALS, first)), manual);
        complete(first);
        complete(second);
        assert!(
            packets
                .iter()
                .all(|packet| packet.end() == Some((STATUS_SUCCESS, 7)))
        );
    });
}

#[test]
fn a_queue_that_is_purged_takes_no_request_from_another() {
    with_queue(WdfIoQueueDispatchParallel, |machine, file, _| {
        let manual = machine.queue(&queue_config(WdfIoQueueDispatchManual));
        let packet = file.control(4);
        let [request] = presented()[..] else {
            panic!("presented at once")
        };
        wdf!(WdfIoQueuePurgeSynchronously(NO_GLOBALS, manual));
        let forward = || wdf!(WdfRequestForwardToIoQueue(NO_GLOBALS, request, manual));
        assert_eq!(forward(), STATUS_WDF_BUSY);
        wdf!(WdfIoQueueStart(NO_GLOBALS, manual));
        assert_eq!(forward(), STATUS_SUCCESS);
        wdf!(WdfIoQueuePurgeSynchronously(NO_GLOBALS, manual));
        assert_eq!(packet.end(), Some((STATUS_CANCELLED, 0)));
    });
}

#[test]
fn a_stopped_queue_keeps_requests_until_it_is_started() {
    with_queue(WdfIoQueueDispatchParallel, |_, file, queue| {
        wdf!(WdfIoQueueStopSynchronously(NO_GLOBALS, queue));
        let packet = file.control(4);
        assert!(presented().is_empty());
        wdf!(WdfIoQueueStart(NO_GLOBALS, queue));
        let [request] = presented()[..] else {
            panic!("presented at the start")
        };
        complete(request);
        assert_eq!(packet.end(), Some((STATUS_SUCCESS, 7)));
    });
}

#[test]
fn a_drain_is_over_when_the_driver_completed_the_last_request() {
    static DRAINED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "system" fn drained(_: WDFQUEUE, _: WDFCONTEXT) {
        DRAINED.fetch_add(1, Ordering::Relaxed);
    }
    with_queue(WdfIoQueueDispatchSequential, |_, file, queue| {
        let packets = [file.control(4), file.control(4)];
        wdf!(WdfIoQueueDrain(
            NO_GLOBALS,
            queue,
            Some(drained),
            ptr::null_mut()
        ));
        assert_eq!(file.control(4).end(), Some((STATUS_WDF_BUSY, 0)));
        for _ in &packets {
            assert_eq!(DRAINED.load(Ordering::Relaxed), 0);
            let [request] = presented()[..] else {
                panic!("one at a time")
            };
            complete(request);
        }
        assert_eq!(DRAINED.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_passive_queue_waits_with_its_callbacks_for_passive_level() {
    static IRQLS: Log = Log::new();
    unsafe extern "system" fn handler(
        _: WDFQUEUE,
        request: WDFREQUEST,
        _: usize,
        _: usize,
        _: u32,
    ) {
        IRQLS.push(if crate::nt::is_passive() {
            "passive"
        } else {
            "dispatch"
        });
        complete(request);
    }
    let machine = Machine::start(&DeviceOptions {
        passive: true,
        ..DeviceOptions::default()
    });
    machine.default_queue(WdfIoQueueDispatchParallel, Some(handler));
    let file = machine.open();
    let packet = kernel::at_dispatch(|| file.control(4));
    assert_eq!(packet.wait(), (STATUS_SUCCESS, 7));
    file.control(4);
    assert_eq!(IRQLS.take(), ["passive", "passive"]);
    file.close();
    machine.driver.unload();
}

#[test]
fn a_request_seen_in_the_callers_context_is_enqueued_or_completed_there() {
    unsafe extern "system" fn in_caller_context(device: WDFDEVICE, request: WDFREQUEST) {
        // SAFETY: integers.
        let mut parameters: WDF_REQUEST_PARAMETERS = unsafe { zeroed() };
        wdf!(WdfRequestGetParameters(
            NO_GLOBALS,
            request,
            &mut parameters
        ));
        assert_eq!(parameters.Type, WdfRequestTypeDeviceControl);
        match parameters.Parameters[2] {
            4 => wdf!(WdfRequestComplete(NO_GLOBALS, request, STATUS_SUCCESS)),
            _ => {
                let status = wdf!(WdfDeviceEnqueueRequest(NO_GLOBALS, device, request));
                assert_eq!(status, STATUS_SUCCESS);
            }
        }
    }
    let options = DeviceOptions {
        in_caller_context: Some(in_caller_context),
        ..DeviceOptions::default()
    };
    let machine = Machine::start(&options);
    machine.default_queue(WdfIoQueueDispatchParallel, Some(keep));
    let file = machine.open();
    assert_eq!(file.control(4).end(), Some((STATUS_SUCCESS, 0)));
    let packet = file.control(8);
    let [request] = presented()[..] else {
        panic!("enqueued")
    };
    complete(request);
    assert_eq!(packet.end(), Some((STATUS_SUCCESS, 7)));
    file.close();
    machine.driver.unload();
}

#[test]
fn a_request_tells_whether_its_process_is_a_32_bit_one_where_it_came_in() {
    unsafe extern "system" fn in_caller_context(_: WDFDEVICE, request: WDFREQUEST) {
        let narrow = wdf!(WdfRequestIsFrom32BitProcess(NO_GLOBALS, request));
        let information = narrow.into();
        wdf!(WdfRequestCompleteWithInformation(
            NO_GLOBALS,
            request,
            STATUS_SUCCESS,
            information
        ));
    }
    let options = DeviceOptions {
        in_caller_context: Some(in_caller_context),
        ..DeviceOptions::default()
    };
    let machine = Machine::start(&options);
    let file = machine.open();
    let narrow = kernel::in_32_bit_process(|| file.control(4));
    assert_eq!(narrow.end(), Some((STATUS_SUCCESS, 1)));
    assert_eq!(file.control(4).end(), Some((STATUS_SUCCESS, 0)));
    file.close();
    machine.driver.unload();
}

#[test]
fn a_device_without_a_queue_refuses_requests() {
    let machine = Machine::start(&DeviceOptions::default());
    let file = machine.open();
    assert_eq!(
        file.control(4).end(),
        Some((STATUS_INVALID_DEVICE_REQUEST, 0))
    );
    file.close();
    machine.driver.unload();
}

#[test]
fn a_buffer_is_handed_out_if_it_is_long_enough() {
    with_queue(WdfIoQueueDispatchParallel, |machine, file, _| {
        let mut data = *b"12345678";
        let packet = Packet::control(file.pointer(), 4, &mut data);
        packet.send(machine.wdm);
        let [request] = presented()[..] else {
            panic!("presented at once")
        };
        let (mut buffer, mut length) = (ptr::null_mut(), 0);
        let mut retrieve = |minimum| {
            let status = wdf!(WdfRequestRetrieveInputBuffer(
                NO_GLOBALS,
                request,
                minimum,
                &mut buffer,
                &mut length
            ));
            (status, buffer, length)
        };
        assert_eq!(retrieve(9).0, STATUS_BUFFER_TOO_SMALL);
        let (status, buffer, length) = retrieve(8);
        assert_eq!((status, length), (STATUS_SUCCESS, 8));
        assert_eq!(buffer.addr(), data.as_ptr().addr());

        let mut memory = ptr::null_mut();
        let status = wdf!(WdfRequestRetrieveOutputMemory(
            NO_GLOBALS,
            request,
            &mut memory
        ));
        assert_eq!(status, STATUS_SUCCESS);
        let copy = |offset, bytes: &mut [u8]| {
            wdf!(WdfMemoryCopyToBuffer(
                NO_GLOBALS,
                memory,
                offset,
                bytes.as_mut_ptr().cast(),
                bytes.len()
            ))
        };
        let mut bytes = [0; 4];
        assert_eq!(copy(5, &mut bytes), STATUS_BUFFER_TOO_SMALL);
        assert_eq!(copy(usize::MAX, &mut bytes), STATUS_BUFFER_TOO_SMALL);
        assert_eq!((copy(4, &mut bytes), &bytes), (STATUS_SUCCESS, b"5678"));
        complete(request);

        let empty = file.control(4);
        let [request] = presented()[..] else {
            panic!("presented at once")
        };
        let status = wdf!(WdfRequestRetrieveOutputBuffer(
            NO_GLOBALS,
            request,
            0,
            &mut ptr::null_mut(),
            ptr::null_mut()
        ));
        assert_eq!(status, STATUS_BUFFER_TOO_SMALL);
        complete(request);
        assert!(empty.end().is_some());
    });
}
