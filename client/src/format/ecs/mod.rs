//! Elastic Common Schema.

mod args;
mod labels;

use super::Lines;
use super::lost_message;
use super::memory::{Memory, Party};
use super::object::Object;
use super::parts::{Account, File};
use crate::event::{
    Body, Event, HandleOpen, ImageLoad, Process, ProcessExit, ProcessStart, Subsystem, ThreadExit,
    ThreadStart,
};
use labels::Labels;
use serde_json::json;
use std::sync::Arc;

/// The version of the schema.
const VERSION: &str = "9.4.0";
/// What the events come from: the agent, the module and the provider.
const NTWATCH: &str = "ntwatch";

/// Elastic Common Schema, version 9.4: a line for each event.
///
/// | ntwatch tells of | `event.category` | `event.type` | `event.action` |
/// | --- | --- | --- | --- |
/// | `session` | `host` | `info` | `session` |
/// | `process_running` | `process` | `info` | `already_running` |
/// | `process_start` | `process` | `start` | `start` |
/// | `process_exit` | `process` | `end` | `end` |
/// | `thread_start`, `remote` | `process` | `change` | `remote_thread` |
/// | any other `thread_start` | `process` | `change` | `thread_start` |
/// | `thread_exit` | `process` | `change` | `thread_exit` |
/// | `image_load` of the kernel | `driver` | `start` | `load` |
/// | any other `image_load` | `library` | `start` | `load` |
/// | `handle_open` | `process` | `access` | `handle_open` |
/// | `lost` | none: `event.kind` is `pipeline_error` | none | `lost` |
///
/// The words are those of Elastic's own endpoint where it has the event, so that rules made for it
/// find theirs. `event.code` is ntwatch's word, `event.sequence` its `seq`.
///
/// - `process` is who acts: who opens a handle, who starts a thread in another process. Whom that
///   befalls has no field in ECS: see labels.
/// - `process.entity_id` is the `ProcessGuid` of [`Sysmon`](super::Sysmon): the same in every stream,
///   and no other process of the machine has it.
/// - `process.start`, `process.command_line`, `user` and `process.parent.user` are told once, by
///   the start of a process or of the stream, and kept for the newest bearer of each pid.
/// - `process.args` is what Microsoft's C runtime makes of the command line; of a process of WSL
///   they are known, and `process.command_line` has spaces between them.
/// - `host.name` is `host.hostname` in lower case.
/// - An image is `dll` and `file`, a driver too.
/// - There is no `event.created`: it would be `@timestamp`.
///
/// **Labels.** Every fact that ECS has no field for is a label by its name in the JSON of schema 1
/// with `_` for `.`, as text: `labels.process_integrity`, `labels.image_base`,
/// `labels.access_granted`. Rights and statuses are `0x…`. Of a remote thread the process that it
/// runs in is `labels.target_…`, as the object of a handle is; both have `labels.target_entity_id`
/// too. Of `lost` each kind's count is a label, such as `labels.lost_handle_open`.
#[derive(Clone, Debug, Default)]
pub struct Ecs {
    memory: Memory,
    labels: Labels,
}

impl Lines for Ecs {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.memory.learn(event);
        self.line(event).write(out);
    }
}

impl Ecs {
    fn line(&self, event: &Event) -> Object {
        let mut line = Object::default();
        line.put("@timestamp", event.time.to_string());
        line.put("ecs.version", VERSION);
        self.put_speaker(&mut line);
        put_class(&mut line, event);
        match &event.body {
            Body::Session { .. } => {}
            Body::ProcessRunning(start) => self.put_start(&mut line, start),
            Body::ProcessStart(start) => {
                put_outcome(&mut line, start.creation_status);
                self.put_start(&mut line, start);
            }
            Body::ProcessExit(exit) => self.put_exit(&mut line, event, exit),
            Body::ThreadStart(start) => self.put_thread_start(&mut line, start),
            Body::ThreadExit(exit) => self.put_thread_exit(&mut line, exit),
            Body::ImageLoad(load) => self.put_load(&mut line, load),
            Body::HandleOpen(open) => self.put_open(&mut line, open),
            Body::Lost(lost) => line.put("error.message", lost_message(lost)),
        }
        self.labels.put(&mut line, event);
        line
    }

    /// The machine and the program that this comes from.
    fn put_speaker(&self, line: &mut Object) {
        line.put("agent.type", NTWATCH);
        line.put(
            "host.os",
            json!({"type": "windows", "family": "windows", "platform": "windows"}),
        );
        if let Some(session) = &self.memory.session {
            line.put("agent.version", &*session.client_version);
            line.put("host.hostname", &*session.host);
            line.put("host.name", session.host.to_lowercase());
        }
    }

    fn put_start(&self, line: &mut Object, start: &ProcessStart) {
        let mut process = self.actor(line, &Party::from(&start.process));
        if let Some(args) = arguments(&start.process) {
            process.put("args_count", args.len());
            process.put("args", args);
        }
        put_sha256(line, &mut process, start.process.sha256.as_ref());
        if let Some(parent) = &start.parent {
            process.put("parent", self.parent(&Party::from(parent)));
        }
        line.put("process", process);
    }

    fn put_exit(&self, line: &mut Object, event: &Event, exit: &ProcessExit) {
        let mut process = self.actor(line, &Party::from(&exit.process));
        let created = exit.process.create_time.map(|time| time.to_string());
        process.put_known("start", created);
        process.put("end", event.time.to_string());
        process.put("exit_code", exit.exit_status);
        line.put("process", process);
    }

    fn put_thread_start(&self, line: &mut Object, start: &ThreadStart) {
        let own = Party::from(&start.process);
        let (actor, tid) = match start.remote {
            Some(true) => (Party::from(&start.creator), start.creator.tid),
            Some(false) | None => (own, start.thread.tid),
        };
        let mut process = self.actor(line, &actor);
        process.put("thread.id", tid);
        line.put("process", process);
        if start.remote == Some(true) {
            line.put_known("labels.target_entity_id", self.memory.guid(&own));
        }
    }

    fn put_thread_exit(&self, line: &mut Object, exit: &ThreadExit) {
        let mut process = self.actor(line, &Party::from(&exit.process));
        process.put("thread.id", exit.thread.tid);
        line.put("process", process);
    }

    fn put_load(&self, line: &mut Object, load: &ImageLoad) {
        if let Some(process) = &load.process {
            let process = self.actor(line, &Party::from(process));
            line.put("process", process);
        }
        let (mut dll, mut file) = (Object::default(), Object::default());
        if let Some(path) = load.image.path.as_deref() {
            let parts = File::at(path);
            for object in [&mut dll, &mut file] {
                object.put("path", parts.path);
                object.put("name", parts.name);
            }
            file.put_known("directory", parts.directory);
            file.put_known("extension", parts.extension());
            file.put_known("drive_letter", parts.drive());
        }
        let sha256 = load.image.sha256.as_ref();
        dll.put_known("hash.sha256", sha256.map(|hash| &**hash));
        put_sha256(line, &mut file, sha256);
        line.put("dll", dll);
        line.put("file", file);
    }

    fn put_open(&self, line: &mut Object, open: &HandleOpen) {
        let failed = open.access.granted.is_none();
        put_outcome(line, failed.then_some(open.status));
        let mut process = self.actor(line, &Party::from(&open.source));
        process.put("thread.id", open.source.tid);
        line.put("process", process);
        let target = self.memory.guid(&Party::from(&open.target));
        line.put_known("labels.target_entity_id", target);
    }

    /// Who acts, and as which user.
    fn actor(&self, line: &mut Object, party: &Party<'_>) -> Object {
        match self.user(party) {
            Some(Account::Named { domain, name }) => {
                line.put("user.domain", domain);
                line.put("user.name", name);
                line.put("related.user", [name]);
            }
            Some(Account::Sid(sid)) => line.put("user.id", sid),
            None => {}
        }
        self.process(party)
    }

    fn parent(&self, party: &Party<'_>) -> Object {
        let mut process = self.process(party);
        match self.user(party) {
            Some(Account::Named { name, .. }) => process.put("user.name", name),
            Some(Account::Sid(sid)) => process.put("user.id", sid),
            None => {}
        }
        process
    }

    fn process(&self, party: &Party<'_>) -> Object {
        let mut process = Object::default();
        process.put("pid", party.pid);
        process.put_known("entity_id", self.memory.guid(party));
        process.put_known("executable", party.image);
        process.put_known("name", party.image.map(|path| File::at(path).name));
        if let Some(known) = self.memory.known(party) {
            process.put_known("start", known.create_time.map(|time| time.to_string()));
            process.put_known("command_line", known.command_line.as_deref());
        }
        process
    }

    fn user(&self, party: &Party<'_>) -> Option<Account<'_>> {
        let user = self.memory.known(party)?.user.as_deref()?;
        Some(Account::of(user))
    }
}

/// What kind of thing happened: the table of [`Ecs`].
fn put_class(line: &mut Object, event: &Event) {
    let word = event.body.name();
    let (dataset, class, action) = match &event.body {
        Body::Session { .. } => ("session", Some(("host", "info")), word),
        Body::ProcessRunning(_) => ("process", Some(("process", "info")), "already_running"),
        Body::ProcessStart(_) => ("process", Some(("process", "start")), "start"),
        Body::ProcessExit(_) => ("process", Some(("process", "end")), "end"),
        Body::ThreadStart(start) if start.remote == Some(true) => {
            ("thread", Some(("process", "change")), "remote_thread")
        }
        Body::ThreadStart(_) | Body::ThreadExit(_) => ("thread", Some(("process", "change")), word),
        Body::ImageLoad(load) if load.image.kernel => ("image", Some(("driver", "start")), "load"),
        Body::ImageLoad(_) => ("image", Some(("library", "start")), "load"),
        Body::HandleOpen(_) => ("handle", Some(("process", "access")), word),
        Body::Lost(_) => ("session", None, word),
    };
    if let Some((category, kind)) = class {
        line.put("event.kind", "event");
        line.put("event.category", [category]);
        line.put("event.type", [kind]);
    } else {
        line.put("event.kind", "pipeline_error");
    }
    line.put("event.action", action);
    line.put("event.code", word);
    line.put("event.dataset", format!("{NTWATCH}.{dataset}"));
    line.put("event.module", NTWATCH);
    line.put("event.provider", NTWATCH);
    line.put("event.sequence", event.seq);
}

/// `failure` is the NTSTATUS of what failed.
fn put_outcome(line: &mut Object, failure: Option<u32>) {
    let outcome = match failure {
        None => "success",
        Some(_) => "failure",
    };
    line.put("event.outcome", outcome);
    let code = failure.map(|status| format!("{status:#x}"));
    line.put_known("error.code", code);
}

fn put_sha256(line: &mut Object, file: &mut Object, hash: Option<&Arc<str>>) {
    if let Some(hash) = hash.map(|hash| &**hash) {
        file.put("hash.sha256", hash);
        line.put("related.hash", [hash]);
    }
}

fn arguments(process: &Process) -> Option<Vec<String>> {
    let line = process.command_line.as_deref()?;
    Some(match process.subsystem {
        Some(Subsystem::Wsl) => line.split_terminator('\0').map(str::to_owned).collect(),
        Some(Subsystem::Win32) | None => args::split(line),
    })
}
