//! Sections and views, as drivers make them and programs use them.

use super::section::ZwCreateSection;
use super::system::{MmMapViewInSystemSpace, MmUnmapViewInSystemSpace};
use super::{Section, View};
use crate::io::Client;
use crate::ob::{AnyObject, Kind, handle};
use crate::ps::NewProcess;
use crate::se::{Sid, Token};
use crate::{Config, Kernel, LeakReport};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_ACCESS_DENIED, STATUS_COMMITMENT_LIMIT, STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER_4, STATUS_INVALID_VIEW_SIZE, STATUS_NO_MEMORY,
    STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};
use windows_sys::Win32::Security::{
    ACL, SE_DACL_PRESENT, SE_DACL_PROTECTED, SE_SELF_RELATIVE, SECURITY_DESCRIPTOR,
};
use windows_sys::Win32::System::Memory::{
    PAGE_READWRITE, SEC_COMMIT, SECTION_MAP_READ as READ, SECTION_MAP_WRITE as WRITE,
    SECTION_QUERY as QUERY,
};

const OBJ_KERNEL_HANDLE: u32 = 0x200;
const WRITE_DAC: u32 = 0x4_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const MAXIMUM_ALLOWED: u32 = 0x0200_0000;
const SIZE: usize = 8192;

fn client_of(kernel: &Arc<Kernel>, token: Token) -> Client {
    let process = kernel.add_process(NewProcess {
        token,
        ..NewProcess::default()
    });
    Client::new(kernel, process)
}

fn machine() -> (Arc<Kernel>, Client) {
    let kernel = Kernel::boot(Config::default());
    let client = client_of(&kernel, Token::administrator());
    (kernel, client)
}

/// A list with one entry: of his own object the owner has no right.
fn nothing_for_anybody() -> Vec<u8> {
    let owner = Sid::new(3, &[4]);
    let entry = 8 + owner.as_bytes().len();
    let acl = [2, 0, 8 + entry as u8, 0, 1, 0, 0, 0];
    let allow = [0, 0, entry as u8, 0, 0, 0, 0, 0];
    [&acl[..], &allow, owner.as_bytes()].concat()
}

/// The two forms of a descriptor with this list.
fn self_relative(acl: &[u8]) -> Vec<u8> {
    let control = (SE_DACL_PRESENT | SE_DACL_PROTECTED | SE_SELF_RELATIVE).to_le_bytes();
    let head = [1, 0, control[0], control[1]];
    [&head[..], &[0; 12], &20u32.to_le_bytes(), acl].concat()
}

fn absolute(acl: &[u8]) -> SECURITY_DESCRIPTOR {
    SECURITY_DESCRIPTOR {
        Revision: 1,
        Control: SE_DACL_PRESENT,
        Dacl: acl.as_ptr().cast_mut().cast::<ACL>(),
        ..SECURITY_DESCRIPTOR::default()
    }
}

/// Makes a section as a driver would, in the current thread.
fn create(
    size: i64,
    access: u32,
    attributes: u32,
    descriptor: *const c_void,
) -> Result<usize, NTSTATUS> {
    let attributes = OBJECT_ATTRIBUTES {
        Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
        Attributes: attributes,
        SecurityDescriptor: descriptor.cast(),
        ..OBJECT_ATTRIBUTES::default()
    };
    let mut handle = 0;
    let (to, attributes, size) = (&raw mut handle, &raw const attributes, &raw const size);
    // SAFETY: all are locals, and the descriptor is a valid one or null.
    match unsafe { ZwCreateSection(to, access, attributes, size, PAGE_READWRITE, SEC_COMMIT, 0) } {
        STATUS_SUCCESS => Ok(handle),
        status => Err(status),
    }
}

fn section_of(handle: usize) -> AnyObject {
    handle::typed_object_of::<Section>(handle)
        .unwrap()
        .into_any()
}

/// Maps `size` bytes as a driver would.
fn map(section: &AnyObject, mut size: usize) -> Result<*mut c_void, NTSTATUS> {
    let mut base = ptr::null_mut();
    // SAFETY: the section is referenced, the places are locals.
    match unsafe { MmMapViewInSystemSpace(section.body(), &raw mut base, &raw mut size) } {
        STATUS_SUCCESS => Ok(base),
        status => Err(status),
    }
}

#[test]
fn what_a_driver_writes_is_seen_in_every_view_and_stays_when_all_else_is_gone() {
    let (kernel, client) = machine();
    let (handle, base) = kernel.enter(client.process(), || {
        let handle = create(SIZE as i64 - 1, READ | WRITE, 0, ptr::null()).unwrap();
        (handle, map(&section_of(handle), 0).unwrap())
    });
    let theirs = client.map_view(handle, false).unwrap();
    let other = client.map_view(handle, true).unwrap();
    assert_eq!((theirs.len(), other.len()), (SIZE, SIZE));
    let word = base.wrapping_byte_add(4096).cast::<u64>();
    // SAFETY: mapped, aligned, and nobody else writes there.
    unsafe { word.write_volatile(7) };
    other.store(SIZE - 8, 8);
    assert_eq!(client.close_handle(handle), STATUS_SUCCESS);
    kernel.enter(client.process(), || MmUnmapViewInSystemSpace(base));
    drop(other);
    client.die();
    assert_eq!((theirs.load(4096), theirs.load(SIZE - 8)), (7, 8));
    assert_eq!(theirs.copy(4095..4097), [0, 7]);
    assert!(LeakReport::of(&kernel).is_empty());
    assert_eq!(kernel.objects.count(Kind::Section), 0);
}

#[test]
fn a_handle_maps_what_it_was_made_for() {
    let (kernel, client) = machine();
    let reader = kernel.enter(client.process(), || {
        create(SIZE as i64, READ | QUERY, 0, ptr::null()).unwrap()
    });
    assert!(client.map_view(reader, false).is_ok());
    let mapped = |handle, write| client.map_view(handle, write).map(|view: View| view.len());
    assert_eq!(mapped(reader, true), Err(STATUS_ACCESS_DENIED));
    let blind = client.duplicate_handle(reader, Some(QUERY), &client);
    assert_eq!(mapped(blind.unwrap(), false), Err(STATUS_ACCESS_DENIED));
    assert_eq!(mapped(reader + 64, false), Err(STATUS_INVALID_HANDLE));
    let event = client.create_event().unwrap();
    assert_eq!(mapped(event, false), Err(STATUS_OBJECT_TYPE_MISMATCH));
}

#[test]
fn a_duplicate_has_more_rights_only_if_the_descriptor_grants_them() {
    let (kernel, client) = machine();
    let acl = nothing_for_anybody();
    let (relative, absolute) = (self_relative(&acl), absolute(&acl));
    let closed: [*const c_void; 2] = [relative.as_ptr().cast(), (&raw const absolute).cast()];
    let outsider = client_of(&kernel, Token::system());
    for descriptor in closed {
        let handle = kernel.enter(client.process(), || {
            create(SIZE as i64, READ | QUERY, 0, descriptor).unwrap()
        });
        for to in [&client, &outsider] {
            let same = client.duplicate_handle(handle, None, to).unwrap();
            assert!(to.map_view(same, false).is_ok());
            assert!(client.duplicate_handle(handle, Some(READ), to).is_ok());
            for more in [READ | WRITE, WRITE_DAC, GENERIC_WRITE, MAXIMUM_ALLOWED] {
                let refused = client.duplicate_handle(handle, Some(more), to);
                assert_eq!(refused, Err(STATUS_ACCESS_DENIED), "{more:#x}");
            }
        }
    }
    let open = kernel.enter(client.process(), || {
        create(SIZE as i64, READ, 0, ptr::null()).unwrap()
    });
    let wider = client.duplicate_handle(open, Some(WRITE), &client);
    assert!(client.map_view(wider.unwrap(), true).is_ok());
}

#[test]
fn a_closed_list_without_a_word_about_its_owner_leaves_him_a_way() {
    let (kernel, client) = machine();
    let nobody = self_relative(&[2, 0, 8, 0, 0, 0, 0, 0]);
    let mut another_s = nobody.clone();
    another_s[4..8].copy_from_slice(&(nobody.len() as u32).to_le_bytes());
    another_s.extend(Sid::new(5, &[18]).as_bytes());
    for (descriptor, is_his) in [(nobody, true), (another_s, false)] {
        let handle = kernel.enter(client.process(), || {
            create(SIZE as i64, READ, 0, descriptor.as_ptr().cast()).unwrap()
        });
        let wider = client.duplicate_handle(handle, Some(WRITE_DAC), &client);
        assert_eq!(wider.is_ok(), is_his);
    }
}

#[test]
fn what_a_driver_leaves_behind_is_named() {
    let (kernel, client) = machine();
    let acl = self_relative(&nothing_for_anybody());
    let (handle, base) = kernel.enter(client.process(), || {
        let handle = create(SIZE as i64, READ, OBJ_KERNEL_HANDLE, acl.as_ptr().cast()).unwrap();
        (handle, map(&section_of(handle), SIZE).unwrap())
    });
    assert_eq!(
        client.map_view(handle, false).unwrap_err(),
        STATUS_INVALID_HANDLE
    );
    assert_eq!(client.close_handle(handle), STATUS_INVALID_HANDLE);
    let report = LeakReport::of(&kernel).to_string();
    assert!(report.contains("to Section at"), "{report}");
    let view = format!("view of 8192 bytes at {base:p}");
    assert!(report.contains(&view), "{report}");
    kernel.enter(&kernel.ps.system, || MmUnmapViewInSystemSpace(base));
    let closed = kernel.enter(&kernel.ps.system, || kernel.close_handle(handle));
    assert_eq!(closed, STATUS_SUCCESS);
    assert!(LeakReport::of(&kernel).is_empty());
}

#[test]
fn a_machine_can_run_out_of_sections_and_of_room_for_views() {
    let (kernel, client) = machine();
    kernel.enter(client.process(), || {
        let first = create(1, READ, 0, ptr::null()).unwrap();
        let section = section_of(first);
        kernel.mm.set_section_limit(1);
        let second = create(1, READ, 0, ptr::null());
        assert_eq!(second, Err(STATUS_COMMITMENT_LIMIT));
        kernel.mm.set_view_limit(1);
        let base = map(&section, 0).unwrap();
        assert_eq!(map(&section, 0), Err(STATUS_NO_MEMORY));
        MmUnmapViewInSystemSpace(base);
        let base = map(&section, 4096).unwrap();
        MmUnmapViewInSystemSpace(base);
        assert_eq!(map(&section, 4097), Err(STATUS_INVALID_VIEW_SIZE));
    });
    client.process().handles.set_limit(0);
    let before = kernel.objects.count(Kind::Section);
    let refused = kernel.enter(client.process(), || {
        [0, -1, 1].map(|size| create(size, READ, 0, ptr::null()))
    });
    let bad = Err(STATUS_INVALID_PARAMETER_4);
    assert_eq!(refused[..2], [bad, bad]);
    assert!(refused[2].is_err());
    assert_eq!(kernel.objects.count(Kind::Section), before);
}

#[test]
#[should_panic(expected = "was it unmapped before?")]
fn a_view_is_unmapped_once() {
    let (kernel, client) = machine();
    let base = kernel.enter(client.process(), || {
        let handle = create(1, READ, 0, ptr::null()).unwrap();
        map(&section_of(handle), 0).unwrap() as usize
    });
    kernel.mm.unmap(base);
    kernel.mm.unmap(base);
}

#[test]
fn nobody_who_is_given_the_memory_can_take_it_away() {
    let section = Section::new(SIZE, Vec::new()).unwrap();
    for writable in [false, true] {
        let memory = section.file(writable).unwrap();
        assert!(rustix::fs::ftruncate(&memory, 0).is_err());
        let seal = rustix::fs::fcntl_add_seals(&memory, rustix::fs::SealFlags::WRITE);
        assert!(seal.is_err());
        assert_eq!(View::map(memory, SIZE, true).is_ok(), writable);
    }
}
