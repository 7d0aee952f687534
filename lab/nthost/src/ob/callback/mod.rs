//! Who is asked before, and told after, a handle to a process or thread is made.
//!
//! Callbacks stand in the order of their altitudes: [`Callbacks::around`] asks them from the top
//! down, makes the handle, and tells them from the bottom up.

pub(crate) mod altitude;
mod driver;
pub(crate) mod registration;
mod rights;

use crate::Leak;
use crate::ex::Rundown;
use crate::ob::{AnyObject, ObjectRef};
use crate::ps::Process;
use crate::verify::Origin;
use altitude::Altitude;
use driver::DriverCallbacks;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use windows_sys::Win32::Foundation::NTSTATUS;

/// A handle that is to be made.
pub(crate) struct Operation<'a> {
    pub(crate) object: &'a AnyObject,
    /// The source and the target process of a duplicate.
    pub(crate) duplicate: Option<(&'a ObjectRef<Process>, &'a ObjectRef<Process>)>,
    pub(crate) kernel_handle: bool,
    /// The access that was asked for.
    pub(crate) original: u32,
    /// Does a driver open it?
    pub(crate) by_driver: bool,
}

/// Callbacks of the host, which stand for another driver's, on all processes and threads.
pub trait HostCallbacks: Send + Sync {
    /// Before the handle is made. Of `desired`, what those above left of `original`, it may take
    /// rights away.
    fn pre(&self, desired: &mut u32, original: u32) {
        let _ = (desired, original);
    }

    /// After the handle was made with the access in `outcome`, or was not.
    fn post(&self, outcome: Result<u32, NTSTATUS>) {
        let _ = outcome;
    }
}

enum Callee {
    Driver(DriverCallbacks),
    Host(Box<dyn HostCallbacks>),
}

/// What was registered at one altitude.
struct Registration {
    altitude: Altitude,
    callee: Callee,
    /// A use lasts from before the pre callback to after the post callback.
    calls: Rundown,
    origin: Origin,
}

/// Another one has this altitude.
#[derive(Debug, PartialEq, Eq)]
struct Collision;

/// The callbacks of one machine, from the top down.
pub struct Callbacks {
    list: RwLock<Arc<[Arc<Registration>]>>,
    posts: AtomicU64,
    overreaches: AtomicU64,
}

impl Default for Callbacks {
    fn default() -> Self {
        Callbacks {
            list: RwLock::new(Arc::new([])),
            posts: AtomicU64::new(0),
            overreaches: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.registered()).finish()
    }
}

impl Callbacks {
    /// Adds callbacks of the host at `altitude`, a decimal number, for the rest of the machine's
    /// life.
    ///
    /// # Panics
    /// When it is no number, or somebody else has it.
    pub fn add_host_callbacks(&self, altitude: &str, callbacks: impl HostCallbacks + 'static) {
        let altitude = altitude.parse().expect("an altitude is a decimal number");
        let callee = Callee::Host(Box::new(callbacks));
        self.add(altitude, callee)
            .expect("each driver has an altitude of its own");
    }

    /// The altitudes at which drivers registered callbacks.
    pub fn registered(&self) -> Vec<String> {
        let list = self.list();
        let drivers = list
            .iter()
            .filter(|r| matches!(r.callee, Callee::Driver(_)));
        drivers.map(|r| r.altitude.to_string()).collect()
    }

    /// What drivers registered and did not take back.
    pub(crate) fn leaks(&self) -> Vec<Leak> {
        let list = self.list();
        let drivers = list
            .iter()
            .filter(|r| matches!(r.callee, Callee::Driver(_)));
        let text =
            |r: &Arc<Registration>| format!("on handles at altitude {}{}", r.altitude, r.origin);
        drivers.map(text).map(Leak::Callback).collect()
    }

    /// How often drivers' post callbacks were called since boot, but for handles that drivers
    /// opened.
    pub fn posts(&self) -> u64 {
        self.posts.load(Ordering::Relaxed)
    }

    /// How often a callback tried to grant more than it was asked for, or to take a right that
    /// callbacks may not take. Neither has an effect.
    pub fn overreaches(&self) -> u64 {
        self.overreaches.load(Ordering::Relaxed)
    }

    /// Asks and tells everybody as if the current thread opened `process`, and makes no handle:
    /// what the callbacks cost. Gives back the access that they left.
    pub fn rehearse(&self, process: &ObjectRef<Process>, access: u32) -> u32 {
        let operation = Operation {
            object: &process.clone().into_any(),
            duplicate: None,
            kernel_handle: false,
            original: access,
            by_driver: false,
        };
        let made = self.descend(&self.list(), &operation, access, |_| Ok(0));
        made.map_or(0, |(_, granted)| granted)
    }

    fn add(&self, altitude: Altitude, callee: Callee) -> Result<Arc<Registration>, Collision> {
        let mut list = self.list.write().unwrap();
        let index = list.partition_point(|above| above.altitude > altitude);
        if list.get(index).is_some_and(|at| at.altitude == altitude) {
            return Err(Collision);
        }
        let registration = Arc::new(Registration {
            altitude,
            callee,
            calls: Rundown::default(),
            origin: Origin::here(),
        });
        let mut longer = list.to_vec();
        longer.insert(index, Arc::clone(&registration));
        *list = longer.into();
        Ok(registration)
    }

    /// Returns only when none of its callbacks is running any more; `false` if there is none at
    /// this address.
    fn remove(&self, address: usize) -> bool {
        let registration = {
            let mut list = self.list.write().unwrap();
            let is_it = |r: &Arc<Registration>| Arc::as_ptr(r) as usize == address;
            let Some(index) = list.iter().position(is_it) else {
                return false;
            };
            let registration = Arc::clone(&list[index]);
            *list = [&list[..index], &list[index + 1..]].concat().into();
            registration
        };
        registration.calls.wait();
        true
    }

    fn list(&self) -> Arc<[Arc<Registration>]> {
        Arc::clone(&self.list.read().unwrap())
    }

    /// Makes a handle: `make` is given the access that the callbacks leave.
    ///
    /// # Errors
    /// That of `make`.
    pub(crate) fn around(
        &self,
        operation: &Operation<'_>,
        make: impl FnOnce(u32) -> Result<usize, NTSTATUS>,
    ) -> Result<usize, NTSTATUS> {
        if !rights::supports_callbacks(operation.object.kind()) {
            return make(operation.original);
        }
        let made = self.descend(&self.list(), operation, operation.original, make);
        made.map(|(handle, _)| handle)
    }

    /// Asks the callbacks in `list`, makes the handle and tells them. Gives back the handle and the
    /// access granted.
    fn descend(
        &self,
        list: &[Arc<Registration>],
        operation: &Operation<'_>,
        desired: u32,
        make: impl FnOnce(u32) -> Result<usize, NTSTATUS>,
    ) -> Result<(usize, u32), NTSTATUS> {
        let Some((registration, below)) = list.split_first() else {
            return make(desired).map(|handle| (handle, desired));
        };
        let Some(_running) = registration.calls.enter() else {
            return self.descend(below, operation, desired, make);
        };
        match &registration.callee {
            Callee::Host(callbacks) => {
                let mut left = desired;
                callbacks.pre(&mut left, operation.original);
                let left = self.permitted(operation, desired, left);
                let made = self.descend(below, operation, left, make);
                callbacks.post(made.map(|(_, granted)| granted));
                made
            }
            Callee::Driver(callbacks) => {
                let Some(entry) = callbacks.entry(operation) else {
                    return self.descend(below, operation, desired, make);
                };
                let (left, context) = entry.pre(operation, desired);
                let left = self.permitted(operation, desired, left);
                let made = self.descend(below, operation, left, make);
                let told = entry.post(operation, context, made.map(|(_, granted)| granted));
                if told && !operation.by_driver {
                    self.posts.fetch_add(1, Ordering::Relaxed);
                }
                made
            }
        }
    }

    /// What is left of `desired` when a callback wants it to be `left`.
    fn permitted(&self, operation: &Operation<'_>, desired: u32, left: u32) -> u32 {
        let permitted = desired & (left | !rights::removable(operation.object.kind()));
        if permitted != left {
            self.overreaches.fetch_add(1, Ordering::Relaxed);
        }
        permitted
    }
}

#[cfg(test)]
mod tests;
