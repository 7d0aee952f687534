//! What a process has besides open devices: handles to events and sections, and views.

use super::Client;
use crate::ke::{EventKind, EventObject};
use crate::mm::{Section, View};
use crate::ob::{Object, ObjectRef, handle};
use crate::ps::Open;
use std::time::Duration;
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY};
use windows_sys::Win32::System::Memory::{SECTION_MAP_READ, SECTION_MAP_WRITE};
use windows_sys::Win32::System::Threading::{EVENT_ALL_ACCESS, SYNCHRONIZATION_SYNCHRONIZE};

impl Client {
    /// `CreateEventW`: an event that resets itself, with all access to it.
    ///
    /// # Errors
    /// `STATUS_INSUFFICIENT_RESOURCES` when the handle table is full.
    pub fn create_event(&self) -> Result<usize, NTSTATUS> {
        self.create_event_of(EventKind::Synchronization)
    }

    /// As [`Self::create_event`], of either kind.
    ///
    /// # Errors
    /// As for [`Self::create_event`].
    pub fn create_event_of(&self, kind: EventKind) -> Result<usize, NTSTATUS> {
        let event = EventObject::new(kind).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        let event = ObjectRef::new(&self.shared.kernel.objects, event);
        let handles = &self.shared.process.handles;
        handles.insert(event.into_any(), EVENT_ALL_ACCESS)
    }

    /// `WaitForSingleObject`, of an event: `false` if it was not signalled in time.
    ///
    /// # Errors
    /// `STATUS_INVALID_HANDLE`, `STATUS_OBJECT_TYPE_MISMATCH`, and `STATUS_ACCESS_DENIED` without
    /// `SYNCHRONIZE`.
    pub fn wait_event(&self, handle: usize, timeout: Duration) -> Result<bool, NTSTATUS> {
        let event: ObjectRef<EventObject> = self.object(handle, SYNCHRONIZATION_SYNCHRONIZE)?;
        Ok(event.wait(Some(timeout)))
    }

    /// `MapViewOfFile`, of a whole section: `FILE_MAP_READ`, and `FILE_MAP_WRITE` if it is to be
    /// `writable`.
    ///
    /// # Errors
    /// `STATUS_INVALID_HANDLE`, `STATUS_OBJECT_TYPE_MISMATCH`, and `STATUS_ACCESS_DENIED` if the
    /// handle does not allow it.
    pub fn map_view(&self, handle: usize, writable: bool) -> Result<View, NTSTATUS> {
        let section = self.section(handle, writable)?;
        section.map(writable).map_err(|_| STATUS_NO_MEMORY)
    }

    /// The section that a handle leads to, if it may be mapped so.
    pub(crate) fn section(
        &self,
        handle: usize,
        writable: bool,
    ) -> Result<ObjectRef<Section>, NTSTATUS> {
        let access = match writable {
            true => SECTION_MAP_WRITE,
            false => SECTION_MAP_READ,
        };
        self.object(handle, access)
    }

    /// `DuplicateHandle`, into the process of `to`: with this access, or the same as of `handle`.
    ///
    /// # Errors
    /// As [`crate::Kernel::duplicate_handle`]; `STATUS_INVALID_HANDLE` of a handle of the system.
    pub fn duplicate_handle(
        &self,
        handle: usize,
        access: Option<u32>,
        to: &Client,
    ) -> Result<usize, NTSTATUS> {
        handle::refuse_system(handle)?;
        let (kernel, process) = (&self.shared.kernel, &self.shared.process);
        let open = access.map_or_else(Open::same_access, Open::access);
        let duplicate = || kernel.duplicate_handle(process, handle, &to.shared.process, open);
        self.shared.enter(duplicate)
    }

    /// `CloseHandle`, of a handle that is not a device's. Returns its status.
    pub fn close_handle(&self, handle: usize) -> NTSTATUS {
        match handle::refuse_system(handle) {
            Ok(()) => handle::close(&self.shared.kernel, &self.shared.process, handle),
            Err(status) => status,
        }
    }

    /// What a handle leads to, if it is of this type and was granted `access`.
    pub(crate) fn object<T: Object>(
        &self,
        handle: usize,
        access: u32,
    ) -> Result<ObjectRef<T>, NTSTATUS> {
        handle::user_object(&self.shared.kernel, &self.shared.process, handle, access)
    }
}
