//! The rights that handles to processes and threads have, by name.
//!
//! Names are Windows' own, without `PROCESS_` and `THREAD_` (pages "Process Security and Access
//! Rights" and "Thread Security and Access Rights"). Written, they are upper case with `|` between;
//! read, case does not count, `-` is `_`, and a comma will do for `|`.

use ntwatch_protocol::access::{process, standard, thread};
use ntwatch_protocol::configure::AccessMasks;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// The specific and the standard rights: all but those that stand for others.
pub(crate) const BY_NAME: u32 = 0x001f_ffff;

/// Rights to processes, and rights to threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rights {
    /// Bits of a mask for a process.
    pub process: u32,
    /// Bits of a mask for a thread.
    pub thread: u32,
}

impl Rights {
    /// As a condition of a filter: every open, whatever it asks for.
    pub const EVERY_OPEN: Self = Self::of_masks(AccessMasks::ALL);

    /// As a condition of a filter: every open that can do more than look. What a filter has if
    /// nothing else is said.
    pub const MORE_THAN_QUERY: Self = Self::of_masks(AccessMasks::DEFAULT);

    /// What a driver can take away (page "OB_PRE_CREATE_HANDLE_INFORMATION").
    pub const DENIABLE: Self = Self {
        process: process::STRIPPABLE,
        thread: thread::STRIPPABLE,
    };

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            process: self.process & other.process,
            thread: self.thread & other.thread,
        }
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            process: self.process | other.process,
            thread: self.thread | other.thread,
        }
    }

    /// These, but for those.
    #[must_use]
    pub const fn without(self, those: Self) -> Self {
        Self {
            process: self.process & !those.process,
            thread: self.thread & !those.thread,
        }
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.process | self.thread == 0
    }

    /// Each right that has a name and shares a bit with these, as a word of a command line.
    pub fn words(self) -> impl Iterator<Item = String> {
        let shares = move |named: &&Named| !named.rights.and(self).is_empty();
        let word = |named: &Named| named.name.to_ascii_lowercase().replace('_', "-");
        NAMED.iter().filter(shares).map(word)
    }

    /// All that a text's words stand for, each taken by itself; for those who know other words, or
    /// will not have each.
    ///
    /// # Errors
    /// The first that `right` has.
    pub fn of_words<E>(text: &str, right: impl Fn(&str) -> Result<Self, E>) -> Result<Self, E> {
        let mut words = text.split([',', '|']).map(str::trim);
        words.try_fold(Self::default(), |sum, word| Ok(sum.or(right(word)?)))
    }

    const fn of_masks(masks: AccessMasks) -> Self {
        Self {
            process: masks.process,
            thread: masks.thread,
        }
    }
}

/// Reads rights to processes and threads alike: a name stands for the right of either that has it,
/// a number (`0x…`) for the same bits of both.
impl FromStr for Rights {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        Self::of_words(text, right)
    }
}

/// A single word's.
pub(crate) fn right(word: &str) -> Result<Rights, UnknownRight> {
    let unknown = || UnknownRight(word.into());
    if let Some(digits) = word.strip_prefix("0x") {
        let bits = u32::from_str_radix(digits, 16).map_err(|_| unknown())?;
        return Ok(Rights {
            process: bits,
            thread: bits,
        });
    }
    let name = word.replace('-', "_");
    NAMED
        .iter()
        .find(|named| named.name.eq_ignore_ascii_case(&name))
        .map(|named| named.rights)
        .ok_or_else(unknown)
}

/// Neither the name of a right nor a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no right; those that there are: {words}, or a number such as 0x10",
    words = EVERY.words().collect::<Vec<_>>().join(", ")
)]
pub struct UnknownRight(pub String);

/// The names that there are.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|named| named.name)
}

const EVERY: Rights = Rights {
    process: u32::MAX,
    thread: u32::MAX,
};

/// `VM_READ|VM_WRITE`, for a handle to a process. Bits without a name come last, as `0x…`.
#[must_use]
pub fn of_process(mask: u32) -> impl fmt::Display {
    Names(mask, |named| named.rights.process)
}

/// As [`of_process`], for a handle to a thread.
#[must_use]
pub fn of_thread(mask: u32) -> impl fmt::Display {
    Names(mask, |named| named.rights.thread)
}

struct Names(u32, fn(&Named) -> u32);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(mut left, bits) = *self;
        let mut between = "";
        for named in &NAMED {
            let bits = bits(named);
            if bits != 0 && left & bits == bits {
                write!(f, "{between}{}", named.name)?;
                left &= !bits;
                between = "|";
            }
        }
        if left != 0 || between.is_empty() {
            write!(f, "{between}{left:#x}")?;
        }
        Ok(())
    }
}

struct Named {
    name: &'static str,
    rights: Rights,
}

const fn named(name: &'static str, process: u32, thread: u32) -> Named {
    Named {
        name,
        rights: Rights { process, thread },
    }
}

const fn of_both(name: &'static str, bit: u32) -> Named {
    named(name, bit, bit)
}

/// The one that stands for others comes first.
const NAMED: [Named; 33] = [
    of_both("ALL_ACCESS", BY_NAME),
    named("TERMINATE", process::TERMINATE, thread::TERMINATE),
    named("CREATE_THREAD", process::CREATE_THREAD, 0),
    named("SET_SESSIONID", process::SET_SESSIONID, 0),
    named("VM_OPERATION", process::VM_OPERATION, 0),
    named("VM_READ", process::VM_READ, 0),
    named("VM_WRITE", process::VM_WRITE, 0),
    named("DUP_HANDLE", process::DUP_HANDLE, 0),
    named("CREATE_PROCESS", process::CREATE_PROCESS, 0),
    named("SET_QUOTA", process::SET_QUOTA, 0),
    named(
        "SUSPEND_RESUME",
        process::SUSPEND_RESUME,
        thread::SUSPEND_RESUME,
    ),
    named("RESUME", 0, thread::RESUME),
    named("ALERT", 0, thread::ALERT),
    named("GET_CONTEXT", 0, thread::GET_CONTEXT),
    named("SET_CONTEXT", 0, thread::SET_CONTEXT),
    named("SET_THREAD_TOKEN", 0, thread::SET_THREAD_TOKEN),
    named("IMPERSONATE", 0, thread::IMPERSONATE),
    named("DIRECT_IMPERSONATION", 0, thread::DIRECT_IMPERSONATION),
    named(
        "SET_INFORMATION",
        process::SET_INFORMATION,
        thread::SET_INFORMATION,
    ),
    named(
        "SET_LIMITED_INFORMATION",
        process::SET_LIMITED_INFORMATION,
        thread::SET_LIMITED_INFORMATION,
    ),
    named(
        "QUERY_INFORMATION",
        process::QUERY_INFORMATION,
        thread::QUERY_INFORMATION,
    ),
    named(
        "QUERY_LIMITED_INFORMATION",
        process::QUERY_LIMITED_INFORMATION,
        thread::QUERY_LIMITED_INFORMATION,
    ),
    of_both("DELETE", standard::DELETE),
    of_both("READ_CONTROL", standard::READ_CONTROL),
    of_both("WRITE_DAC", standard::WRITE_DAC),
    of_both("WRITE_OWNER", standard::WRITE_OWNER),
    of_both("SYNCHRONIZE", standard::SYNCHRONIZE),
    of_both("ACCESS_SYSTEM_SECURITY", standard::ACCESS_SYSTEM_SECURITY),
    of_both("MAXIMUM_ALLOWED", standard::MAXIMUM_ALLOWED),
    of_both("GENERIC_ALL", standard::GENERIC_ALL),
    of_both("GENERIC_EXECUTE", standard::GENERIC_EXECUTE),
    of_both("GENERIC_WRITE", standard::GENERIC_WRITE),
    of_both("GENERIC_READ", standard::GENERIC_READ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mask_is_shown_by_the_names_that_its_type_has() {
        assert_eq!(of_process(0x30).to_string(), "VM_READ|VM_WRITE");
        assert_eq!(of_thread(0x30).to_string(), "SET_CONTEXT|SET_INFORMATION");
        assert_eq!(of_process(0x1f_ffff).to_string(), "ALL_ACCESS");
        assert_eq!(
            of_process(0x8410).to_string(),
            "VM_READ|QUERY_INFORMATION|0x8000"
        );
        assert_eq!(of_thread(0).to_string(), "0x0");
    }

    #[test]
    fn a_name_stands_for_the_right_of_either_type_that_has_it() {
        let rights = |process, thread| Ok(Rights { process, thread });
        assert_eq!("vm-read".parse(), rights(process::VM_READ, 0));
        assert_eq!(
            "Terminate, set_limited_information".parse(),
            rights(0x2001, 0x0401)
        );
        assert_eq!("0x40|dup-handle".parse(), rights(0x40, 0x40));
        let unknown = "fly".parse::<Rights>().unwrap_err().to_string();
        assert!(
            unknown.contains("`fly`") && unknown.contains("vm-write, "),
            "{unknown}"
        );
        assert!("".parse::<Rights>().is_err());
        assert!("0x".parse::<Rights>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read(mask: u32) {
            let process: Rights = of_process(mask).to_string().parse().unwrap();
            prop_assert_eq!(process.process, mask);
            let thread: Rights = of_thread(mask).to_string().parse().unwrap();
            prop_assert_eq!(thread.thread, mask);
        }

        #[test]
        fn any_text_is_rights_or_an_error(text in r"([a-zA-Z_\-,|x0-9é ]|vm-read|0x){0,8}") {
            let _ = text.parse::<Rights>();
        }
    }
}
