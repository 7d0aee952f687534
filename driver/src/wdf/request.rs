//! Requests.

use crate::nt::check;
use crate::wdf::file::File;
use crate::wdf::queue::Queue;
use crate::wdf::wdf_call;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use ntwatch_engine::session::Output;
use wdk_sys::{
    _MODE, _WDF_REQUEST_TYPE, KPROCESSOR_MODE, NTSTATUS, STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_PARAMETER, STATUS_SUCCESS, WDF_REQUEST_PARAMETERS, WDFREQUEST, WDFREQUEST__,
};
use zerocopy::{FromBytes, IntoBytes};

/// A request that is ours until it is completed or forwarded, which takes it.
#[must_use = "a request must be completed"]
pub(crate) struct Request(NonNull<WDFREQUEST__>);

impl Request {
    /// # Safety
    /// The request is the caller's to complete, and nothing else completes it.
    pub(crate) unsafe fn new(request: WDFREQUEST) -> Option<Self> {
        NonNull::new(request).map(Self)
    }

    pub(super) const fn as_ptr(&self) -> WDFREQUEST {
        self.0.as_ptr()
    }

    /// Of a control request. Page "WdfRequestGetParameters". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn control_code(&self) -> Option<u32> {
        let mut parameters = WDF_REQUEST_PARAMETERS {
            Size: size_of::<WDF_REQUEST_PARAMETERS>() as u16,
            ..WDF_REQUEST_PARAMETERS::default()
        };
        // SAFETY: ours; `parameters` is ours to write.
        unsafe {
            wdf_call!(
                PFN_WDFREQUESTGETPARAMETERS,
                WdfRequestGetParametersTableIndex,
                self.0.as_ptr(),
                &raw mut parameters,
            )
        };
        if parameters.Type != _WDF_REQUEST_TYPE::WdfRequestTypeDeviceControl {
            return None;
        }
        // SAFETY: the member of the union that belongs to the type.
        Some(unsafe { parameters.Parameters.DeviceIoControl.IoControlCode })
    }

    /// Page "WdfRequestGetRequestorMode". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn is_from_user_mode(&self) -> bool {
        // SAFETY: ours.
        let mode = unsafe {
            wdf_call!(
                PFN_WDFREQUESTGETREQUESTORMODE,
                WdfRequestGetRequestorModeTableIndex,
                self.0.as_ptr(),
            )
        };
        mode == _MODE::UserMode as KPROCESSOR_MODE
    }

    /// On 64-bit Windows. Page "WdfRequestIsFrom32BitProcess". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn is_from_32_bit_process(&self) -> bool {
        // SAFETY: ours.
        let narrow = unsafe {
            wdf_call!(
                PFN_WDFREQUESTISFROM32BITPROCESS,
                WdfRequestIsFrom32BitProcessTableIndex,
                self.0.as_ptr(),
            )
        };
        narrow != 0
    }

    /// The input of a METHOD_BUFFERED request, of exactly the size of a `T`, else
    /// STATUS_INVALID_PARAMETER. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn input<T: FromBytes>(&self) -> Result<T, NTSTATUS> {
        T::read_from_bytes(self.input_buffer()?).map_err(|_| STATUS_INVALID_PARAMETER)
    }

    /// Page "WdfRequestCompleteWithInformation". IRQL ≤ DISPATCH_LEVEL, and with no lock of ours
    /// held: the last request of a handle may close its file object before this returns.
    pub(crate) fn complete_with_information(self, status: NTSTATUS, information: usize) {
        // SAFETY: ours, and gone with `self`.
        unsafe {
            wdf_call!(
                PFN_WDFREQUESTCOMPLETEWITHINFORMATION,
                WdfRequestCompleteWithInformationTableIndex,
                self.0.as_ptr(),
                status,
                information as u64,
            )
        };
    }

    /// See [`Self::complete_with_information`].
    pub(crate) fn complete(self, status: NTSTATUS) {
        self.complete_with_information(status, 0);
    }

    /// Page "WdfRequestForwardToIoQueue"; on failure it is still ours. IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn forward_to_io_queue(self, queue: Queue) -> Result<(), (Self, NTSTATUS)> {
        // SAFETY: ours, from another queue of the same device.
        let status = unsafe {
            wdf_call!(
                PFN_WDFREQUESTFORWARDTOIOQUEUE,
                WdfRequestForwardToIoQueueTableIndex,
                self.0.as_ptr(),
                queue.0,
            )
        };
        check(status).map_err(|status| (self, status))
    }

    /// Page "WdfRequestGetFileObject". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn file(&self) -> Option<File> {
        // SAFETY: ours.
        File::new(unsafe {
            wdf_call!(
                PFN_WDFREQUESTGETFILEOBJECT,
                WdfRequestGetFileObjectTableIndex,
                self.0.as_ptr(),
            )
        })
    }

    /// The input of a METHOD_BUFFERED request, of a byte at least, else STATUS_INVALID_PARAMETER; it
    /// shares its memory with the output. Page "WdfRequestRetrieveInputBuffer".
    /// IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn input_buffer(&self) -> Result<&[u8], NTSTATUS> {
        let mut buffer = ptr::null_mut();
        let mut length = 0;
        // SAFETY: ours; both places are ours to write.
        check(unsafe {
            wdf_call!(
                PFN_WDFREQUESTRETRIEVEINPUTBUFFER,
                WdfRequestRetrieveInputBufferTableIndex,
                self.0.as_ptr(),
                0,
                &raw mut buffer,
                &raw mut length,
            )
        })
        .map_err(|status| match status {
            STATUS_BUFFER_TOO_SMALL => STATUS_INVALID_PARAMETER,
            status => status,
        })?;
        // SAFETY: buffered: a copy in system memory that nobody else has, until completion.
        Ok(unsafe { core::slice::from_raw_parts(buffer.cast(), length) })
    }

    /// Completes a METHOD_BUFFERED request with an answer, or with STATUS_BUFFER_TOO_SMALL. `fill`
    /// gets it zeroed, where the system wants it: it may be large for a kernel stack.
    /// IRQL ≤ DISPATCH_LEVEL, and no lock of ours held.
    pub(crate) fn complete_with<T: FromBytes + IntoBytes>(self, fill: impl FnOnce(&mut T)) {
        const { assert!(align_of::<T>() <= 16) };
        let mut answer = match self.output_buffer(size_of::<T>()) {
            Ok(output) => output.start.cast::<T>(),
            Err(status) => return self.complete(status),
        };
        // SAFETY: at least so many bytes of system memory, which nobody else has until completion.
        unsafe { answer.write_bytes(0, 1) };
        // SAFETY: as above, just initialised, and aligned, as pool is to 16 bytes.
        fill(unsafe { answer.as_mut() });
        self.complete_with_information(STATUS_SUCCESS, size_of::<T>());
    }

    /// The output of a METHOD_BUFFERED or METHOD_OUT_DIRECT request, of `minimum` bytes at least,
    /// else STATUS_BUFFER_TOO_SMALL. Page "WdfRequestRetrieveOutputBuffer". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn output_buffer(&self, minimum: usize) -> Result<OutputBuffer<'_>, NTSTATUS> {
        let mut buffer = ptr::null_mut();
        let mut length = 0;
        // SAFETY: ours; both places are ours to write.
        check(unsafe {
            wdf_call!(
                PFN_WDFREQUESTRETRIEVEOUTPUTBUFFER,
                WdfRequestRetrieveOutputBufferTableIndex,
                self.0.as_ptr(),
                minimum,
                &raw mut buffer,
                &raw mut length,
            )
        })?;
        Ok(OutputBuffer {
            start: NonNull::new(buffer.cast()).ok_or(STATUS_INVALID_PARAMETER)?,
            size: length,
            written: 0,
            request: PhantomData,
        })
    }
}

/// Output of a request, in system addresses. Write-only: in a METHOD_OUT_DIRECT request the
/// client sees every write, and may write itself.
pub(crate) struct OutputBuffer<'r> {
    start: NonNull<u8>,
    size: usize,
    written: usize,
    request: PhantomData<&'r Request>,
}

impl OutputBuffer<'_> {
    /// Bytes so far.
    pub(crate) const fn written(&self) -> usize {
        self.written
    }
}

impl Output for OutputBuffer<'_> {
    fn room(&self) -> usize {
        self.size.saturating_sub(self.written)
    }

    fn push(&mut self, record: &[u8]) {
        if record.len() > self.room() {
            return;
        }
        // SAFETY: `written` is at most `size`.
        let to = unsafe { self.start.add(self.written) };
        // SAFETY: there is room, and the buffer is locked in memory until completion.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(record).cast(), record.len()) };
        self.written = self.written.saturating_add(record.len());
    }
}
