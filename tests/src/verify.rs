//! Machines that hold drivers to the rules, and on which calls of drivers fail or take their time.

use crate::lab::Lab;
use crate::machine::shipped;
use nthost::io::{Service, StartError};
use nthost::verify::Watch;
use nthost::{Config, Kernel, LeakReport};
use std::sync::Arc;

/// Boots a machine on which drivers are verified and nothing runs.
#[must_use]
pub fn boot() -> Arc<Kernel> {
    Kernel::boot(Config {
        verify: true,
        ..Config::default()
    })
}

/// Has `watch` see every further call of the machine's drivers.
///
/// # Panics
/// On a machine that does not verify.
pub fn add<W: Watch + 'static>(kernel: &Kernel, watch: &Arc<W>) {
    let verifier = kernel.verifier.as_ref().expect("a machine that verifies");
    verifier.add(Arc::clone(watch) as Arc<dyn Watch>);
}

/// Loads the shipped driver. If it refuses, its status and what it left behind.
///
/// # Errors
/// When it refuses.
///
/// # Panics
/// When it does not come to its entry point.
pub fn try_load(kernel: &Arc<Kernel>, lab: &Lab) -> Result<Service, (i32, LeakReport)> {
    match kernel.start_service(&shipped(lab)) {
        Ok(service) => Ok(service),
        Err(StartError::Refused { status, leaks, .. }) => Err((status, leaks)),
        Err(error) => panic!("not loaded at all: {error}"),
    }
}
