//! Locks and events.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::ptr;
use core::sync::atomic::{AtomicU8, Ordering};

use windows_sys::Wdk::Foundation::KEVENT;
use windows_sys::Wdk::System::SystemServices::{
    Executive, KeInitializeEvent, KeResetEvent, KeSetEvent, KeWaitForSingleObject, KernelMode,
};
use windows_sys::Win32::Foundation::STATUS_TIMEOUT;
use windows_sys::Win32::System::Kernel::{NotificationEvent, SynchronizationEvent};

use super::{KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock};

/// A value behind a `KSPIN_LOCK`. Whoever holds it is at DISPATCH_LEVEL.
pub(crate) struct SpinLock<T> {
    lock: UnsafeCell<usize>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time reach the value.
unsafe impl<T: Send> Sync for SpinLock<T> {}

/// Releases the lock when dropped.
pub(crate) struct SpinLockGuard<'a, T> {
    owner: &'a SpinLock<T>,
    irql: u8,
}

impl<T> SpinLock<T> {
    /// Free.
    pub(crate) const fn new(value: T) -> Self {
        // N.B. KeInitializeSpinLock stores zero, and is an inline function on x64.
        Self {
            lock: UnsafeCell::new(0),
            value: UnsafeCell::new(value),
        }
    }

    /// At most DISPATCH_LEVEL.
    pub(crate) fn lock(&self) -> SpinLockGuard<'_, T> {
        // SAFETY: the lock is initialised and stays where it is while borrowed.
        let irql = unsafe { KeAcquireSpinLockRaiseToDpc(self.lock.get()) };
        SpinLockGuard { owner: self, irql }
    }
}

impl<T> Deref for SpinLockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.owner.value.get() }
    }
}

impl<T> DerefMut for SpinLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard is borrowed exclusively.
        unsafe { &mut *self.owner.value.get() }
    }
}

impl<T> Drop for SpinLockGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: acquired by `lock`, released once, to the IRQL it was acquired at.
        unsafe { KeReleaseSpinLock(self.owner.lock.get(), self.irql) }
    }
}

/// A `KEVENT`. It must not move once waited for, so it lives in objects of the framework.
pub(crate) struct Event(UnsafeCell<KEVENT>);

// SAFETY: the kernel guards the event's state itself.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// Zeroed memory, not yet an event: [`initialize`](Self::initialize) follows where it stays.
    pub(crate) const fn uninitialized() -> Self {
        // SAFETY: a KEVENT is integers and pointers.
        Self(UnsafeCell::new(unsafe { core::mem::zeroed() }))
    }

    /// Stays signalled until cleared.
    pub(crate) fn initialize_notification(&self, signalled: bool) {
        // SAFETY: the memory is ours, and nobody waits yet.
        unsafe { KeInitializeEvent(self.0.get(), NotificationEvent, signalled) }
    }

    /// Lets one waiter through and is clear again.
    pub(crate) fn initialize_synchronization(&self, signalled: bool) {
        // SAFETY: the memory is ours, and nobody waits yet.
        unsafe { KeInitializeEvent(self.0.get(), SynchronizationEvent, signalled) }
    }

    /// At most DISPATCH_LEVEL.
    pub(crate) fn set(&self) {
        // SAFETY: the event is initialised.
        unsafe { KeSetEvent(self.0.get(), 0, false) };
    }

    /// At most DISPATCH_LEVEL.
    pub(crate) fn clear(&self) {
        // SAFETY: the event is initialised.
        unsafe { KeResetEvent(self.0.get()) };
    }

    /// Waits for ever. At most APC_LEVEL.
    pub(crate) fn wait(&self) {
        self.wait_for(None);
    }

    /// Waits, at most until `timeout` (100 ns units, negative for relative, as the DDI has it).
    /// False when it ran out. At most APC_LEVEL, or DISPATCH_LEVEL with a timeout of zero.
    pub(crate) fn wait_for(&self, timeout: Option<i64>) -> bool {
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the event is initialised and outlives the wait, since `self` is borrowed.
        let status = unsafe {
            KeWaitForSingleObject(
                self.0.get().cast(),
                Executive,
                KernelMode as i8,
                false,
                timeout,
            )
        };
        status != STATUS_TIMEOUT
    }
}

/// A `KSPIN_LOCK` that its holder releases by hand, for the driver's own locks.
pub(crate) struct RawSpinLock {
    lock: UnsafeCell<usize>,
    /// Of the holder, before it acquired the lock.
    irql: AtomicU8,
}

// SAFETY: the lock word is the kernel's to guard; the IRQL is written by the holder alone.
unsafe impl Send for RawSpinLock {}
// SAFETY: as above.
unsafe impl Sync for RawSpinLock {}

impl RawSpinLock {
    pub(crate) const fn new() -> Self {
        Self {
            lock: UnsafeCell::new(0),
            irql: AtomicU8::new(0),
        }
    }

    /// At most DISPATCH_LEVEL.
    pub(crate) fn acquire(&self) {
        // SAFETY: the lock is initialised and stays where it is while borrowed.
        let irql = unsafe { KeAcquireSpinLockRaiseToDpc(self.lock.get()) };
        self.irql.store(irql, Ordering::Relaxed);
    }

    /// DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller acquired it.
    pub(crate) unsafe fn release(&self) {
        let irql = self.irql.load(Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { KeReleaseSpinLock(self.lock.get(), irql) };
    }
}
