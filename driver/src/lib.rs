//! `ntwatch.sys`: the thin shell of callbacks, device and worker around `ntwatch-engine`.
//!
//! - [`entry`]: loading, unloading, and undoing a load that failed.
//! - [`process`], [`thread`], [`image`] and [`handle`]: the callbacks; [`altitude`]: where the last
//!   stand among other drivers'; [`worker`]: what runs later, in a system thread, and [`facts`] what
//!   it finds out.
//! - [`device`] and [`ioctl`]: the control device and its requests; [`session`]: what belongs to
//!   one handle, with a ring that is [`pooled`] or [`mapped`], and [`session_memory`] for it;
//!   [`protect`]: the rules that it may add.
//! - [`state`]: what all of them share.
//! - [`nt`] and [`wdf`]: the kernel and the framework, wrapped. `unsafe` elsewhere is for what only
//!   the caller knows: what a callback is handed, and how long shared memory lives.
#![no_std]

extern crate wdk_panic;

mod altitude;
mod device;
mod entry;
mod facts;
mod handle;
mod image;
mod ioctl;
mod mapped;
mod nt;
mod pooled;
mod process;
mod protect;
mod session;
mod session_memory;
mod state;
mod thread;
mod wdf;
mod worker;

#[global_allocator]
static ALLOCATOR: wdk_alloc::WdkAllocator = wdk_alloc::WdkAllocator;
