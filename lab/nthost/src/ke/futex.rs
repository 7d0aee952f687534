//! Sleeping on a word of memory that the driver owns.
//!
//! The word may be freed right after it was changed, as an event on a waiter's stack is. Linux
//! only looks at its address then: a wake-up of freed memory wakes nobody, or somebody who looks
//! again.

use std::ptr;
use std::sync::atomic::AtomicI32;
use std::time::Duration;

/// Sleeps while `word` holds `value`, at most for `timeout`. May wake early.
pub(super) fn wait(word: &AtomicI32, value: i32, timeout: Option<Duration>) {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word and the timeout are live; FUTEX_WAIT only reads both.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            timeout,
        )
    };
}

/// Wakes up to `waiters` threads that sleep on `word`, which need not exist any more.
pub(super) fn wake(word: *const AtomicI32, waiters: i32) {
    // SAFETY: FUTEX_WAKE takes the address as a key and does not touch what is there.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            waiters,
        )
    };
}
