//! The way to the driver, and to what Windows tells besides.

#[cfg(any(windows, test))]
mod file_name;
#[cfg(unix)]
pub mod lab;
#[allow(unsafe_code)]
pub mod mapping;
#[cfg(any(windows, test))]
mod telemetry;
#[cfg(any(windows, test))]
mod win32;
#[cfg(windows)]
#[allow(unsafe_code)]
pub mod windows;

use crate::time::Time;
use crate::volumes::Volume;
use mapping::{Mapping, Unmappable};
use std::io;
use std::path::PathBuf;

/// One open handle of the device: one session. Its requests may be made from several threads at
/// once; dropping it closes the handle.
pub trait Transport: Send + Sync {
    /// `DeviceIoControl`: sends `code` with `input` and waits for the answer, whose length in
    /// bytes it gives back.
    ///
    /// # Errors
    /// What the driver, or the way to it, refused.
    fn control(&self, code: u32, input: &[u8], output: &mut [u8]) -> Result<usize, Fault>;

    /// READ_EVENTS: as [`Self::control`], and ends with [`Fault::Stopped`] once
    /// [`Self::stop_reads`] was called. One at a time.
    ///
    /// # Errors
    /// As for [`Self::control`].
    fn read_events(&self, output: &mut [u8]) -> Result<usize, Fault>;

    /// MAP_RING: has this session's ring, of so many bytes (0 for the driver's default), mapped
    /// into this process. Who waits there for many records is woken at `wake_bytes` of them (0 for
    /// a quarter of the ring; at most half). Before CONFIGURE, and once.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn map_ring(&self, ring_size: u32, wake_bytes: u32) -> Result<Mapping, Unmappable>;

    /// Ends the read that waits, the sleep of who reads a mapped ring, and every later one.
    fn stop_reads(&self);

    /// The processes that run now, in order of creation.
    ///
    /// # Errors
    /// When Windows does not say.
    fn processes(&self) -> Result<Vec<RunningProcess>, Fault>;

    /// The process that has this pid now, if anybody may ask about it. N.B. Windows takes a pid
    /// for the multiple of four below it: the process that is found says which pid it has.
    ///
    /// # Errors
    /// When Windows does not say.
    fn process(&self, pid: u32) -> Result<Option<RunningProcess>, Fault>;

    /// Enables a privilege of this process' token, such as `SeDebugPrivilege`.
    ///
    /// # Errors
    /// [`Fault::PrivilegeNotHeld`] if the token does not have it, and when Windows does not let it
    /// be changed.
    fn enable_privilege(&self, name: &str) -> Result<(), Fault>;

    /// The drives of this machine.
    ///
    /// # Errors
    /// When Windows does not say.
    fn volumes(&self) -> Result<Vec<Volume>, Fault>;

    /// The machine.
    ///
    /// # Errors
    /// When Windows does not say.
    fn host(&self) -> Result<Host, Fault>;

    /// `DOMAIN\name` for a binary SID, if an account bears it.
    fn account(&self, sid: &[u8]) -> Option<String>;

    /// Where this process finds a file of the machine, by its path as events have it: a DOS path,
    /// an NT path, or WSL's. `None` if that is no path of a file, or of a file on yet another
    /// machine, or if no file of the machine is within reach.
    fn file(&self, path: &str) -> Option<PathBuf> {
        let _ = path;
        None
    }
}

/// What a snapshot tells of a process. `None` is what Windows would not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningProcess {
    /// Process id.
    pub pid: u32,
    /// Start key.
    pub key: u64,
    /// When it was created.
    pub create_time: Option<Time>,
    /// The parent's process id; another process may bear it by now.
    pub parent_pid: Option<u32>,
    /// The parent's start key.
    pub parent_key: Option<u64>,
    /// NT path.
    pub image: Option<String>,
    /// As passed to it.
    pub command_line: Option<String>,
    /// Terminal Services session.
    pub session_id: Option<u32>,
    /// The user's SID, binary.
    pub user: Option<Vec<u8>>,
    /// The logon session's LUID.
    pub logon_id: Option<u64>,
    /// The integrity level's RID.
    pub integrity: Option<u32>,
    /// Is the token elevated?
    pub elevated: Option<bool>,
    /// `PS_PROTECTION`.
    pub protection: Option<u8>,
    /// A 32-bit process on 64-bit Windows?
    pub wow64: Option<bool>,
    /// `SUBSYSTEM_INFORMATION_TYPE`.
    pub subsystem: Option<u32>,
}

/// The machine that the driver runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// When it was started.
    pub boot_time: Option<Time>,
    /// Its clock.
    pub now: Time,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No device of that name.
    #[error("no driver answers there")]
    NotFound,
    /// The device is open to the system and administrators alone.
    #[error("access is denied")]
    AccessDenied,
    /// The privilege that this wants is not enabled, or the token has none such.
    #[error("the privilege for it is not held")]
    PrivilegeNotHeld,
    /// What the request is about is not there.
    #[error("there is none")]
    Missing,
    /// No more of these can be had.
    #[error("there are as many as there can be")]
    Quota,
    /// `SHUTDOWN` was asked for.
    #[error("the driver is shutting down")]
    ShuttingDown,
    /// [`Transport::stop_reads`] was called.
    #[error("the request was cancelled")]
    Stopped,
    /// As many sessions as the driver can have.
    #[error("the driver has as many sessions as it can have")]
    NoRoom,
    /// The driver has no memory for the request.
    #[error("the driver has no memory for it")]
    NoMemory,
    /// Whatever device this is, it does not know the request.
    #[error("the device does not know this request")]
    UnknownRequest,
    /// The driver knows the request, and this is nothing that it can do.
    #[error("it is not supported for this process")]
    NotSupported,
    /// A read before CONFIGURE or of a session whose ring is mapped, MAP_RING when there is a ring
    /// already, or CONFIGURE for another one.
    #[error("the session is not in the state for this request")]
    OutOfOrder,
    /// The driver says that the input is wrong.
    #[error("the driver does not accept the request's parameters")]
    BadParameter,
    /// Less came back than the request promises.
    #[error("its answer is too short")]
    ShortAnswer,
    /// The driver answered with this NTSTATUS.
    #[error("the driver answered with status {0:#010x}")]
    Status(u32),
    /// The other side of the connection is gone.
    #[error("the connection to the driver is closed")]
    Closed,
    /// The way to the driver failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}
