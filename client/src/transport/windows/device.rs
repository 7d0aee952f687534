//! The device's handle.

use super::event::{self, Reset, Stop};
use super::{machine, privilege, process, ring};
use crate::transport::file_name::file_name;
use crate::transport::mapping::{Mapping, Unmappable};
use crate::transport::win32::fault;
use crate::transport::{Fault, Host, RunningProcess, Transport};
use crate::volumes::Volume;
use ntwatch_protocol::ioctl::READ_EVENTS;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::ptr::null;
use std::sync::Arc;
use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{CreateFileW, FILE_FLAG_OVERLAPPED, OPEN_EXISTING};
use windows_sys::Win32::System::IO::{
    CancelIoEx, DeviceIoControl, GetOverlappedResult, OVERLAPPED,
};

/// An open handle of the driver's device.
pub struct Device {
    handle: OwnedHandle,
    stop: Arc<Stop>,
}

impl Device {
    /// Opens a device by its Win32 name, such as `\\.\ntwatch`.
    ///
    /// # Errors
    /// [`Fault::NotFound`], [`Fault::AccessDenied`], and what else `CreateFileW` fails with.
    pub fn open(name: &str) -> Result<Self, Fault> {
        let stop = Arc::new(Stop::new()?);
        let name = wide(name);
        // SAFETY: `name` ends with a NUL and lives through the call; the other pointers may be
        // null.
        let handle = unsafe {
            CreateFileW(
                name.as_ptr(),
                GENERIC_READ | GENERIC_WRITE,
                0,
                null(),
                OPEN_EXISTING,
                FILE_FLAG_OVERLAPPED,
                std::ptr::null_mut(),
            )
        };
        if handle == INVALID_HANDLE_VALUE {
            return Err(last_fault());
        }
        Ok(Self {
            // SAFETY: a handle that was just opened and that nobody else has.
            handle: unsafe { OwnedHandle::from_raw_handle(handle) },
            stop,
        })
    }

    /// `DeviceIoControl`, waited for. `started` runs once the request is on its way.
    fn request(
        &self,
        code: u32,
        input: &[u8],
        output: &mut [u8],
        started: impl FnOnce(*const OVERLAPPED),
    ) -> Result<usize, Fault> {
        let event = event::create(Reset::ByHand)?;
        let mut overlapped = OVERLAPPED {
            hEvent: event.as_raw_handle(),
            ..OVERLAPPED::default()
        };
        // Windows writes to it meanwhile: nobody has a reference.
        let overlapped = &raw mut overlapped;
        let too_long = |_| Fault::BadParameter;
        let input_len = u32::try_from(input.len()).map_err(too_long)?;
        let output_len = u32::try_from(output.len()).map_err(too_long)?;
        // SAFETY: `input`, `output` and what `overlapped` is of are live and of the lengths given. They
        // stay so until the request is completed: this function does not return before that.
        let done = unsafe {
            DeviceIoControl(
                self.handle.as_raw_handle(),
                code,
                input.as_ptr().cast(),
                input_len,
                output.as_mut_ptr().cast(),
                output_len,
                std::ptr::null_mut(),
                overlapped,
            )
        };
        if done == 0 {
            let error = io::Error::last_os_error();
            if !is(&error, ERROR_IO_PENDING) {
                return Err(fault(error));
            }
        }
        started(overlapped);
        let mut len = 0;
        // SAFETY: `overlapped` is the one that the request was started with, and `len` is ours.
        let ok = unsafe {
            GetOverlappedResult(self.handle.as_raw_handle(), overlapped, &raw mut len, 1)
        };
        if ok == 0 {
            Err(last_fault())
        } else {
            Ok(len as usize)
        }
    }

    /// `CancelIoEx`, of one request or, if it is null, of all. That there is none any more is no
    /// failure.
    fn cancel(&self, overlapped: *const OVERLAPPED) {
        // SAFETY: requests are found by this address; nothing is read there.
        unsafe { CancelIoEx(self.handle.as_raw_handle(), overlapped) };
    }
}

impl Transport for Device {
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Result<usize, Fault> {
        self.request(code, input, output, |_| {})
    }

    fn read_events(&self, output: &mut [u8]) -> Result<usize, Fault> {
        if self.stop.is_set() {
            return Err(Fault::Stopped);
        }
        let read = self.request(READ_EVENTS, &[], output, |overlapped| {
            // Pairs with `stop_reads`: either it sees this request, or this sees its flag.
            if self.stop.is_set() {
                self.cancel(overlapped);
            }
        });
        match read {
            // By somebody else. N.B. Wine unloads a driver under its clients; Windows would wait.
            Err(Fault::Stopped) if !self.stop.is_set() => Err(Fault::Closed),
            read => read,
        }
    }

    fn map_ring(&self, ring_size: u32, wake_bytes: u32) -> Result<Mapping, Unmappable> {
        ring::map(self, &self.stop, ring_size, wake_bytes)
    }

    fn stop_reads(&self) {
        self.stop.set();
        // Only reads wait in the driver; its other requests are completed at once.
        self.cancel(null());
    }

    fn processes(&self) -> Result<Vec<RunningProcess>, Fault> {
        process::snapshot()
    }

    fn process(&self, pid: u32) -> Result<Option<RunningProcess>, Fault> {
        Ok(process::process(pid))
    }

    fn enable_privilege(&self, name: &str) -> Result<(), Fault> {
        privilege::enable(name)
    }

    fn volumes(&self) -> Result<Vec<Volume>, Fault> {
        Ok(machine::volumes())
    }

    fn host(&self) -> Result<Host, Fault> {
        machine::host()
    }

    fn account(&self, sid: &[u8]) -> Option<String> {
        machine::account(sid)
    }

    fn file(&self, path: &str) -> Option<PathBuf> {
        file_name(path, machine::device).map(PathBuf::from)
    }
}

/// UTF-16 with a NUL behind it.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// What the last call of this thread failed with.
pub(super) fn last_fault() -> Fault {
    fault(io::Error::last_os_error())
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code as i32)
}
