//! Names for processes that hold beyond a stream and its pids, in the shape of Sysmon's. No two
//! processes of one machine have the same; those of two machines may, if the machines' names hash
//! alike.

use crate::event::Hex;
use std::fmt;

/// Four bytes that stand for a machine, and now and then for two.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Machine(u32);

impl Machine {
    /// FNV-1a of the name, whose case does not count.
    pub(super) fn named(host: &str) -> Self {
        const BASIS: u32 = 0x811c_9dc5;
        const PRIME: u32 = 0x0100_0193;
        let bytes = host.bytes().map(|byte| byte.to_ascii_lowercase());
        let step = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME);
        Self(bytes.fold(BASIS, step))
    }
}

/// A process, shown as `{42c2e005-2838-0000-2e08-000000000400}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guid {
    machine: Machine,
    pid: u32,
    key: Hex,
}

impl Guid {
    pub(super) const fn new(machine: Machine, pid: u32, key: Hex) -> Self {
        Self { machine, pid, key }
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine(machine) = self.machine;
        let (low, high) = (self.pid & 0xffff, self.pid >> 16);
        // A GUID shows its last eight bytes as they lie in memory.
        let key = self.key.0.swap_bytes();
        let (first, rest) = (key >> 48, key & 0xffff_ffff_ffff);
        write!(
            f,
            "{{{machine:08x}-{low:04x}-{high:04x}-{first:04x}-{rest:012x}}}"
        )
    }
}
