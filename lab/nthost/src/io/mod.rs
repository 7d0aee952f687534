//! The I/O manager: drivers, devices, files, requests, work items.
//!
//! [`Service`] loads and ends a driver. [`Client`] is a user-mode process with open files; each
//! request it makes becomes a `Packet`, an IRP with what the model adds to it.

mod buffers;
pub(crate) mod cancel;
mod client;
pub(crate) mod complete;
pub(crate) mod device;
mod dispatch;
mod driver;
pub(crate) mod extension;
mod file;
mod name;
mod objects;
mod packet;
mod parameters;
pub(crate) mod requestor;
mod service;
pub(crate) mod work_item;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

use crate::ke::SpinLock;
use crate::verify::Origin;

pub use client::{Client, FileHandle, Ticket};
pub use device::Device;
pub use driver::Driver;
pub use file::File;
pub use packet::{Completion, PacketInfo};
pub use service::{Service, ServiceConfig, StartError, Stop};

use name::Namespace;
use packet::Packet;

/// A moment in the life of a request at which a test can step in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A driver is completing it: the call has been made, nothing has happened yet.
    Completing,
    /// It is being cancelled: its cancel routine has been taken from it, and is called next, with
    /// the cancel spin lock held.
    Cancelling,
}

type Observer = Arc<dyn Fn(Moment, &PacketInfo) + Send + Sync>;

/// The I/O manager of one machine.
#[derive(Default)]
pub struct Io {
    names: Namespace,
    cancel_lock: SpinLock,
    /// The requests that were sent to a driver and not completed, by the address of their IRP.
    packets: Mutex<HashMap<usize, Arc<Packet>>>,
    /// The work items that drivers allocated and did not free, by their address.
    work_items: Mutex<HashMap<usize, (String, Origin)>>,
    observer: RwLock<Option<Observer>>,
}

impl Io {
    /// Calls `observer` at every [`Moment`], in the thread it happens in. Replaces the one before.
    pub fn observe(&self, observer: impl Fn(Moment, &PacketInfo) + Send + Sync + 'static) {
        *self.observer.write().unwrap() = Some(Arc::new(observer));
    }

    fn notify(&self, moment: Moment, packet: &Packet) {
        let observer = self.observer.read().unwrap().clone();
        if let Some(observer) = observer {
            observer(moment, packet.info());
        }
    }

    /// What the I/O manager still has of drivers.
    pub(crate) fn leaks(&self) -> Vec<crate::Leak> {
        let mut leaks = self.names.leaks();
        let packets = self.packets.lock().unwrap();
        leaks.extend(
            packets
                .values()
                .map(|packet| crate::Leak::Irp(packet.info().to_string())),
        );
        drop(packets);
        let work_items = self.work_items.lock().unwrap();
        let texts = work_items.values();
        let texts = texts.map(|(name, origin)| format!("{name}{origin}"));
        leaks.extend(texts.map(crate::Leak::WorkItem));
        leaks
    }
}
