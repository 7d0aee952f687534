//! `ntwatch.sys`: the thin shell of callbacks, device and worker around `ntwatch-engine`.
//!
//! - [`entry`]: loading, unloading, and undoing a load that failed.
//! - [`process`]: the notify routine; [`worker`]: what runs later, in a system thread.
//! - [`device`] and [`ioctl`]: the control device and its requests; [`session`]: what belongs to
//!   one handle.
//! - [`state`]: what all of them share.
//! - [`nt`] and [`wdf`]: the kernel and the framework, wrapped. `unsafe` elsewhere is for what only
//!   the caller knows: what a callback is handed, and how long shared memory lives.
#![no_std]

extern crate wdk_panic;

mod device;
mod entry;
mod facts;
mod ioctl;
mod nt;
mod process;
mod session;
mod state;
mod wdf;
mod worker;

#[global_allocator]
static ALLOCATOR: wdk_alloc::WdkAllocator = wdk_alloc::WdkAllocator;
