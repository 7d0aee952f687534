//! Sections and events that the client's process shares with the driver.

use crate::common::machine::Machine;
use crate::common::ring::{DriverRing, RING_SIZE, Shared};
use memmap2::MmapRaw;
use ntwatch_client::protocol::ioctl::MAP_RING;
use ntwatch_client::protocol::mapped::{CONSUMER_SIZE, DATA_OFFSET, MapRing, MappedRing};
use ntwatch_lab_link::{Answer, Query};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use zerocopy::{FromBytes, IntoBytes};

const STATUS_INVALID_HANDLE: u32 = 0xC000_0008;

/// The handles of the client's process but for the device's, and the ring behind two of them.
#[derive(Default)]
pub(crate) struct Sections {
    /// At its handle less one; a handle that is closed stays free.
    files: Vec<Option<File>>,
    ring: Option<DriverRing>,
}

impl Sections {
    /// A control request of this process.
    pub(crate) fn control(
        &mut self,
        machine: &mut Machine,
        code: u32,
        input: &[u8],
        output_len: usize,
    ) -> (u32, Vec<u8>) {
        match &mut self.ring {
            Some(ring) => ring.control(machine, code, input, output_len),
            None if code == MAP_RING && machine.grants_ring => (0, self.grant(input)),
            None => machine.control(code, input, output_len),
        }
    }

    /// The answer to a question about handles, and the file beside it.
    pub(crate) fn answer(&mut self, query: &Query) -> Option<(Answer, Option<OwnedFd>)> {
        let refused = (Answer::Status(STATUS_INVALID_HANDLE), None);
        Some(match query {
            Query::CreateEvent => {
                let signal = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
                let theirs = signal.try_clone().unwrap();
                (Answer::Handle(self.open(signal.into())), Some(theirs))
            }
            Query::MapView { handle, .. } => match self.file(*handle) {
                Some(section) => {
                    let len = section.metadata().unwrap().len();
                    let theirs = section.try_clone().unwrap();
                    (Answer::View { len }, Some(theirs.into()))
                }
                None => refused,
            },
            Query::CloseHandle(handle) => match self.close(*handle) {
                Some(_) => (Answer::Status(0), None),
                None => refused,
            },
            _ => return None,
        })
    }

    /// Is the ring mapped, and are its handles closed?
    pub(crate) fn is_mapped(&self) -> bool {
        // The event's is open.
        self.ring.is_some() && self.files.iter().flatten().count() == 1
    }

    fn grant(&mut self, input: &[u8]) -> Vec<u8> {
        let wanted = MapRing::read_from_bytes(input).unwrap();
        assert!(wanted.is_valid());
        let event = self.file(wanted.wake_event).unwrap().try_clone().unwrap();
        let (ring, ring_start) = section(DATA_OFFSET + RING_SIZE as usize);
        let (consumer, consumer_start) = section(CONSUMER_SIZE);
        let shared = Shared {
            ring: ring_start,
            consumer: consumer_start,
        };
        self.ring = Some(DriverRing::new(shared, move || {
            rustix::io::write(&event, &1_u64.to_ne_bytes()).unwrap();
        }));
        let granted = MappedRing {
            size: size_of::<MappedRing>() as u32,
            ring_size: RING_SIZE,
            ring: self.open(ring),
            consumer: self.open(consumer),
        };
        granted.as_bytes().to_vec()
    }

    fn open(&mut self, file: File) -> u64 {
        self.files.push(Some(file));
        self.files.len() as u64
    }

    fn file(&self, handle: u64) -> Option<&File> {
        self.files.get(handle as usize - 1)?.as_ref()
    }

    fn close(&mut self, handle: u64) -> Option<File> {
        self.files.get_mut(handle as usize - 1)?.take()
    }
}

/// Memory that can be shared, and the driver's view of it, which stays.
fn section(len: usize) -> (File, NonNull<u8>) {
    let file = File::from(memfd_create("section", MemfdFlags::CLOEXEC).unwrap());
    file.set_len(len as u64).unwrap();
    let view = ManuallyDrop::new(MmapRaw::map_raw(&file).unwrap());
    (file, NonNull::new(view.as_mut_ptr()).unwrap())
}
