//! An overlapped request.

use std::ffi::c_void;
use std::fs::File;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::{io, mem, ptr};
use windows_sys::Win32::Foundation::ERROR_IO_PENDING;
use windows_sys::Win32::System::IO::{
    CancelIoEx, DeviceIoControl, GetOverlappedResult, OVERLAPPED,
};
use windows_sys::Win32::System::Threading::CreateEventW;

/// One that is on its way. What it works on is the system's until it has ended.
pub(crate) struct Request<'a> {
    device: &'a File,
    /// From a box: Windows writes to it meanwhile.
    overlapped: *mut OVERLAPPED,
    _event: OwnedHandle,
    input: Vec<u8>,
    output: Vec<u8>,
    pending: bool,
}

impl<'a> Request<'a> {
    /// Sends it, with so much room for the answer.
    pub(crate) fn begin(
        device: &'a File,
        code: u32,
        input: &[u8],
        room: usize,
    ) -> io::Result<Self> {
        // SAFETY: both pointers may be null.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        let mut request = Self {
            device,
            overlapped: Box::into_raw(Box::new(OVERLAPPED {
                hEvent: event,
                ..OVERLAPPED::default()
            })),
            // SAFETY: just made, and nobody else's.
            _event: unsafe { OwnedHandle::from_raw_handle(event) },
            input: input.to_vec(),
            output: vec![0; room],
            pending: false,
        };
        // SAFETY: buffers of these lengths, which stay until `drop` has seen the request end.
        let done = unsafe {
            DeviceIoControl(
                request.handle(),
                code,
                request.input.as_ptr().cast(),
                request.input.len() as u32,
                request.output.as_mut_ptr().cast(),
                room as u32,
                ptr::null_mut(),
                request.overlapped,
            )
        };
        if done == 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(ERROR_IO_PENDING.cast_signed()) {
                return Err(error);
            }
            request.pending = true;
        }
        Ok(request)
    }

    fn handle(&self) -> *mut c_void {
        self.device.as_raw_handle()
    }

    /// Had the driver not completed it when it was sent?
    pub(crate) fn is_pending(&self) -> bool {
        self.pending
    }

    pub(crate) fn cancel(&self) -> io::Result<()> {
        // SAFETY: a request of this handle's, or one that has ended.
        match unsafe { CancelIoEx(self.handle(), self.overlapped) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Waits for its end, and returns the answer.
    pub(crate) fn end(mut self) -> io::Result<Vec<u8>> {
        let bytes = self.wait()?;
        let mut answer = mem::take(&mut self.output);
        answer.truncate(bytes as usize);
        Ok(answer)
    }

    fn wait(&self) -> io::Result<u32> {
        let mut bytes = 0;
        // SAFETY: the structure that it was sent with.
        let done =
            unsafe { GetOverlappedResult(self.handle(), self.overlapped, &raw mut bytes, 1) };
        match done {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(bytes),
        }
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        // One that has ended is not there to be canceled.
        if self.cancel().is_ok() {
            let _ = self.wait();
        }
        // SAFETY: a box once, and the request has ended.
        drop(unsafe { Box::from_raw(self.overlapped) });
    }
}
