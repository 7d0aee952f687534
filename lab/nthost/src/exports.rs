//! What drivers can import from ntoskrnl.exe and hal.dll.
//!
//! Each module lists its functions with `exports!`; the loader looks names up in all lists.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use crate::{cm, ex, io, ke, mm, ob, ps, rtl, se};

/// One exported function or variable.
pub struct Export {
    /// Its documented name.
    pub name: &'static str,
    /// Its address.
    pub address: *const (),
    /// The highest IRQL a caller may be at.
    pub max_irql: u8,
    /// Whether it is a variable.
    pub variable: bool,
}

impl Export {
    /// The name of the documentation page that says what callers have to keep to. It is the
    /// function's own where drivers do not know it by another.
    pub fn page(&self) -> &'static str {
        match self.name {
            "ExAcquirePushLockExclusiveEx" => "ExAcquirePushLockExclusive",
            "ExAcquirePushLockSharedEx" => "ExAcquirePushLockShared",
            "ExReleasePushLockExclusiveEx" => "ExReleasePushLockExclusive",
            "ExReleasePushLockSharedEx" => "ExReleasePushLockShared",
            "IofCompleteRequest" => "IoCompleteRequest",
            "KfRaiseIrql" => "KeRaiseIrql",
            "ObfDereferenceObject" => "ObDereferenceObject",
            "ObfReferenceObject" => "ObReferenceObject",
            name => name,
        }
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

// SAFETY: `address` is the address of a function or of a static that is itself `Sync`; the
// struct only carries it to the loader.
unsafe impl Sync for Export {}
// SAFETY: as above.
unsafe impl Send for Export {}

/// Lists a module's exports as `pub(crate) static EXPORTS: &[Export]`, grouped by the highest
/// IRQL a caller may be at. Variables follow the word `data`.
///
/// ```text
/// exports! {
///     DISPATCH_LEVEL: KeSetEvent, KeResetEvent;
///     data: PsProcessType;
/// }
/// ```
macro_rules! exports {
    ($($irql:ident: $($name:ident),+ $(,)?;)+) => {
        pub(crate) static EXPORTS: &[$crate::exports::Export] = &[
            $($(exports!(@entry $irql $name),)+)+
        ];
    };
    (@entry data $name:ident) => {
        $crate::exports::Export {
            name: stringify!($name),
            address: (&raw const $name).cast(),
            max_irql: $crate::ke::HIGH_LEVEL,
            variable: true,
        }
    };
    (@entry $irql:ident $name:ident) => {
        $crate::exports::Export {
            name: stringify!($name),
            address: $name as *const (),
            max_irql: $crate::ke::$irql,
            variable: false,
        }
    };
}
pub(crate) use exports;

/// Every list. A new module with exports is named here.
static LISTS: &[&[Export]] = &[
    cm::key::EXPORTS,
    ex::locks::EXPORTS,
    ex::misc::EXPORTS,
    ex::pool::EXPORTS,
    ex::rundown::EXPORTS,
    io::cancel::EXPORTS,
    io::complete::EXPORTS,
    io::device::EXPORTS,
    io::extension::EXPORTS,
    io::requestor::EXPORTS,
    io::work_item::EXPORTS,
    ke::bug_check::EXPORTS,
    ke::clock::EXPORTS,
    ke::event::EXPORTS,
    ke::irql::EXPORTS,
    ke::spin_lock::EXPORTS,
    mm::mdl::EXPORTS,
    mm::routine::EXPORTS,
    mm::section::EXPORTS,
    mm::system::EXPORTS,
    ob::callback::registration::EXPORTS,
    ob::handle::driver::EXPORTS,
    ob::reference::EXPORTS,
    ob::types::EXPORTS,
    ps::notify::image::EXPORTS,
    ps::notify::process::EXPORTS,
    ps::notify::thread::EXPORTS,
    ps::query::current::EXPORTS,
    ps::query::process::EXPORTS,
    ps::query::thread::EXPORTS,
    se::information::EXPORTS,
    se::privilege::EXPORTS,
    rtl::debug::EXPORTS,
    rtl::memory::EXPORTS,
    rtl::security::EXPORTS,
    rtl::string::EXPORTS,
    rtl::version::EXPORTS,
];

/// Everything that is exported.
pub(crate) fn all() -> impl Iterator<Item = &'static Export> {
    LISTS.iter().flat_map(|list| list.iter())
}

/// Looks up an export of ntoskrnl.exe or hal.dll.
pub fn find(name: &str) -> Option<&'static Export> {
    static TABLE: OnceLock<HashMap<&'static str, &'static Export>> = OnceLock::new();
    let table = TABLE.get_or_init(|| all().map(|export| (export.name, export)).collect());
    table.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_exported_twice() {
        let mut names: Vec<_> = all().map(|export| export.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
