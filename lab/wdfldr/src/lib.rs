//! A stand-in for KMDF: `wdfldr.sys`, the framework functions ntwatch uses over plain WDM.
//!
//! A driver binds with `WdfVersionBind` and gets the table of KMDF 1.31, all 458 entries of it.
//! What is not implemented ends in a bug check that names the function, never in a wrong answer.
//! Only non-PnP drivers with control devices are served: no PnP, no power, no I/O targets.
//!
//! An object of the framework is reference-counted and lives in a tree ([`object`]); an IRP becomes
//! a request ([`request`]) that is owned by one queue, by the driver, or by nobody any more
//! ([`queue`]). No lock is held while the driver is called.
//!
//! On other targets than Windows the library is built for its own tests, over a small double of
//! the kernel.

#![cfg_attr(windows, no_std)]
// The names of the framework are those of its headers.
#![allow(non_upper_case_globals)]
#![cfg_attr(not(windows), allow(dead_code))]

extern crate alloc;

mod device;
mod driver;
mod file;
mod job;
mod kmdf;
mod loader;
mod lock;
mod memory;
mod nt;
mod object;
mod queue;
mod registry;
mod request;
#[cfg(windows)]
mod runtime;
mod security;
mod table;
mod work_item;

#[cfg(test)]
mod tests;
