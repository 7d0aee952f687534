//! Names of devices, and opening them.

use crate::error::Error;
use crate::transport::Transport;
use std::sync::Arc;

/// What the name of a lab's device begins with; the path of a Unix socket follows.
pub const LAB_PREFIX: &str = "unix:";

/// What a device's name can be on this system.
#[cfg(windows)]
const REMEDY: &str = r"a device's name begins with \\.\ (the driver's own is \\.\ntwatch)";
#[cfg(not(windows))]
const REMEDY: &str = "this is not Windows: start the lab with `nthost serve` and name its socket \
                      with `--device unix:PATH`, or run `cargo xtask demo`";

/// Opens the device: `\\.\NAME` on Windows, `unix:PATH` for a lab's.
///
/// # Errors
/// [`Error::DeviceName`] for a name that no device can have here, [`Error::Open`] for a device
/// that is not there or does not let this process in.
pub fn open(name: &str) -> Result<Arc<dyn Transport>, Error> {
    #[cfg(windows)]
    let opened = name
        .starts_with(r"\\.\")
        .then(|| crate::transport::windows::Device::open(name).map(shared));
    #[cfg(unix)]
    let opened = name
        .strip_prefix(LAB_PREFIX)
        .filter(|path| !path.is_empty())
        .map(|path| crate::transport::lab::Lab::connect(path.as_ref()).map(shared));
    match opened {
        Some(Ok(transport)) => Ok(transport),
        Some(Err(fault)) => Err(Error::Open {
            device: name.into(),
            fault,
        }),
        None => Err(Error::DeviceName {
            name: name.into(),
            remedy: REMEDY,
        }),
    }
}

fn shared(transport: impl Transport + 'static) -> Arc<dyn Transport> {
    Arc::new(transport)
}
