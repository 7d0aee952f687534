//! An image in memory.

use std::io;
use std::ptr::{self, NonNull};

use super::layout::{Layout, Section};

/// A driver image placed in memory, relocated. Dropping it takes it away.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    size: usize,
}

// SAFETY: a mapping is plain memory with an address; what runs or lies in it is the driver's, and
// this type hands out no references to it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `layout` where there is room, copies its sections and relocates it. All of it is
    /// writable and nothing executable until [`Self::protect`].
    ///
    /// # Errors
    /// When the host has no memory for it.
    pub fn new(layout: &Layout) -> io::Result<Mapping> {
        // SAFETY: an anonymous private mapping at an address of the system's choice replaces
        // nothing.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                layout.size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).expect("mmap does not place at null");
        let mapping = Mapping {
            base,
            size: layout.size,
        };
        for section in &layout.sections {
            mapping.write(section.offset, &section.data);
        }
        let delta = (mapping.base() as u64).wrapping_sub(layout.preferred_base);
        for &offset in &layout.relocations {
            let linked = u64::from_le_bytes(mapping.read(offset));
            mapping.write(offset, &linked.wrapping_add(delta).to_le_bytes());
        }
        Ok(mapping)
    }

    /// The address of the image's first byte.
    pub fn base(&self) -> usize {
        self.base.as_ptr() as usize
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether `address` is in the image.
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base()) < self.size
    }

    /// Gives each section the access it asks for. Headers become read-only.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn protect(&self, sections: &[Section]) -> io::Result<()> {
        self.set_access(0, self.size, libc::PROT_READ)?;
        for section in sections {
            let access = match (section.execute, section.write) {
                (true, _) => libc::PROT_READ | libc::PROT_EXEC,
                (false, true) => libc::PROT_READ | libc::PROT_WRITE,
                (false, false) => libc::PROT_READ,
            };
            self.set_access(section.offset, section.size as usize, access)?;
        }
        Ok(())
    }

    /// Takes away the sections that are only for initialisation.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn discard(&self, sections: &[Section]) -> io::Result<()> {
        for section in sections.iter().filter(|section| section.discardable) {
            self.set_access(section.offset, section.size as usize, libc::PROT_NONE)?;
        }
        Ok(())
    }

    /// Stores `bytes` at `offset`, before [`Self::protect`].
    pub(super) fn write(&self, offset: u32, bytes: &[u8]) {
        let offset = offset as usize;
        assert!(offset + bytes.len() <= self.size, "a write past the image");
        // SAFETY: in bounds, checked above.
        let to = unsafe { self.base.add(offset) };
        // SAFETY: `bytes` is a live slice, the target is in the mapping and writable until
        // `protect`, and nobody else knows of it before it is loaded.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    }

    fn read(&self, offset: u32) -> [u8; 8] {
        let offset = offset as usize;
        assert!(offset + 8 <= self.size, "a read past the image");
        // SAFETY: in bounds, checked above.
        let from = unsafe { self.base.add(offset) };
        // SAFETY: mapped, readable, and not written concurrently while the image is being built.
        unsafe { from.cast::<[u8; 8]>().read_unaligned() }
    }

    fn set_access(&self, offset: u32, size: usize, access: libc::c_int) -> io::Result<()> {
        assert!(
            offset as usize + size <= self.size,
            "a section past the image"
        );
        // SAFETY: in bounds, checked above.
        let start = unsafe { self.base.add(offset as usize) };
        // SAFETY: the range is page-aligned and inside our own mapping.
        match unsafe { libc::mprotect(start.as_ptr().cast(), size, access) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is our mapping, whole. The driver in it has been unloaded: whoever still
        // runs there is its bug, and faults as it would in Windows.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.size) };
    }
}
