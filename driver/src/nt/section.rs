//! Sections: memory that a process can be let into (page "Section Objects and Views").

use crate::nt::check;
use crate::nt::handle::Handle;
use crate::nt::object::HeldObject;
use crate::nt::security_descriptor::NOBODY;
use crate::nt::user_handle::UserHandle;
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use wdk_sys::ntddk::{MmMapViewInSystemSpace, MmUnmapViewInSystemSpace, ZwCreateSection};
use wdk_sys::{
    _MODE, KPROCESSOR_MODE, LARGE_INTEGER, NTSTATUS, OBJ_KERNEL_HANDLE, OBJECT_ATTRIBUTES,
    PAGE_READWRITE, SECTION_MAP_READ, SECTION_MAP_WRITE, SECTION_QUERY, STATUS_INVALID_VIEW_SIZE,
    STATUS_SECTION_TOO_BIG,
};

/// All pages are committed at once, so that no write can fail for want of memory later.
const SEC_COMMIT: u32 = 0x0800_0000;

/// What a process may do with a section.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

impl Access {
    const fn mask(self) -> u32 {
        match self {
            Self::Read => SECTION_QUERY | SECTION_MAP_READ,
            Self::ReadWrite => SECTION_QUERY | SECTION_MAP_READ | SECTION_MAP_WRITE,
        }
    }
}

/// Zeroed memory that is backed by the paging file. It stays as long as there is a handle to it, a
/// view of it or this value.
pub(crate) struct Section {
    object: HeldObject,
    size: usize,
}

impl Section {
    /// Of `size` bytes, without a name. Page "ZwCreateSection". IRQL = PASSIVE_LEVEL.
    pub(crate) fn create(size: usize) -> Result<Self, NTSTATUS> {
        let mut attributes = OBJECT_ATTRIBUTES {
            Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
            RootDirectory: ptr::null_mut(),
            ObjectName: ptr::null_mut(),
            Attributes: OBJ_KERNEL_HANDLE,
            SecurityDescriptor: (&raw const NOBODY).cast_mut().cast(),
            SecurityQualityOfService: ptr::null_mut(),
        };
        let mut maximum_size = LARGE_INTEGER {
            QuadPart: i64::try_from(size).map_err(|_| STATUS_SECTION_TOO_BIG)?,
        };
        let access = Access::ReadWrite.mask();
        let mut handle = ptr::null_mut();
        // SAFETY: structures on our stack, and a descriptor that is only read; all are copied.
        check(unsafe {
            ZwCreateSection(
                &raw mut handle,
                access,
                &raw mut attributes,
                &raw mut maximum_size,
                PAGE_READWRITE,
                SEC_COMMIT,
                ptr::null_mut(),
            )
        })?;
        // SAFETY: a kernel handle, made for us.
        let handle = unsafe { Handle::new(handle) };
        let mode = _MODE::KernelMode as KPROCESSOR_MODE;
        // SAFETY: our kernel handle, to a section.
        let object =
            unsafe { HeldObject::by_handle(handle.as_ptr(), access, ptr::null_mut(), mode) }?;
        Ok(Self { object, size })
    }

    /// A handle for the process whose thread this is. IRQL = PASSIVE_LEVEL.
    pub(crate) fn open_for_caller(&self, access: Access) -> Result<UserHandle, NTSTATUS> {
        // SAFETY: a section, held, and rights to sections.
        unsafe { UserHandle::open(self.object.as_ptr(), access.mask()) }
    }

    /// Maps the whole of it for the kernel to read and write. Page "MmMapViewInSystemSpace".
    /// IRQL ≤ APC_LEVEL.
    pub(crate) fn map_in_system_space(&self) -> Result<SystemView, NTSTATUS> {
        const WHOLE: usize = 0;
        let mut base = ptr::null_mut();
        let mut mapped = WHOLE as u64;
        // SAFETY: a section, held; both places are ours to write.
        check(unsafe {
            MmMapViewInSystemSpace(self.object.as_ptr(), &raw mut base, &raw mut mapped)
        })?;
        let base = NonNull::new(base).ok_or(STATUS_INVALID_VIEW_SIZE)?;
        let view = SystemView { base };
        match mapped >= self.size as u64 {
            true => Ok(view),
            false => Err(STATUS_INVALID_VIEW_SIZE),
        }
    }
}

/// A section as the kernel sees it, from the start of a page on; unmapped when dropped. To be
/// touched at PASSIVE_LEVEL, as it is pageable.
pub(crate) struct SystemView {
    base: NonNull<c_void>,
}

// SAFETY: the mapping is the same in every thread of every process.
unsafe impl Send for SystemView {}
// SAFETY: shared, it gives out an address and no more.
unsafe impl Sync for SystemView {}

impl SystemView {
    /// Of as many bytes as its section has, which other processes may see and write.
    pub(crate) const fn base(&self) -> NonNull<c_void> {
        self.base
    }
}

impl Drop for SystemView {
    /// Page "MmUnmapViewInSystemSpace". IRQL = PASSIVE_LEVEL. N.B. Views of processes stay.
    fn drop(&mut self) {
        // SAFETY: mapped by `map_in_system_space`, unmapped once, and used no more.
        let status = unsafe { MmUnmapViewInSystemSpace(self.base.as_ptr()) };
        debug_assert!(check(status).is_ok());
    }
}
