//! The framework as a driver sees it: through the function table, over a double of the kernel.

mod cancelling;
mod files;
mod kernel;
mod objects;
mod queues;
mod registry;

use std::ffi::c_void;
use std::mem::zeroed;
use std::ptr;
use std::sync::Mutex;

use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, DRIVER_OBJECT, FILE_OBJECT};
use windows_sys::Win32::Foundation::{STATUS_REVISION_MISMATCH, STATUS_SUCCESS};

use crate::kmdf::*;
use crate::loader::{WdfVersionBind, WdfVersionUnbind};
use kernel::Packet;

/// Calls a function of the table, by its name in the headers, as a driver does.
macro_rules! wdf {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: the entry has this signature, as the headers say.
        let function = unsafe {
            std::mem::transmute::<crate::kmdf::Function, crate::kmdf::signature!($name)>(
                *crate::table::functions().add(crate::kmdf::index::$name),
            )
        };
        // SAFETY: the test passes what the function asks for.
        unsafe { function($($argument),*) }
    }};
}
use wdf;

/// No function but those that create or delete the driver looks at its globals.
const NO_GLOBALS: PWDF_DRIVER_GLOBALS = ptr::null_mut();

/// What happened, in order, for callbacks to write down.
struct Log(Mutex<Vec<&'static str>>);

impl Log {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn push(&self, event: &'static str) {
        self.0.lock().unwrap().push(event);
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn unicode(text: &str) -> (Vec<u16>, UNICODE_STRING) {
    let mut units: Vec<u16> = text.encode_utf16().collect();
    let length = (units.len() * 2) as u16;
    let string = UNICODE_STRING {
        Length: length,
        MaximumLength: length,
        Buffer: units.as_mut_ptr(),
    };
    (units, string)
}

fn attributes() -> WDF_OBJECT_ATTRIBUTES {
    WDF_OBJECT_ATTRIBUTES {
        Size: size_of::<WDF_OBJECT_ATTRIBUTES>() as u32,
        ExecutionLevel: WdfExecutionLevelInheritFromParent,
        SynchronizationScope: WdfSynchronizationScopeInheritFromParent,
        // SAFETY: the rest is integers and pointers.
        ..unsafe { zeroed() }
    }
}

fn queue_config(dispatch_type: u32) -> WDF_IO_QUEUE_CONFIG {
    WDF_IO_QUEUE_CONFIG {
        Size: size_of::<WDF_IO_QUEUE_CONFIG>() as u32,
        DispatchType: dispatch_type,
        Settings: u32::MAX,
        // SAFETY: the rest is integers and pointers.
        ..unsafe { zeroed() }
    }
}

/// A driver that has bound to the framework.
struct Driver {
    wdm: Box<DRIVER_OBJECT>,
    info: WDF_BIND_INFO,
    globals: PWDF_DRIVER_GLOBALS,
    handle: WDFDRIVER,
}

fn bind_info(minor: u32, table: &mut *const Function) -> WDF_BIND_INFO {
    WDF_BIND_INFO {
        Size: size_of::<WDF_BIND_INFO>() as u32,
        Component: ptr::null(),
        Version: WDF_VERSION {
            Major: 1,
            Minor: minor,
            Build: 0,
        },
        FuncCount: FUNCTION_COUNT as u32,
        FuncTable: table,
        Module: ptr::null_mut(),
    }
}

impl Driver {
    /// Bound, and WdfDriverCreate called.
    fn start(unload: PFN_WDF_DRIVER_UNLOAD) -> Self {
        Self::start_as(r"\Registry\Machine\System\test", unload)
    }

    /// With a registry key of its own.
    fn start_as(service: &str, unload: PFN_WDF_DRIVER_UNLOAD) -> Self {
        let mut wdm = kernel::driver_object();
        let mut table = ptr::null();
        let mut info = bind_info(31, &mut table);
        let mut globals = ptr::null_mut();
        // SAFETY: as the stub of a driver calls it.
        let status =
            unsafe { WdfVersionBind(&mut *wdm, ptr::null(), (&raw mut info).cast(), &mut globals) };
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(table, crate::table::functions());
        let globals: PWDF_DRIVER_GLOBALS = globals.cast();

        let (_path, path) = unicode(service);
        let config = WDF_DRIVER_CONFIG {
            Size: size_of::<WDF_DRIVER_CONFIG>() as u32,
            EvtDriverDeviceAdd: ptr::null(),
            EvtDriverUnload: unload,
            DriverInitFlags: WdfDriverInitNonPnpDriver,
            DriverPoolTag: 0,
        };
        let mut handle = ptr::null_mut();
        let status = wdf!(WdfDriverCreate(
            globals,
            &mut *wdm,
            &path,
            ptr::null(),
            &config,
            &mut handle
        ));
        assert_eq!(status, STATUS_SUCCESS);
        Self {
            wdm,
            info,
            globals,
            handle,
        }
    }

    /// What the stub does when the I/O manager unloads the driver.
    fn unload(mut self) {
        let unload = self.wdm.DriverUnload.expect("set by WdfDriverCreate");
        // SAFETY: the unload routine of the driver.
        unsafe { unload(&*self.wdm) };
        self.unbind();
    }

    /// What the stub does when DriverEntry fails, and at the end of an unload.
    fn unbind(&mut self) {
        let info = (&raw mut self.info).cast();
        // SAFETY: as the stub of a driver calls it.
        unsafe { WdfVersionUnbind(ptr::null(), info, self.globals.cast()) };
        assert!(self.wdm.DeviceObject.is_null(), "a device is left behind");
    }
}

/// What a test wants of its device.
#[derive(Default)]
struct DeviceOptions {
    create: PFN_WDF_DEVICE_FILE_CREATE,
    cleanup: PFN_WDF_FILE,
    close: PFN_WDF_FILE,
    in_caller_context: PFN_WDF_IO_IN_CALLER_CONTEXT,
    passive: bool,
}

/// A driver with one device.
struct Machine {
    driver: Driver,
    device: WDFDEVICE,
    wdm: *mut DEVICE_OBJECT,
}

impl Machine {
    /// With a device that may be opened.
    fn start(options: &DeviceOptions) -> Self {
        let machine = Self::start_unfinished(options, None);
        wdf!(WdfControlFinishInitializing(NO_GLOBALS, machine.device));
        machine
    }

    fn start_unfinished(options: &DeviceOptions, unload: PFN_WDF_DRIVER_UNLOAD) -> Self {
        let driver = Driver::start(unload);
        let (_sddl, sddl) = unicode("D:P(A;;GA;;;SY)(A;;GA;;;BA)");
        let mut init = wdf!(WdfControlDeviceInitAllocate(
            driver.globals,
            driver.handle,
            &sddl
        ));
        assert!(!init.is_null());
        let (_name, name) = unicode(r"\Device\test");
        assert_eq!(
            wdf!(WdfDeviceInitAssignName(NO_GLOBALS, init, &name)),
            STATUS_SUCCESS
        );
        let config = WDF_FILEOBJECT_CONFIG {
            Size: size_of::<WDF_FILEOBJECT_CONFIG>() as u32,
            EvtDeviceFileCreate: options.create,
            EvtFileClose: options.close,
            EvtFileCleanup: options.cleanup,
            AutoForwardCleanupClose: WdfUseDefault,
            FileObjectClass: WdfFileObjectWdfCannotUseFsContexts,
        };
        wdf!(WdfDeviceInitSetFileObjectConfig(
            NO_GLOBALS,
            init,
            &config,
            ptr::null()
        ));
        wdf!(WdfDeviceInitSetIoInCallerContextCallback(
            NO_GLOBALS,
            init,
            options.in_caller_context
        ));
        let mut attributes = attributes();
        if options.passive {
            attributes.ExecutionLevel = WdfExecutionLevelPassive;
        }
        let mut device = ptr::null_mut();
        let status = wdf!(WdfDeviceCreate(
            NO_GLOBALS,
            &mut init,
            &attributes,
            &mut device
        ));
        assert_eq!(status, STATUS_SUCCESS);
        assert!(init.is_null());
        let wdm = wdf!(WdfDeviceWdmGetDeviceObject(NO_GLOBALS, device));
        Self {
            driver,
            device,
            wdm,
        }
    }

    fn queue(&self, config: &WDF_IO_QUEUE_CONFIG) -> WDFQUEUE {
        let mut queue = ptr::null_mut();
        let status = wdf!(WdfIoQueueCreate(
            NO_GLOBALS,
            self.device,
            config,
            ptr::null(),
            &mut queue
        ));
        assert_eq!(status, STATUS_SUCCESS);
        queue
    }

    /// The default queue, with a handler for control requests.
    fn default_queue(
        &self,
        dispatch_type: u32,
        handler: PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL,
    ) -> WDFQUEUE {
        let mut config = queue_config(dispatch_type);
        config.DefaultQueue = 1;
        config.EvtIoDeviceControl = handler;
        self.queue(&config)
    }

    fn open(&self) -> File<'_> {
        let file = File {
            machine: self,
            wdm: Box::default(),
        };
        assert_eq!(file.send(0), STATUS_SUCCESS);
        file
    }
}

/// A file object of the I/O manager.
struct File<'a> {
    machine: &'a Machine,
    wdm: Box<FILE_OBJECT>,
}

impl File<'_> {
    fn pointer(&self) -> *mut c_void {
        (&raw const *self.wdm).cast_mut().cast()
    }

    /// Sends an IRP that is completed before it returns.
    fn send(&self, major: u32) -> NTSTATUS {
        let packet = Packet::new(major, self.pointer(), [0; 4]);
        packet.send(self.machine.wdm);
        packet.end().expect("completed at once").0
    }

    fn clean_up(&self) {
        assert_eq!(self.send(18), STATUS_SUCCESS);
    }

    fn close(&self) {
        assert_eq!(self.send(2), STATUS_SUCCESS);
    }

    /// Sends a control request without data.
    fn control(&self, code: u32) -> Box<Packet> {
        let packet = Packet::control(self.pointer(), code, &mut []);
        packet.send(self.machine.wdm);
        packet
    }
}

#[test]
fn a_driver_built_for_a_newer_framework_is_refused() {
    let mut table = ptr::null();
    let mut info = bind_info(33, &mut table);
    let (mut wdm, mut globals) = (kernel::driver_object(), ptr::null_mut());
    // SAFETY: as the stub of a driver calls it.
    let status =
        unsafe { WdfVersionBind(&mut *wdm, ptr::null(), (&raw mut info).cast(), &mut globals) };
    assert_eq!(status, STATUS_REVISION_MISMATCH);
    assert!(table.is_null() && globals.is_null());
}

#[test]
fn every_entry_of_the_table_is_a_function_of_its_own() {
    // SAFETY: the table has this many entries.
    let table = unsafe { std::slice::from_raw_parts(crate::table::functions(), FUNCTION_COUNT) };
    let addresses: std::collections::HashSet<usize> =
        table.iter().map(|function| *function as usize).collect();
    assert!(!addresses.contains(&0));
    assert_eq!(addresses.len(), FUNCTION_COUNT);
}
