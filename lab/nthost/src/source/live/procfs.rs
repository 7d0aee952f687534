//! What /proc tells of a process.

use crate::source::{SECOND, UNIX_EPOCH};
use std::fs;

/// Facts about a running Linux process. Nothing where it was gone before it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The path of its program.
    pub(super) exe: Option<String>,
    /// Its arguments.
    pub(super) arguments: Option<Vec<String>>,
    pub(super) parent: Option<u32>,
    pub(super) user_id: Option<u32>,
    /// When it began, in clock ticks since boot.
    pub(super) began: Option<u64>,
    /// A thread of Linux itself.
    pub(super) kernel_thread: bool,
}

/// The bit of `flags` in /proc/PID/stat that kernel threads have.
const PF_KTHREAD: u64 = 0x0020_0000;

impl Facts {
    pub(super) fn read(pid: u32) -> Facts {
        let file = |name: &str| format!("/proc/{pid}/{name}");
        let stat = fs::read_to_string(file("stat")).unwrap_or_default();
        // The name, in parentheses, may hold anything.
        let fields: Vec<&str> = match stat.rsplit_once(')') {
            Some((_, rest)) => rest.split_whitespace().collect(),
            None => Vec::new(),
        };
        // Numbers of fields as in proc_pid_stat(5): the third is the first behind the name.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let exe = fs::read_link(file("exe")).ok();
        let exe = exe.map(|path| {
            let path = path.to_string_lossy();
            path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned()
        });
        let arguments = fs::read(file("cmdline"))
            .ok()
            .filter(|line| !line.is_empty());
        let arguments = arguments.map(|line| {
            let line = line.strip_suffix(b"\0").unwrap_or(&line);
            let argument = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            line.split(|byte| *byte == 0).map(argument).collect()
        });
        let status = fs::read_to_string(file("status")).unwrap_or_default();
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        let user = user.and_then(|ids| ids.split_whitespace().next());
        Facts {
            exe,
            arguments,
            parent: field(4).map(|parent| parent as u32),
            user_id: user.and_then(|id| id.parse().ok()),
            began: field(22),
            kernel_thread: field(9).is_some_and(|flags| flags & PF_KTHREAD != 0),
        }
    }

    /// Is a fact missing that only a living process tells?
    pub(super) fn incomplete(&self) -> bool {
        self.exe.is_none() || self.arguments.is_none() || self.user_id.is_none()
    }
}

/// The pids there are.
pub(super) fn pids() -> Vec<u32> {
    ids_in("/proc")
}

/// The threads that a process has, the first among them.
pub(super) fn tids(pid: u32) -> Vec<u32> {
    ids_in(&format!("/proc/{pid}/task"))
}

fn ids_in(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let id = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut ids: Vec<u32> = entries.filter_map(id).collect();
    ids.sort_unstable();
    ids
}

/// When Linux was booted, as NT time.
pub(super) fn boot_time() -> i64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "));
    let seconds: i64 = seconds.and_then(|s| s.trim().parse().ok()).unwrap_or(0);
    seconds * SECOND + UNIX_EPOCH
}

/// The machine's name.
pub(super) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// The name of a user, if the machine's own list has it.
pub(super) fn user_name(user_id: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let id = user_id.to_string();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_all_its_facts() {
        let facts = Facts::read(std::process::id());
        assert!(!facts.incomplete() && !facts.kernel_thread);
        assert!(facts.began.is_some() && facts.parent.is_some());
        assert!(pids().contains(&std::process::id()));
        assert!(tids(std::process::id()).contains(&std::process::id()));
    }

    #[test]
    fn a_process_that_is_gone_has_none() {
        assert_eq!(Facts::read(u32::MAX), Facts::default());
    }
}
