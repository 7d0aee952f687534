//! File objects: one for each open.

use core::ptr::NonNull;
use wdk_sys::{WDFFILEOBJECT, WDFFILEOBJECT__};

/// A handle of a client's, as the framework knows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct File(pub(super) NonNull<WDFFILEOBJECT__>);

impl File {
    /// `None` for a request that came without.
    pub(crate) const fn new(file: WDFFILEOBJECT) -> Option<Self> {
        match NonNull::new(file) {
            Some(file) => Some(Self(file)),
            None => None,
        }
    }

    pub(crate) const fn as_ptr(self) -> WDFFILEOBJECT {
        self.0.as_ptr()
    }
}
