//! A modelled NT kernel in a Linux process.
//!
//! nthost maps a driver (`ntwatch.sys`) and its framework (`wdfldr.sys`) as the Windows loader
//! would and runs them natively. The functions they import from ntoskrnl.exe are the
//! `extern "win64"` functions of this crate, grouped as the kernel groups them: [`ke`] (threads,
//! IRQL, waits), [`ex`] (pool, work items), [`mm`], [`ob`] (objects, handles), [`io`] (devices,
//! IRPs), [`cm`] (registry), [`ps`] (processes, threads, images), [`se`] (tokens) and [`rtl`].
//!
//! Activity comes from a [`source`], or from calls such as [`Kernel::start_process`],
//! [`Kernel::start_thread`], [`Kernel::load_image`] and [`Kernel::open_process`]; [`serve`] lets
//! clients in other processes connect. On a machine that is booted so, [`verify`] sees every call of a
//! driver before it happens.
//!
//! A [`Kernel`] is one machine. Any number live in one process; a kernel function finds its own
//! through the thread it runs on, which [`Kernel::enter`] sets.
//!
//! What runs here is the shipped binary against a model. It shows nothing about Windows itself.

// Kernel functions keep their documented names.
#![allow(non_snake_case, non_upper_case_globals)]

pub mod cm;
mod coverage;
pub mod ex;
pub mod exports;
pub mod io;
pub mod ke;
mod kernel;
mod leak;
pub mod loader;
pub mod mm;
pub mod ob;
pub mod ps;
pub mod rtl;
pub mod se;
pub mod serve;
pub mod source;
pub mod verify;

pub use kernel::{Config, Current, Kernel};
pub use leak::{Leak, LeakReport};
