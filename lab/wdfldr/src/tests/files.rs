//! Open, clean-up and close.

use windows_sys::Win32::Foundation::{
    STATUS_ACCESS_DENIED, STATUS_CANCELLED, STATUS_NO_SUCH_DEVICE, STATUS_PENDING, STATUS_SUCCESS,
};

use super::*;

/// A log, and file callbacks that write to it.
macro_rules! file_callbacks {
    ($log:ident) => {
        static $log: Log = Log::new();
        unsafe extern "system" fn cleanup(_: WDFFILEOBJECT) {
            $log.push("clean-up");
        }
        unsafe extern "system" fn close(_: WDFFILEOBJECT) {
            $log.push("close");
        }
    };
}

unsafe extern "system" fn forward_to_manual(
    queue: WDFQUEUE,
    request: WDFREQUEST,
    _output: usize,
    _input: usize,
    _code: u32,
) {
    let device = wdf!(WdfIoQueueGetDevice(NO_GLOBALS, queue));
    let manual = MANUAL.with(|manual| manual.get());
    assert!(!device.is_null());
    assert_eq!(
        wdf!(WdfRequestForwardToIoQueue(NO_GLOBALS, request, manual)),
        STATUS_SUCCESS
    );
}

thread_local!(static MANUAL: std::cell::Cell<WDFQUEUE> = const { std::cell::Cell::new(ptr::null_mut()) });

#[test]
fn a_device_cannot_be_opened_before_it_is_finished() {
    let machine = Machine::start_unfinished(&DeviceOptions::default(), None);
    let file = File {
        machine: &machine,
        wdm: Box::default(),
    };
    assert_eq!(file.send(0), STATUS_NO_SUCH_DEVICE);
    wdf!(WdfControlFinishInitializing(NO_GLOBALS, machine.device));
    assert_eq!(file.send(0), STATUS_SUCCESS);
    file.clean_up();
    file.close();
    machine.driver.unload();
}

#[test]
fn an_open_the_driver_refuses_has_no_clean_up_and_no_close() {
    file_callbacks!(LOG);
    unsafe extern "system" fn create(_: WDFDEVICE, request: WDFREQUEST, file: WDFFILEOBJECT) {
        assert_eq!(wdf!(WdfRequestGetFileObject(NO_GLOBALS, request)), file);
        LOG.push("create");
        wdf!(WdfRequestComplete(
            NO_GLOBALS,
            request,
            STATUS_ACCESS_DENIED
        ));
    }
    let options = DeviceOptions {
        create: Some(create),
        cleanup: Some(cleanup),
        close: Some(close),
        ..DeviceOptions::default()
    };
    let machine = Machine::start(&options);
    let file = File {
        machine: &machine,
        wdm: Box::default(),
    };
    assert_eq!(file.send(0), STATUS_ACCESS_DENIED);
    let wdm = file.pointer().cast();
    assert!(wdf!(WdfDeviceGetFileObject(NO_GLOBALS, machine.device, wdm)).is_null());
    machine.driver.unload();
    assert_eq!(LOG.take(), ["create"]);
}

#[test]
fn clean_up_calls_the_driver_before_it_cancels_what_the_file_has_in_queues() {
    static LOG: Log = Log::new();
    unsafe extern "system" fn cleanup(_: WDFFILEOBJECT) {
        LOG.push("clean-up");
    }
    unsafe extern "system" fn canceled(_: WDFQUEUE, request: WDFREQUEST) {
        LOG.push("canceled");
        wdf!(WdfRequestComplete(NO_GLOBALS, request, STATUS_CANCELLED));
    }
    let options = DeviceOptions {
        cleanup: Some(cleanup),
        ..DeviceOptions::default()
    };
    let machine = Machine::start(&options);
    machine.default_queue(WdfIoQueueDispatchParallel, Some(forward_to_manual));
    let mut config = queue_config(WdfIoQueueDispatchManual);
    config.EvtIoCanceledOnQueue = Some(canceled);
    MANUAL.set(machine.queue(&config));

    let (file, other) = (machine.open(), machine.open());
    let (first, second) = (file.control(4), other.control(4));
    file.clean_up();
    assert_eq!(LOG.take(), ["clean-up", "canceled"]);
    assert_eq!(first.end(), Some((STATUS_CANCELLED, 0)));
    assert_eq!(second.end(), None);
    file.close();
    other.clean_up();
    other.close();
    assert_eq!(second.end(), Some((STATUS_CANCELLED, 0)));
    machine.driver.unload();
}

#[test]
fn a_close_without_clean_up_cleans_up_first() {
    file_callbacks!(LOG);
    let options = DeviceOptions {
        cleanup: Some(cleanup),
        close: Some(close),
        ..DeviceOptions::default()
    };
    let machine = Machine::start(&options);
    let queue = machine.default_queue(WdfIoQueueDispatchManual, None);
    let file = machine.open();
    let packet = file.control(4);
    let (mut waiting, mut owned) = (0, 0);
    wdf!(WdfIoQueueGetState(
        NO_GLOBALS,
        queue,
        &mut waiting,
        &mut owned
    ));
    assert_eq!((waiting, owned, packet.end()), (1, 0, None));
    file.close();
    assert_eq!(LOG.take(), ["clean-up", "close"]);
    assert_eq!(packet.end(), Some((STATUS_CANCELLED, 0)));
    machine.driver.unload();
}

#[test]
fn an_unload_with_an_open_file_closes_it_before_it_calls_the_driver() {
    file_callbacks!(LOG);
    unsafe extern "system" fn unload(_: WDFDRIVER) {
        LOG.push("unload");
    }
    let options = DeviceOptions {
        cleanup: Some(cleanup),
        close: Some(close),
        ..DeviceOptions::default()
    };
    let machine = Machine::start_unfinished(&options, Some(unload));
    wdf!(WdfControlFinishInitializing(NO_GLOBALS, machine.device));
    machine.default_queue(WdfIoQueueDispatchManual, None);
    let file = machine.open();
    let packet = Packet::control(file.pointer(), 4, &mut []);
    assert_eq!(packet.send(machine.wdm), STATUS_PENDING);
    machine.driver.unload();
    assert_eq!(LOG.take(), ["clean-up", "close", "unload"]);
    assert_eq!(packet.end(), Some((STATUS_CANCELLED, 0)));
}
