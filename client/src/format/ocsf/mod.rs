//! Open Cybersecurity Schema Framework.

mod activity;
mod objects;
mod unmapped;

use super::Lines;
use super::lost_message;
use super::memory::{Memory, Party};
use super::object::Object;
use crate::event::{Body, Event, HandleOpen, Hex, ImageLoad, Lost, ProcessStart, Subsystem};
use activity::Activity;
use objects::{file, known_file, milliseconds};
use unmapped::Unmapped;

/// The version of the schema.
const VERSION: &str = "1.8.0";
const NTWATCH: &str = "ntwatch";

/// Open Cybersecurity Schema Framework, version 1.8: a line for each event.
///
/// | ntwatch tells of | class | activity |
/// | --- | --- | --- |
/// | `session` | 1008 Event Log Activity | 6 Start |
/// | `process_running` | 5040 Live Evidence Info | 1 Query |
/// | `process_start` | 1007 Process Activity | 1 Launch |
/// | `process_exit` | 1007 Process Activity | 2 Terminate |
/// | `thread_start`, `remote` | 1007 Process Activity | 4 Inject |
/// | any other `thread_start` | 1007 Process Activity | 99 Other, Start Thread |
/// | `thread_exit` | 1007 Process Activity | 99 Other, Exit Thread |
/// | `image_load` of the kernel | 1002 Kernel Extension Activity | 1 Load |
/// | any other `image_load` | 1005 Module Activity | 1 Load |
/// | `handle_open` of a process | 1007 Process Activity | 3 Open |
/// | `handle_open` of a thread | 1007 Process Activity | 99 Other, Open Thread |
/// | `lost` | 1008 Event Log Activity | 99 Other, Lose Events |
///
/// 1.8 is the latest version that there is an independent checker for. From 1.5 on, running
/// processes are evidence; Process Query is deprecated.
///
/// - `actor` is who acts: the creator of a process or a thread, who opens a handle, the process
///   that maps an image. Windows does not tell who ends a process or a thread: there it is the
///   process itself, as the schema wants. Who loads an image of the kernel is not told either.
/// - `process.uid` is the `ProcessGuid` of [`Sysmon`](super::Sysmon): the same in every stream, and
///   no other process has it.
/// - `created_time`, `cmd_line` and `user` of a process are told once, by its start or that of the
///   stream, and kept for the newest bearer of each pid.
/// - `metadata.event_code` is ntwatch's word, `metadata.sequence` its `seq`.
/// - `module.load_type_id` is 0: Windows tells that an image was mapped, not by whom it was asked.
/// - Where the schema wants a name that is not known, it is `Unknown`.
///
/// **`unmapped`** has every fact that the schema has no attribute for, by its place in the JSON of
/// schema 1; and `time`, which has more digits there.
#[derive(Clone, Debug, Default)]
pub struct Ocsf {
    memory: Memory,
    unmapped: Unmapped,
}

impl Lines for Ocsf {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.memory.learn(event);
        self.line(event).write(out);
    }
}

impl Ocsf {
    fn line(&self, event: &Event) -> Object {
        let mut line = Object::default();
        line.put("time", milliseconds(event.time));
        self.put_metadata(&mut line, event);
        line.put("device", objects::device(&self.memory));
        Activity::of(&event.body).put(&mut line);
        put_severity(&mut line, &event.body);
        match &event.body {
            Body::Session { .. } => line.put("log_name", NTWATCH),
            Body::ProcessRunning(start) => self.put_running(&mut line, start),
            Body::ProcessStart(start) => self.put_start(&mut line, start),
            Body::ProcessExit(exit) => {
                let own = Party::from(&exit.process);
                let mut process = self.process(&own);
                let created = exit.process.create_time.map(milliseconds);
                process.put_known("created_time", created);
                process.put("terminated_time", milliseconds(event.time));
                line.put("process", process);
                line.put("actor", self.actor(Some(own), None));
                line.put("exit_code", exit.exit_status);
            }
            Body::ThreadStart(start) => {
                let creator = &start.creator;
                let actor = self.actor(Some(creator.into()), Some(creator.tid));
                line.put("actor", actor);
                let mut process = self.process(&Party::from(&start.process));
                process.put("ptid", start.thread.tid);
                line.put("process", process);
                if start.remote == Some(true) {
                    line.put("injection_type_id", 1);
                    line.put("injection_type", "Remote Thread");
                }
            }
            Body::ThreadExit(exit) => {
                let own = Party::from(&exit.process);
                let mut process = self.process(&own);
                process.put("ptid", exit.thread.tid);
                line.put("process", process);
                line.put("actor", self.actor(Some(own), Some(exit.thread.tid)));
            }
            Body::ImageLoad(load) => self.put_load(&mut line, load),
            Body::HandleOpen(open) => self.put_open(&mut line, open),
            Body::Lost(lost) => put_lost(&mut line, lost),
        }
        self.unmapped.put(&mut line, event);
        line
    }

    fn put_metadata(&self, line: &mut Object, event: &Event) {
        let version = self.memory.session.as_ref().map(|it| &*it.client_version);
        let mut product = Object::default();
        product.put("name", NTWATCH);
        product.put("vendor_name", NTWATCH);
        product.put_known("version", version);
        line.put("metadata.product", product);
        line.put("metadata.version", VERSION);
        line.put("metadata.event_code", event.body.name());
        line.put("metadata.sequence", event.seq);
    }

    fn put_running(&self, line: &mut Object, start: &ProcessStart) {
        line.put("query_evidence.query_type_id", 10);
        line.put("query_evidence.query_type", "Process");
        line.put("query_evidence.process", self.started(start));
        line.put("query_result_id", 1);
        line.put("query_result", "Exists");
    }

    fn put_start(&self, line: &mut Object, start: &ProcessStart) {
        let creator = start.creator.as_ref();
        let tid = creator.map(|creator| creator.tid);
        line.put("actor", self.actor(creator.map(Party::from), tid));
        line.put("process", self.started(start));
        // How WSL makes processes is not told.
        if start.process.subsystem == Some(Subsystem::Win32) {
            line.put("launch_type_id", 1);
            line.put("launch_type", "Spawn");
        }
        let refused = start.creation_status;
        put_status(line, refused.is_none(), refused);
    }

    fn put_load(&self, line: &mut Object, load: &ImageLoad) {
        let image = &load.image;
        let (path, sha256) = (image.path.as_deref(), image.sha256.as_deref());
        if image.kernel {
            line.put("driver.file", file(path, sha256));
        } else {
            let mut module = Object::default();
            module.put_known("file", known_file(path, sha256));
            module.put("load_type_id", 0);
            module.put_known("base_address", image.base.map(|base| base.to_string()));
            line.put("module", module);
        }
        let process = load.process.as_ref().map(Party::from);
        line.put("actor", self.actor(process, None));
    }

    fn put_open(&self, line: &mut Object, open: &HandleOpen) {
        let source = Party::from(&open.source);
        line.put("actor", self.actor(Some(source), Some(open.source.tid)));
        let mut process = self.process(&Party::from(&open.target));
        process.put_known("ptid", open.target.tid);
        line.put("process", process);
        line.put("requested_permissions", open.access.original);
        line.put_known("actual_permissions", open.access.granted);
        put_status(line, open.access.granted.is_some(), Some(open.status));
    }
}

/// What is lost wants a larger ring or a narrower filter.
fn put_severity(line: &mut Object, body: &Body) {
    let (id, name) = match body {
        Body::Lost(_) => (3, "Medium"),
        _ => (1, "Informational"),
    };
    line.put("severity_id", id);
    line.put("severity", name);
}

/// Has it happened, and with which NTSTATUS?
fn put_status(line: &mut Object, succeeded: bool, status: Option<u32>) {
    let (id, name) = if succeeded {
        (1, "Success")
    } else {
        (2, "Failure")
    };
    line.put("status_id", id);
    line.put("status", name);
    let code = status.map(|status| Hex(status.into()).to_string());
    line.put_known("status_code", code);
}

fn put_lost(line: &mut Object, lost: &Lost) {
    line.put("log_name", NTWATCH);
    line.put("message", lost_message(lost));
    line.put("count", lost.counts.total());
    put_status(line, false, None);
}
