//! Rules that keep rights to a process from everybody but itself and the kernel.

use crate::driver::Driver;
use crate::error::{Error, RuleError};
use crate::rights::Rights;
use crate::transport::Fault;
use ntwatch_protocol::ioctl;
use ntwatch_protocol::protect::{self as wire, MAX_RULES, Target};
use zerocopy::{FromBytes, IntoBytes};

/// The privilege that everything about protection wants.
const PRIVILEGE: &str = "SeDebugPrivilege";

/// What nobody is to get to a process: handles are made without these rights. Handles from before
/// the rule keep theirs, and so do the process itself and the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Process id.
    pub pid: u32,
    /// Start key (see [`Driver::process`]).
    pub key: u64,
    /// Rights to the process and to its threads, among [`Rights::DENIABLE`].
    pub deny: Rights,
}

/// A rule that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The rule.
    pub rule: Rule,
    /// Is it this session's?
    pub own: bool,
}

impl Driver {
    /// Adds a rule to this session, in place of one about the same process. It ends with the
    /// session, or when the process exits. Enables `SeDebugPrivilege` in this process' token, as
    /// the other requests about rules do.
    ///
    /// # Errors
    /// [`Error::Rule`] for a rule that no driver can keep, [`Error::NoProcess`] if the process is
    /// gone, [`Error::Request`] when Windows or the driver refuses.
    pub fn protect(&self, rule: &Rule) -> Result<(), Error> {
        if rule.deny.is_empty() {
            return Err(RuleError::Nothing.into());
        }
        if !rule.deny.without(Rights::DENIABLE).is_empty() {
            return Err(RuleError::NotDeniable(rule.deny).into());
        }
        let input = wire::Rule {
            target: target(rule.pid, rule.key),
            process: rule.deny.process,
            thread: rule.deny.thread,
        };
        self.with_privilege()?;
        self.transport()
            .control(ioctl::PROTECT_ADD, input.as_bytes(), &mut [])
            .map(drop)
            .map_err(|fault| match fault {
                Fault::Missing => Error::NoProcess { pid: rule.pid },
                fault => self.cannot("protect the process")(fault),
            })
    }

    /// The rules of all sessions.
    ///
    /// # Errors
    /// [`Error::Request`] when Windows or the driver refuses.
    pub fn protections(&self) -> Result<Vec<Listed>, Error> {
        self.with_privilege()?;
        let mut answer = [0; MAX_RULES * size_of::<wire::Listed>()];
        let len = self
            .transport()
            .control(ioctl::PROTECT_LIST, &[], &mut answer)
            .map_err(self.cannot("list the rules"))?;
        let answer = answer.get(..len).unwrap_or(&answer);
        let whole = answer.chunks_exact(size_of::<wire::Listed>());
        Ok(whole
            .filter_map(|listed| wire::Listed::read_from_bytes(listed).ok())
            .map(|listed| Listed {
                rule: Rule {
                    pid: listed.rule.target.pid,
                    key: listed.rule.target.key,
                    deny: Rights {
                        process: listed.rule.process,
                        thread: listed.rule.thread,
                    },
                },
                own: listed.own != 0,
            })
            .collect())
    }

    /// Ends every session's rules about a process.
    ///
    /// # Errors
    /// [`Error::NoRule`] if there is none, [`Error::Request`] when Windows or the driver refuses.
    pub fn unprotect(&self, pid: u32, key: u64) -> Result<(), Error> {
        self.with_privilege()?;
        self.transport()
            .control(ioctl::PROTECT_REMOVE, target(pid, key).as_bytes(), &mut [])
            .map(drop)
            .map_err(|fault| match fault {
                Fault::Missing => Error::NoRule { pid },
                fault => self.cannot("end the rule")(fault),
            })
    }

    fn with_privilege(&self) -> Result<(), Error> {
        self.transport()
            .enable_privilege(PRIVILEGE)
            .map_err(self.cannot("enable SeDebugPrivilege"))
    }
}

const fn target(pid: u32, key: u64) -> Target {
    Target {
        key,
        pid,
        reserved: 0,
    }
}
