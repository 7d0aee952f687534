//! The schema's objects.

use super::Ocsf;
use crate::event::{Integrity, ProcessStart};
use crate::format::memory::{Memory, Party};
use crate::format::object::Object;
use crate::format::parts::{Account, File};
use crate::time::Time;
use serde_json::json;

/// For what the schema wants and nobody knows.
const UNKNOWN: &str = "Unknown";

impl Ocsf {
    /// A process with all that its start told.
    pub(super) fn started(&self, start: &ProcessStart) -> Object {
        let mut process = self.process(&Party::from(&start.process));
        let facts = &start.process;
        let sha256 = facts.sha256.as_deref();
        process.put_known("file", known_file(facts.image.as_deref(), sha256));
        process.put_known("session.uid", facts.logon_id.map(|id| id.to_string()));
        if let Some(level) = facts.integrity {
            let (id, name) = integrity(level);
            process.put("integrity_id", id);
            process.put("integrity", name);
        }
        if let Some(parent) = &start.parent {
            process.put("parent_process", self.process(&Party::from(parent)));
        }
        process
    }

    pub(super) fn process(&self, party: &Party<'_>) -> Object {
        let mut process = Object::default();
        process.put("pid", party.pid);
        process.put_known("uid", self.memory.guid(party));
        if let Some(path) = party.image {
            process.put("name", File::at(path).name);
            process.put("file", file(Some(path), None));
        }
        if let Some(known) = self.memory.known(party) {
            process.put_known("created_time", known.create_time.map(milliseconds));
            process.put_known("cmd_line", known.command_line.as_deref());
            process.put_known("user", known.user.as_deref().map(user));
        }
        process
    }

    /// Who acts, in which thread.
    pub(super) fn actor(&self, party: Option<Party<'_>>, tid: Option<u32>) -> Object {
        let mut actor = Object::default();
        match party {
            Some(party) => {
                let mut process = self.process(&party);
                process.put_known("ptid", tid);
                actor.put_known("user", process.take("user"));
                actor.put("process", process);
            }
            None => actor.put("app_name", UNKNOWN),
        }
        actor
    }
}

/// The machine that the stream comes from.
pub(super) fn device(memory: &Memory) -> Object {
    let session = memory.session.as_ref();
    let host = session.map(|session| &*session.host);
    let mut device = Object::default();
    let host = host.filter(|host| !host.is_empty());
    device.put("hostname", host.unwrap_or(UNKNOWN));
    let booted = session.and_then(|session| session.boot_time);
    device.put_known("boot_time", booted.map(milliseconds));
    device.put("type_id", 0);
    device.put("type", UNKNOWN);
    device.put(
        "os",
        json!({"name": "Windows", "type": "Windows", "type_id": 100}),
    );
    device
}

/// As [`file`], if anything is known of it.
pub(super) fn known_file(path: Option<&str>, sha256: Option<&str>) -> Option<Object> {
    path.or(sha256).map(|_| file(path, sha256))
}

/// The file of a program, a library or a driver.
pub(super) fn file(path: Option<&str>, sha256: Option<&str>) -> Object {
    let parts = path.map(File::at);
    let name = parts.map(|parts| parts.name).filter(|it| !it.is_empty());
    let mut file = Object::default();
    file.put("name", name.unwrap_or(UNKNOWN));
    file.put("type_id", 8);
    file.put("type", "Executable File");
    if let Some(parts) = parts {
        file.put("path", parts.path);
        file.put_known("parent_folder", parts.directory);
        file.put_known("ext", parts.extension());
    }
    let hash = |value| json!({"algorithm_id": 3, "algorithm": "SHA-256", "value": value});
    file.put_known("hashes", sha256.map(|value| [hash(value)]));
    file
}

fn user(user: &str) -> Object {
    let mut object = Object::default();
    match Account::of(user) {
        Account::Named { domain, name } => {
            object.put("domain", domain);
            object.put("name", name);
        }
        Account::Sid(sid) => object.put("uid", sid),
    }
    object
}

fn integrity(level: Integrity) -> (u32, String) {
    let (id, name) = match level.0 {
        0x0000 => (1, "Untrusted"),
        0x1000 => (2, "Low"),
        0x2000 => (3, "Medium"),
        0x3000 => (4, "High"),
        0x4000 => (5, "System"),
        0x5000 => (6, "Protected"),
        _ => return (99, level.to_string()),
    };
    (id, name.to_owned())
}

/// The schema's times: milliseconds since 1970.
pub(super) const fn milliseconds(time: Time) -> i64 {
    time.0.saturating_sub(Time::UNIX_EPOCH.0).div_euclid(10_000)
}
