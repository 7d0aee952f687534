//! `ntosshim.sys`: a kernel for the driver on Wine, which is Wine's but for what that lacks.
//!
//! The images import `ntoskrnl.exe`. Copies of them, in which that name is changed and nothing else,
//! import this library: what Wine implements it passes on (`forwards.def`), the rest is here. A
//! driver of Wine's is a process of its own, `winedevice.exe`, in user mode: so is this, and it uses
//! Rust's library and Win32.
//!
//! N.B. Of process and thread notification it is no judge. Wine never calls a routine; here a thread
//! looks every two milliseconds at what runs ([`ps::poll`]), and calls them of what has changed. So
//! they come late, for what lived shorter not at all, and not in the thread that acts, which a
//! creation is only guessed to be ([`ps::acting`]).
#![cfg(windows)]
// The names of the kernel are those of its headers.
#![allow(non_upper_case_globals)]

mod ex;
mod io;
mod ke;
mod mm;
mod object;
mod ps;
mod se;
