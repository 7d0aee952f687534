//! Views in the system's address space, which drivers map.

use super::{Section, View};
use crate::exports::exports;
use crate::ke::bug_check;
use crate::ob::{AnyObject, Census, Kind};
use crate::verify::Origin;
use crate::verify::pageable::Pageable;
use crate::{Current, Leak};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Mutex;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INVALID_VIEW_SIZE, STATUS_NO_MEMORY, STATUS_SUCCESS,
};

exports! {
    APC_LEVEL: MmMapViewInSystemSpace, MmUnmapViewInSystemSpace;
}

/// The memory manager of one machine.
#[derive(Debug, Default)]
pub struct Mm(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Views that drivers mapped and did not unmap, by where they begin.
    views: HashMap<usize, Mapped>,
    view_limit: Option<usize>,
    section_limit: Option<usize>,
}

#[derive(Debug)]
struct Mapped {
    /// On a machine that verifies. Dropped before the view is.
    _pageable: Option<Pageable>,
    view: View,
    origin: Origin,
}

impl Mm {
    /// Limits the machine to so many sections. Those beyond it that are there stay so.
    pub fn set_section_limit(&self, limit: usize) {
        self.0.lock().unwrap().section_limit = Some(limit);
    }

    /// Limits the system's address space to so many views. Those beyond it that are mapped stay so.
    pub fn set_view_limit(&self, limit: usize) {
        self.0.lock().unwrap().view_limit = Some(limit);
    }

    /// May there be another section?
    pub(super) fn has_room_for_section(&self, objects: &Census) -> bool {
        let limit = self.0.lock().unwrap().section_limit;
        limit.is_none_or(|limit| objects.count(Kind::Section) < limit)
    }

    /// Maps all of `section`. Returns where.
    fn map(&self, section: &Section) -> Result<usize, NTSTATUS> {
        let mut state = self.0.lock().unwrap();
        if state
            .view_limit
            .is_some_and(|limit| state.views.len() >= limit)
        {
            return Err(STATUS_NO_MEMORY);
        }
        let view = section.map(true).map_err(|_| STATUS_NO_MEMORY)?;
        let base = view.as_ptr() as usize;
        let mapped = Mapped {
            // SAFETY: the view can be read and written, and is dropped after this.
            _pageable: unsafe { Pageable::new(view.as_ptr(), view.len()) },
            view,
            origin: Origin::here(),
        };
        state.views.insert(base, mapped);
        Ok(base)
    }

    /// Unmaps the view that begins at `base`.
    pub(super) fn unmap(&self, base: usize) {
        if self.0.lock().unwrap().views.remove(&base).is_none() {
            bug_check!(
                DRIVER_UNMAPPING_INVALID_VIEW,
                "{base:#x} is unmapped and is no view; was it unmapped before?"
            );
        }
    }

    /// The view that `address` is in, for people.
    pub(crate) fn describe(&self, address: usize) -> Option<String> {
        // N.B. from a signal handler: the thread may hold the lock.
        let state = self.0.try_lock().ok()?;
        let mut views = state.views.iter();
        views.find_map(|(base, Mapped { view, .. })| {
            let offset = address.checked_sub(*base)?;
            (offset < view.len())
                .then(|| format!("offset {offset} of a view of {} bytes", view.len()))
        })
    }

    /// What drivers mapped and did not unmap.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        let state = self.0.lock().unwrap();
        let views = state.views.iter();
        let texts = views.map(|(base, Mapped { view, origin, .. })| {
            format!("of {} bytes at {base:#x}{origin}", view.len())
        });
        texts.map(Leak::View).collect()
    }
}

/// IRQL ≤ APC_LEVEL. Page "MmMapViewInSystemSpace". The view can be read and written, and needs
/// neither the section nor a handle to stay. Of the sizes the whole section's, which 0 stands for.
pub(super) unsafe extern "win64" fn MmMapViewInSystemSpace(
    section: *mut c_void,
    base: *mut *mut c_void,
    size: *mut usize,
) -> NTSTATUS {
    // SAFETY: the driver passes an object that it holds.
    let Ok(section) = unsafe { AnyObject::from_body(section) }.downcast::<Section>() else {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "a view is mapped of an object that is no section"
        );
    };
    // SAFETY: the driver passes a size.
    let wanted = unsafe { size.read() };
    if wanted > section.size() {
        return STATUS_INVALID_VIEW_SIZE;
    }
    if wanted != 0 && wanted != section.size() {
        bug_check!(
            DRIVER_VERIFIER_DETECTED_VIOLATION,
            "a view is mapped of {wanted} bytes of a section of {}, which this kernel has none of",
            section.size()
        );
    }
    match Current::with(|current| current.kernel.mm.map(&section)) {
        Ok(mapped) => {
            // SAFETY: the driver passes a place for the address.
            unsafe { base.write(mapped as *mut c_void) };
            // SAFETY: and one for the size.
            unsafe { size.write(section.size()) };
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// IRQL ≤ APC_LEVEL. Page "MmUnmapViewInSystemSpace".
pub(super) extern "win64" fn MmUnmapViewInSystemSpace(base: *mut c_void) -> NTSTATUS {
    Current::with(|current| current.kernel.mm.unmap(base as usize));
    STATUS_SUCCESS
}
