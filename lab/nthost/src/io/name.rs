//! The names of devices, and symbolic links to them.

use std::collections::HashMap;
use std::ptr;
use std::sync::RwLock;

use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_NOT_FOUND,
};

use super::Device;
use crate::Leak;
use crate::ob::ObjectRef;
use crate::verify::Origin;

/// Links that a path may pass through; Windows stops a loop the same way.
const MAX_LINKS: usize = 32;

enum Entry {
    /// The object is alive while the name is there: deleting a device takes its name first.
    Device(*const Device),
    Link {
        name: String,
        target: String,
        origin: Origin,
    },
}

/// The object directory, flat: full names in lower case.
#[derive(Default)]
pub(super) struct Namespace(RwLock<HashMap<String, Entry>>);

// SAFETY: the device pointers are used under the lock only, while their objects are alive, and
// devices may be shared between threads.
unsafe impl Send for Namespace {}
// SAFETY: as above.
unsafe impl Sync for Namespace {}

/// The one spelling of a name: lower case, `\DosDevices\` and `\GLOBAL??\` as `\??\`.
fn canonical(name: &str) -> String {
    let name = name.to_lowercase();
    for alias in [r"\dosdevices\", r"\global??\"] {
        if let Some(rest) = name.strip_prefix(alias) {
            return format!(r"\??\{rest}");
        }
    }
    name
}

impl Namespace {
    pub(super) fn insert_device(
        &self,
        name: &str,
        device: &ObjectRef<Device>,
    ) -> Result<(), NTSTATUS> {
        self.insert(name, Entry::Device(device.as_ptr()))
    }

    pub(super) fn insert_link(&self, name: &str, target: &str) -> Result<(), NTSTATUS> {
        self.insert(
            name,
            Entry::Link {
                name: name.into(),
                target: target.into(),
                origin: Origin::here(),
            },
        )
    }

    fn insert(&self, name: &str, entry: Entry) -> Result<(), NTSTATUS> {
        let mut entries = self.0.write().unwrap();
        match entries.entry(canonical(name)) {
            std::collections::hash_map::Entry::Occupied(_) => Err(STATUS_OBJECT_NAME_COLLISION),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(entry);
                Ok(())
            }
        }
    }

    pub(super) fn remove_device(&self, device: *const Device) {
        let is_it =
            |entry: &Entry| matches!(entry, Entry::Device(named) if ptr::eq(*named, device));
        self.0.write().unwrap().retain(|_, entry| !is_it(entry));
    }

    pub(super) fn remove_link(&self, name: &str) -> Result<(), NTSTATUS> {
        let mut entries = self.0.write().unwrap();
        let name = canonical(name);
        match entries.get(&name) {
            Some(Entry::Link { .. }) => {
                entries.remove(&name);
                Ok(())
            }
            _ => Err(STATUS_OBJECT_NAME_NOT_FOUND),
        }
    }

    /// The device that `path` leads to, and what of the path is behind the device's name.
    pub(super) fn find(&self, path: &str) -> Result<(ObjectRef<Device>, String), NTSTATUS> {
        let entries = self.0.read().unwrap();
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let (name, rest) = split(&path);
            match entries.get(&canonical(&name)) {
                Some(Entry::Link { target, .. }) => path = format!("{target}{rest}"),
                Some(Entry::Device(device)) => {
                    // SAFETY: named, hence alive (see `Entry::Device`).
                    return Ok((unsafe { ObjectRef::from_body(device.cast_mut()) }, rest));
                }
                None => break,
            }
        }
        Err(STATUS_OBJECT_NAME_NOT_FOUND)
    }

    /// The links and devices that are left.
    pub(super) fn leaks(&self) -> Vec<Leak> {
        let entries = self.0.read().unwrap();
        let leak = |(name, entry): (&String, &Entry)| match entry {
            Entry::Device(_) => Leak::Device(name.clone()),
            Entry::Link {
                name,
                target,
                origin,
            } => Leak::SymbolicLink(format!("{name} to {target}{origin}")),
        };
        let mut leaks: Vec<Leak> = entries.iter().map(leak).collect();
        leaks.sort_by_key(Leak::to_string);
        leaks
    }
}

/// A path of the form `\directory\name\rest` as `\directory\name` and `\rest`.
fn split(path: &str) -> (String, String) {
    let behind = path
        .match_indices('\\')
        .nth(2)
        .map_or(path.len(), |(at, _)| at);
    (path[..behind].into(), path[behind..].into())
}
