//! File objects: open devices.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Wdk::Foundation::{
    ACCESS_STATE, FILE_OBJECT, IO_SECURITY_CONTEXT, IO_STACK_LOCATION, IO_STACK_LOCATION_0,
};
use windows_sys::Wdk::Storage::FileSystem::DO_DEVICE_INITIALIZING;
use windows_sys::Wdk::System::SystemServices::{
    FILE_DEVICE_SECURE_OPEN, FO_CLEANUP_COMPLETE, FO_HANDLE_CREATED, IRP_MJ_CLEANUP, IRP_MJ_CLOSE,
    IRP_MJ_CREATE,
};
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_NO_SUCH_DEVICE, STATUS_PENDING,
};

use super::buffers::Buffers;
use super::dispatch;
use super::packet::{Packet, PacketInfo};
use super::{Device, parameters};
use crate::ob::{Kind, Object, ObjectRef};
use crate::rtl::NtString;
use crate::se::{self, generic};
use crate::{Current, Kernel};

const IO_TYPE_FILE: i16 = 5;
pub(super) const FILE_READ_DATA: u32 = 1;
pub(super) const FILE_WRITE_DATA: u32 = 2;
/// `FILE_OPEN` in the upper byte of the create options: the disposition of `CreateFile` on devices.
const FILE_OPEN: u32 = 1 << 24;
/// FILE_SHARE_READ, WRITE and DELETE.
const SHARE_ALL: u16 = 7;

/// An open device.
///
/// Dropping the body, that is letting go of the last reference, sends IRP_MJ_CLOSE.
#[repr(C)]
pub struct File {
    nt: UnsafeCell<FILE_OBJECT>,
    /// The text that `nt` points to.
    _name: NtString,
    device: ObjectRef<Device>,
    granted: u32,
    process_id: u32,
    is_32_bit: bool,
    /// Whether the driver has accepted it: only then does it hear of the close.
    opened: AtomicBool,
}

// SAFETY: the structure in the cell is shared with the driver by the rules Windows has; what the
// model changes there is changed before the file is known or when its last handle closes.
unsafe impl Send for File {}
// SAFETY: as above.
unsafe impl Sync for File {}

impl Object for File {
    const KIND: Kind = Kind::File;
    fn describe(&self) -> String {
        format!("on {} of pid {}", self.device.describe(), self.process_id)
    }
}

impl File {
    /// Opens the device that `path` leads to, for the current process.
    ///
    /// # Errors
    /// The status of the name, the access check or the driver.
    pub(super) fn open(
        kernel: &Kernel,
        path: &str,
        desired: u32,
    ) -> Result<ObjectRef<File>, NTSTATUS> {
        let (device, rest) = kernel.io.names.find(path)?;
        if device.flags() & DO_DEVICE_INITIALIZING != 0 {
            return Err(STATUS_NO_SUCH_DEVICE);
        }
        let thread = Current::with(|current| current.thread.clone());
        // N.B. without FILE_DEVICE_SECURE_OPEN Windows leaves names behind the device's to the
        // driver's own judgement.
        let is_checked = rest.is_empty() || device.characteristics() & FILE_DEVICE_SECURE_OPEN != 0;
        let granted = if is_checked {
            se::access_check(
                &device.descriptor(),
                &generic::FILE,
                &thread.effective_token(),
                desired,
            )?
        } else {
            desired
        };
        device.driver().file_opens()?;
        if !device.acquire_handle() {
            device.driver().file_closed();
            return Err(STATUS_ACCESS_DENIED);
        }
        let name = NtString::from(rest.as_str());
        let file = ObjectRef::new(
            &kernel.objects,
            File {
                nt: UnsafeCell::new(FILE_OBJECT {
                    Type: IO_TYPE_FILE,
                    Size: size_of::<FILE_OBJECT>() as i16,
                    DeviceObject: device.nt(),
                    ReadAccess: granted & FILE_READ_DATA != 0,
                    WriteAccess: granted & FILE_WRITE_DATA != 0,
                    SharedRead: true,
                    SharedWrite: true,
                    SharedDelete: true,
                    FileName: name.as_nt(),
                    ..FILE_OBJECT::default()
                }),
                _name: name,
                device,
                granted,
                process_id: thread.process.id,
                is_32_bit: thread.process.wow64 == Some(true),
                opened: AtomicBool::new(false),
            },
        );
        File::create(&file, kernel, desired)?;
        Ok(file)
    }

    /// Asks the driver, with IRP_MJ_CREATE.
    fn create(this: &ObjectRef<File>, kernel: &Kernel, desired: u32) -> Result<(), NTSTATUS> {
        let mut access = ACCESS_STATE {
            PreviouslyGrantedAccess: this.granted,
            OriginalDesiredAccess: desired,
            ..ACCESS_STATE::default()
        };
        let mut security = IO_SECURITY_CONTEXT {
            AccessState: &raw mut access,
            DesiredAccess: desired,
            ..IO_SECURITY_CONTEXT::default()
        };
        let parameters = parameters::create(&raw mut security, FILE_OPEN, SHARE_ALL);
        let status = this.send(kernel, IRP_MJ_CREATE, parameters, Some(this.clone()));
        if status < 0 {
            return Err(status);
        }
        this.opened.store(true, Ordering::Relaxed);
        // SAFETY: the handle is only now being made; drivers read the flags.
        unsafe { (*this.nt()).Flags |= FO_HANDLE_CREATED };
        Ok(())
    }

    /// Tells the driver that the last handle is closed. Requests may still be under way.
    pub(super) fn cleanup(this: &ObjectRef<File>, kernel: &Kernel) {
        this.send(
            kernel,
            IRP_MJ_CLEANUP,
            IO_STACK_LOCATION_0::default(),
            Some(this.clone()),
        );
        // SAFETY: the last handle is closed; drivers read the flags.
        unsafe { (*this.nt()).Flags |= FO_CLEANUP_COMPLETE };
    }

    /// Sends a request without buffers and waits for its end.
    fn send(
        &self,
        kernel: &Kernel,
        major: u32,
        parameters: IO_STACK_LOCATION_0,
        file: Option<ObjectRef<File>>,
    ) -> NTSTATUS {
        let info = PacketInfo {
            major,
            control_code: 0,
            process_id: self.process_id,
            is_32_bit: self.is_32_bit,
        };
        let location = self.location(major, parameters);
        let packet = Packet::new(info, file, location, Buffers::default(), None);
        match dispatch::send(kernel, &self.device, &packet) {
            STATUS_PENDING => packet.wait().status,
            status => status,
        }
    }

    /// The driver's stack location of a request on this file.
    pub(super) fn location(
        &self,
        major: u32,
        parameters: IO_STACK_LOCATION_0,
    ) -> IO_STACK_LOCATION {
        IO_STACK_LOCATION {
            MajorFunction: major as u8,
            Parameters: parameters,
            DeviceObject: self.device.nt(),
            FileObject: self.nt(),
            ..IO_STACK_LOCATION::default()
        }
    }

    /// What drivers see.
    pub fn nt(&self) -> *mut FILE_OBJECT {
        self.nt.get()
    }

    /// The access its handle was granted.
    pub fn granted(&self) -> u32 {
        self.granted
    }

    /// The device that is open.
    pub fn device(&self) -> &ObjectRef<Device> {
        &self.device
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A machine that is being taken down has no driver that could still answer.
        let Some(kernel) = self.device.driver().kernel() else {
            return;
        };
        let close = || {
            if self.opened.load(Ordering::Relaxed) {
                self.send(&kernel, IRP_MJ_CLOSE, IO_STACK_LOCATION_0::default(), None);
            }
            self.device.release_handle();
            self.device.driver().file_closed();
        };
        if Current::exists() {
            close();
        } else {
            kernel.enter(&kernel.ps.system.clone(), close);
        }
    }
}
