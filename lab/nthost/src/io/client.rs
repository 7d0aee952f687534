//! User-mode processes that use drivers.

use std::sync::{Arc, Mutex, Weak};

use windows_sys::Wdk::System::SystemServices::IRP_MJ_DEVICE_CONTROL;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_INVALID_HANDLE, STATUS_PENDING,
};

use super::buffers::Buffers;
use super::file::{FILE_READ_DATA, FILE_WRITE_DATA, File};
use super::packet::{Completion, OnComplete, Packet, PacketInfo};
use super::{cancel, dispatch, parameters};
use crate::Kernel;
use crate::ob::ObjectRef;
use crate::ps::Process;

/// A process, and what it has open. Dropping it is its death.
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

/// A handle to an open device. Closes when it is dropped.
pub struct FileHandle {
    client: Arc<Shared>,
    file: Mutex<Option<ObjectRef<File>>>,
}

/// A request under way.
pub struct Ticket {
    client: Arc<Shared>,
    packet: Arc<Packet>,
}

pub(super) struct Shared {
    pub(super) kernel: Arc<Kernel>,
    pub(super) process: ObjectRef<Process>,
    handles: Mutex<Vec<Weak<FileHandle>>>,
    /// Requests that had not ended when they were last looked at.
    pending: Mutex<Vec<Arc<Packet>>>,
}

impl Client {
    /// Lets `process` use drivers.
    pub fn new(kernel: &Arc<Kernel>, process: ObjectRef<Process>) -> Client {
        let shared = Shared {
            kernel: Arc::clone(kernel),
            process,
            handles: Mutex::default(),
            pending: Mutex::default(),
        };
        Client {
            shared: Arc::new(shared),
        }
    }

    /// The process.
    pub fn process(&self) -> &ObjectRef<Process> {
        &self.shared.process
    }

    /// Opens the device that `path` names, for example `\??\ntwatch`, with the access `desired`.
    ///
    /// # Errors
    /// The status that `NtCreateFile` would return.
    pub fn open(&self, path: &str, desired: u32) -> Result<Arc<FileHandle>, NTSTATUS> {
        let shared = &self.shared;
        let file = shared.enter(|| File::open(&shared.kernel, path, desired))?;
        let handle = Arc::new(FileHandle {
            client: Arc::clone(shared),
            file: Mutex::new(Some(file)),
        });
        let mut handles = shared.handles.lock().unwrap();
        handles.retain(|handle| handle.strong_count() > 0);
        handles.push(Arc::downgrade(&handle));
        Ok(handle)
    }

    /// Ends the process as Windows does: its requests are cancelled and waited for, then its
    /// handles are closed.
    pub fn die(self) {
        drop(self);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let pending = std::mem::take(&mut *self.shared.pending.lock().unwrap());
        for packet in &pending {
            self.shared.cancel(packet);
        }
        for packet in &pending {
            packet.wait();
        }
        let handles = std::mem::take(&mut *self.shared.handles.lock().unwrap());
        handles
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|handle| handle.close());
        self.shared.process.handles.close_all();
    }
}

impl Shared {
    pub(super) fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        self.kernel.act_as(&self.process, body)
    }

    fn cancel(&self, packet: &Packet) -> bool {
        self.enter(|| cancel::cancel(&self.kernel, packet))
    }
}

impl FileHandle {
    /// Makes a control request and waits for its end.
    pub fn ioctl(&self, control_code: u32, input: &[u8], output: usize) -> Completion {
        match self.send(control_code, input, output, None) {
            Ok(ticket) => ticket.wait(),
            Err(status) => Completion {
                status,
                information: 0,
                output: Vec::new(),
            },
        }
    }

    /// Makes a control request that ends later; [`Ticket::wait`] has its result.
    ///
    /// # Errors
    /// The status of a request that no driver has seen: a closed handle, or one without the
    /// access the control code asks for.
    pub fn submit(
        &self,
        control_code: u32,
        input: &[u8],
        output: usize,
    ) -> Result<Ticket, NTSTATUS> {
        self.send(control_code, input, output, None)
    }

    /// As [`Self::submit`], and calls `on_complete` with the result, once, in the thread that
    /// completes the request, which may be this one and may be at DISPATCH_LEVEL.
    ///
    /// # Errors
    /// As for [`Self::submit`]; `on_complete` is not called then.
    pub fn submit_with(
        &self,
        control_code: u32,
        input: &[u8],
        output: usize,
        on_complete: impl FnOnce(Completion) + Send + 'static,
    ) -> Result<Ticket, NTSTATUS> {
        self.send(control_code, input, output, Some(Box::new(on_complete)))
    }

    fn send(
        &self,
        control_code: u32,
        input: &[u8],
        output: usize,
        on_complete: Option<OnComplete>,
    ) -> Result<Ticket, NTSTATUS> {
        let file = self
            .file
            .lock()
            .unwrap()
            .clone()
            .ok_or(STATUS_INVALID_HANDLE)?;
        // The access that a control code asks for is in its bits 14 and 15.
        let needed = (control_code >> 14) & (FILE_READ_DATA | FILE_WRITE_DATA);
        if file.granted() & needed != needed {
            return Err(STATUS_ACCESS_DENIED);
        }
        let client = &self.client;
        let buffers = Buffers::of_control(&client.kernel, control_code, input, output);
        let parameters = parameters::device_control(
            control_code,
            input.len() as u32,
            output as u32,
            buffers.user_input(),
        );
        let location = file.location(IRP_MJ_DEVICE_CONTROL, parameters);
        let info = PacketInfo {
            major: IRP_MJ_DEVICE_CONTROL,
            control_code,
            process_id: client.process.id,
            is_32_bit: client.process.wow64 == Some(true),
        };
        let device = file.device().clone();
        // The requester's own: whoever completes the request and closes the handle meanwhile does
        // not take the driver from under this thread.
        let held = file.clone();
        let packet = Packet::new(info, Some(file), location, buffers, on_complete);
        let status = client.enter(|| {
            let status = dispatch::send(&client.kernel, &device, &packet);
            drop(held);
            status
        });
        if status == STATUS_PENDING {
            let mut pending = client.pending.lock().unwrap();
            pending.retain(|packet| !packet.is_complete());
            pending.push(Arc::clone(&packet));
        }
        Ok(Ticket {
            client: Arc::clone(client),
            packet,
        })
    }

    /// Closes the handle: IRP_MJ_CLEANUP at once, IRP_MJ_CLOSE when no request is under way.
    pub fn close(&self) {
        let file = self.file.lock().unwrap().take();
        if let Some(file) = file {
            let kernel = &self.client.kernel;
            self.client.enter(|| {
                File::cleanup(&file, kernel);
                drop(file);
            });
        }
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Ticket {
    /// Asks for the request to be cancelled, as `CancelIoEx` does. Returns whether it could be;
    /// it ends either way, with `STATUS_CANCELLED` or with what it was made for.
    pub fn cancel(&self) -> bool {
        self.client.cancel(&self.packet)
    }

    /// Waits for the end of the request. Called again it returns the status alone.
    pub fn wait(&self) -> Completion {
        self.packet.wait()
    }

    /// Whether the request has ended.
    pub fn is_complete(&self) -> bool {
        self.packet.is_complete()
    }
}
