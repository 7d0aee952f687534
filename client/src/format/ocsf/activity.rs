//! What kind of thing happened: the table of the format's documentation.

use crate::event::{Body, TargetType};
use crate::format::object::Object;

/// An activity of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    class: Class,
    id: u32,
    name: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Class {
    uid: u32,
    name: &'static str,
}

const KERNEL_EXTENSION: Class = Class {
    uid: 1002,
    name: "Kernel Extension Activity",
};
const MODULE: Class = Class {
    uid: 1005,
    name: "Module Activity",
};
const PROCESS: Class = Class {
    uid: 1007,
    name: "Process Activity",
};
const EVENT_LOG: Class = Class {
    uid: 1008,
    name: "Event Log Activity",
};
const EVIDENCE: Class = Class {
    uid: 5040,
    name: "Live Evidence Info",
};

/// The activity that a class has no number for.
const OTHER: u32 = 99;

impl Activity {
    pub(super) fn of(body: &Body) -> Self {
        let (class, id, name) = match body {
            Body::Session { .. } => (EVENT_LOG, 6, "Start"),
            Body::ProcessRunning(_) => (EVIDENCE, 1, "Query"),
            Body::ProcessStart(_) => (PROCESS, 1, "Launch"),
            Body::ProcessExit(_) => (PROCESS, 2, "Terminate"),
            Body::ThreadStart(start) if start.remote == Some(true) => (PROCESS, 4, "Inject"),
            Body::ThreadStart(_) => (PROCESS, OTHER, "Start Thread"),
            Body::ThreadExit(_) => (PROCESS, OTHER, "Exit Thread"),
            Body::ImageLoad(load) if load.image.kernel => (KERNEL_EXTENSION, 1, "Load"),
            Body::ImageLoad(_) => (MODULE, 1, "Load"),
            Body::HandleOpen(open) => match open.target.kind {
                TargetType::Process => (PROCESS, 3, "Open"),
                TargetType::Thread => (PROCESS, OTHER, "Open Thread"),
            },
            Body::Lost(_) => (EVENT_LOG, OTHER, "Lose Events"),
        };
        Self { class, id, name }
    }

    pub(super) fn put(self, line: &mut Object) {
        let Self { class, id, name } = self;
        let category = class.uid / 1000;
        line.put("category_uid", category);
        line.put(
            "category_name",
            match category {
                1 => "System Activity",
                _ => "Discovery",
            },
        );
        line.put("class_uid", class.uid);
        line.put("class_name", class.name);
        line.put("activity_id", id);
        line.put("activity_name", name);
        line.put("type_uid", class.uid * 100 + id);
        let known = if id == OTHER { "Other" } else { name };
        line.put("type_name", format!("{}: {known}", class.name));
    }
}
