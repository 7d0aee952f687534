//! Rules that keep rights to a process from everybody but itself and the kernel. Handles from
//! before a rule keep what they have.

use crate::access;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Rules of all sessions together.
pub const MAX_RULES: usize = 64;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Target {
    /// Start key; never 0.
    pub key: u64,
    /// Process id.
    pub pid: u32,
    /// Zero.
    pub reserved: u32,
}

/// What nobody is to get: the input of PROTECT_ADD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Rule {
    /// The protected process. It must be there.
    pub target: Target,
    /// Rights to it, among [`access::process::STRIPPABLE`].
    pub process: u32,
    /// Rights to its threads, among [`access::thread::STRIPPABLE`].
    pub thread: u32,
}

/// A rule of a session: an element of the output of PROTECT_LIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Listed {
    /// The rule.
    pub rule: Rule,
    /// Is it of the session that asks?
    pub own: u32,
    /// Zero.
    pub reserved: u32,
}

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// It is about no process or takes nothing away, or what is to be zero is not.
    Malformed,
    /// A right that Windows lets no driver take away.
    NotStrippable,
}

impl Rule {
    /// Is it one that can be kept?
    ///
    /// # Errors
    /// See [`RuleError`].
    pub const fn check(&self) -> Result<(), RuleError> {
        if self.target.key == 0 || self.target.reserved != 0 || (self.process | self.thread) == 0 {
            return Err(RuleError::Malformed);
        }
        if self.process & !access::process::STRIPPABLE != 0
            || self.thread & !access::thread::STRIPPABLE != 0
        {
            return Err(RuleError::NotStrippable);
        }
        Ok(())
    }
}

const _: () = {
    assert!(size_of::<Target>() == 16);
    assert!(size_of::<Rule>() == 24);
    assert!(size_of::<Listed>() == 32);
};
