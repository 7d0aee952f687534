//! Work on system threads that keeps a framework object alive.
//!
//! A thread that has done its work still has to give up its reference, which may be the last to a
//! whole branch. So jobs are counted in the binding, and unbinding waits until none is left: after
//! it nothing of the driver's remains.

use core::ffi::c_void;
use core::ptr::NonNull;

use crate::driver::Driver;
use crate::nt::{self, Event, SpinLock};
use crate::object::{Body, Header, Object, Ref};

/// How many jobs there are, queued or running.
pub(crate) struct Jobs {
    count: SpinLock<usize>,
    /// Signalled while there is none.
    none: Event,
}

impl Jobs {
    pub(crate) const fn new() -> Self {
        Self {
            count: SpinLock::new(0),
            none: Event::uninitialized(),
        }
    }

    /// Where the jobs stay.
    pub(crate) fn initialize(&self) {
        self.none.initialize_notification(true);
    }

    fn add(&self) {
        let mut count = self.count.lock();
        *count += 1;
        self.none.clear();
    }

    fn remove(&self) {
        // Signalled under the lock, so that whoever saw the count at zero under it may free it.
        let mut count = self.count.lock();
        *count -= 1;
        if *count == 0 {
            self.none.set();
        }
    }

    /// PASSIVE_LEVEL.
    pub(crate) fn wait(&self) {
        loop {
            self.none.wait();
            if *self.count.lock() == 0 {
                return;
            }
        }
    }
}

/// Queues a work item with a reference to the object it is for, which `routine` passes to [`run`].
/// At most DISPATCH_LEVEL.
///
/// # Safety
/// The item is not queued already, and `routine` expects a `T`.
pub(crate) unsafe fn queue<T: Body>(
    item: &nt::WorkItem,
    routine: nt::WorkRoutine,
    object: &Object<T>,
) {
    if let Some(driver) = object.header().ancestor::<Driver>() {
        driver.jobs().add();
    }
    let context = object.reference().into_raw();
    // SAFETY: the caller's promise; the context is the reference that `run` takes back.
    unsafe { item.queue(routine, context.as_ptr().cast()) };
}

/// What a routine does with its context. PASSIVE_LEVEL.
///
/// # Safety
/// The context comes from [`queue`] for a `T`, and is used once.
pub(crate) unsafe fn run<T: Body>(context: *mut c_void, work: impl FnOnce(&Object<T>)) {
    let Some(context) = NonNull::new(context.cast::<Header>()) else {
        return;
    };
    // SAFETY: the caller's promise.
    let object = unsafe { Ref::<T>::from_raw(context) };
    let driver = object.header().ancestor::<Driver>();
    // SAFETY: the binding that holds the jobs waits for this one.
    let jobs = driver.map(|driver| unsafe { &*core::ptr::from_ref(driver.jobs()) });
    work(&object);
    drop(object);
    if let Some(jobs) = jobs {
        jobs.remove();
    }
}
