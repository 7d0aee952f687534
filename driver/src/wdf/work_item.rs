//! Work items.

use crate::nt::check;
use crate::wdf::device::Device;
use crate::wdf::{attributes, wdf_call};
use core::ptr;
use wdk_sys::{NTSTATUS, PFN_WDF_WORKITEM, WDF_WORKITEM_CONFIG, WDFWORKITEM};

/// Belongs to the device, and is deleted with it.
#[derive(Clone, Copy)]
pub(crate) struct WorkItem(WDFWORKITEM);

// SAFETY: a handle that every thread may use.
unsafe impl Send for WorkItem {}
// SAFETY: as above.
unsafe impl Sync for WorkItem {}

impl WorkItem {
    /// `routine` is called at PASSIVE_LEVEL in a system thread. Page "WdfWorkItemCreate".
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn create(device: Device, routine: PFN_WDF_WORKITEM) -> Result<Self, NTSTATUS> {
        let mut config = WDF_WORKITEM_CONFIG {
            Size: size_of::<WDF_WORKITEM_CONFIG>() as u32,
            EvtWorkItemFunc: routine,
            // There is no lock of the framework's to take: the device has no synchronization scope.
            AutomaticSerialization: 0,
        };
        let mut attributes = attributes();
        attributes.ParentObject = device.0.cast();
        let mut work_item = ptr::null_mut();
        // SAFETY: our device as parent, and structures on our stack.
        check(unsafe {
            wdf_call!(
                PFN_WDFWORKITEMCREATE,
                WdfWorkItemCreateTableIndex,
                &raw mut config,
                &raw mut attributes,
                &raw mut work_item,
            )
        })?;
        Ok(Self(work_item))
    }

    /// Page "WdfWorkItemEnqueue". IRQL ≤ DISPATCH_LEVEL.
    pub(crate) fn enqueue(self) {
        // SAFETY: our work item.
        unsafe { wdf_call!(PFN_WDFWORKITEMENQUEUE, WdfWorkItemEnqueueTableIndex, self.0) };
    }

    /// Returns when the routine has, if it was enqueued. Page "WdfWorkItemFlush".
    /// IRQL = PASSIVE_LEVEL.
    pub(crate) fn flush(self) {
        // SAFETY: our work item, and not from its own routine.
        unsafe { wdf_call!(PFN_WDFWORKITEMFLUSH, WdfWorkItemFlushTableIndex, self.0) };
    }
}
