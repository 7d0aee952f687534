//! Values that a driver faults on when it reads more than they are.

use std::ffi::c_void;
use std::io::Error;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

const PAGE: usize = 4096;
/// What lies in front of the value.
const GARBAGE: u8 = 0xcd;

/// A value at the very end of a page. The page behind it is out of bounds.
pub(super) struct Guarded<T> {
    pages: NonNull<c_void>,
    value: PhantomData<T>,
}

impl<T: Copy> Guarded<T> {
    const IN_PAGE: usize = PAGE - size_of::<T>();

    /// # Panics
    /// When the host has no memory for it.
    pub(super) fn new(value: T) -> Guarded<T> {
        // SAFETY: an anonymous private mapping at an address of the system's choice replaces
        // nothing.
        let pages = unsafe {
            libc::mmap(
                ptr::null_mut(),
                2 * PAGE,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        let failed = || panic!("no memory for a guarded value: {}", Error::last_os_error());
        if pages == libc::MAP_FAILED {
            failed();
        }
        let pages = NonNull::new(pages).expect("mmap does not place at null");
        let guarded: Guarded<T> = Guarded {
            pages,
            value: PhantomData,
        };
        // SAFETY: the first page of our own mapping.
        if unsafe { libc::mprotect(pages.as_ptr(), PAGE, libc::PROT_READ | libc::PROT_WRITE) } != 0
        {
            failed();
        }
        // SAFETY: that page is writable now, and nobody else knows of it.
        unsafe { pages.as_ptr().cast::<u8>().write_bytes(GARBAGE, PAGE) };
        // SAFETY: as above; the value ends with the page, and a size is a multiple of its
        // alignment.
        unsafe { guarded.as_ptr().cast_mut().write(value) };
        guarded
    }

    pub(super) fn as_ptr(&self) -> *const T {
        // SAFETY: inside the first page.
        unsafe { self.pages.as_ptr().byte_add(Self::IN_PAGE) }.cast()
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: this is our mapping, whole. A driver that kept the pointer faults.
        unsafe { libc::munmap(self.pages.as_ptr(), 2 * PAGE) };
    }
}

/// Can `len` bytes at `address` be read?
#[cfg(test)]
pub(super) fn is_readable(address: *const c_void, len: usize) -> bool {
    use std::os::fd::AsRawFd;
    let (_reader, writer) = std::io::pipe().unwrap();
    // SAFETY: the system looks itself whether it may read there.
    let written = unsafe { libc::write(writer.as_raw_fd(), address, len) };
    usize::try_from(written) == Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_read_behind_the_value() {
        let guarded = Guarded::new([7_u64; 5]);
        let value = guarded.as_ptr();
        // SAFETY: the value lives.
        assert_eq!(unsafe { *value }, [7; 5]);
        assert!(is_readable(value.cast(), 40));
        assert!(!is_readable(value.wrapping_add(1).cast(), 1));
    }
}
