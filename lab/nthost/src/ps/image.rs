//! Images that are mapped.

use super::Process;
use crate::Kernel;
use crate::ob::ObjectRef;
use std::sync::Arc;

/// An image to be mapped.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// Its full name, such as `\Device\HarddiskVolume3\…`; `None` if the kernel cannot tell it.
    pub name: Option<String>,
    /// Its address.
    pub base: u64,
    /// Its size in bytes.
    pub size: u64,
    /// `SE_SIGNING_LEVEL_*`, four bits.
    pub signature_level: u8,
    /// `SE_IMAGE_SIGNATURE_TYPE`, three bits.
    pub signature_type: u8,
    /// Is only a part of it mapped?
    pub partial_map: bool,
    /// Is it of another architecture than the system?
    pub machine_mismatch: bool,
    /// Are drivers shown the extended structure?
    pub extended: bool,
}

impl Default for NewImage {
    fn default() -> NewImage {
        NewImage {
            name: None,
            base: 0,
            size: 0,
            signature_level: 0,
            signature_type: 0,
            partial_map: false,
            machine_mismatch: false,
            extended: true,
        }
    }
}

impl Kernel {
    /// Maps an image in `process`, or as the kernel's own: drivers are told, in the current
    /// thread, which is at PASSIVE_LEVEL.
    pub fn load_image(self: &Arc<Self>, process: Option<&ObjectRef<Process>>, image: NewImage) {
        let id = process.map_or(0, |process| process.id);
        self.ps.image_notify.load(id, &image);
    }
}
