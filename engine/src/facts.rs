//! What the worker asks Windows, as the engine sees it.

use crate::process_table::ProcessId;

/// A counted reference to a process or a thread, taken by a callback and held by a record in the
/// capture ring. Opaque here: the driver's address of the object, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object(pub u64);

/// What Windows tells about a process. `None` is a fact that it would not tell, often because
/// the process is gone already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts<B> {
    /// Full NT path, UTF-16LE.
    pub image_path: Option<B>,
    /// SID, binary.
    pub user: Option<B>,
    /// `AuthenticationId` of the token.
    pub logon_id: Option<u64>,
    /// RID of the integrity level.
    pub integrity: Option<u32>,
    /// Is the token elevated?
    pub elevated: Option<bool>,
    /// Terminal Services session.
    pub session_id: Option<u32>,
    /// A 32-bit process on 64-bit Windows?
    pub wow64: Option<bool>,
    /// `PS_PROTECTION`.
    pub protection: Option<u8>,
    /// A value of [`ntwatch_protocol::process::subsystem`].
    pub subsystem: Option<u32>,
}

/// What Windows tells about a thread; `None` as in [`Facts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadFacts {
    /// Where it begins to run; a hint, as the process can set it.
    pub start_address: Option<u64>,
    /// A value of [`ntwatch_protocol::process::subsystem`].
    pub subsystem: Option<u32>,
}

/// Windows, as the worker needs it. Everything here may be slow and is called at PASSIVE_LEVEL.
pub trait System {
    /// Memory of the system's; given back when dropped.
    type Buffer: AsRef<[u8]>;

    /// All about a process. `subsystem_process`: its creation said that it is not Win32's.
    fn process_facts(&self, process: Object, subsystem_process: bool) -> Facts<Self::Buffer>;

    /// The full NT path alone, UTF-16LE.
    fn image_path(&self, process: Object) -> Option<Self::Buffer>;

    /// All about a thread. `ask_subsystem`: its process may not be Win32's; else it is.
    fn thread_facts(&self, thread: Object, ask_subsystem: bool) -> ThreadFacts;

    /// When the process of a thread was created: 100 ns units since 1601, UTC.
    fn process_create_time(&self, thread: Object) -> Option<i64>;

    /// The full NT path of whatever process has this identity, UTF-16LE. `None` also if it is
    /// gone, or another has its pid.
    fn find_image(&self, id: ProcessId) -> Option<Self::Buffer>;

    /// Gives back a reference that a callback took.
    fn release(&self, object: Object);

    /// Upper case of a UTF-16 unit, as Windows compares names.
    fn upcase(&self, unit: u16) -> u16;
}
