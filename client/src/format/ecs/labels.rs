//! Facts that ECS has no field for.

use crate::event::{Body, Event, Hex};
use crate::field::{Field, Value};
use crate::format::object::Object;

/// The facts that have a field.
const PLACED: [&str; 23] = [
    "seq",
    "time",
    "event",
    "session.host",
    "session.client_version",
    "process.pid",
    "process.key",
    "process.create_time",
    "process.image",
    "process.command_line",
    "process.user",
    "process.sha256",
    "parent.pid",
    "parent.key",
    "parent.image",
    "thread.tid",
    "image.path",
    "image.sha256",
    "source.pid",
    "source.tid",
    "source.key",
    "source.image",
    "lost",
];

/// Of a thread in another process: where it runs, named as the object of a handle is.
const TARGET: [(&str, &str); 4] = [
    ("process.pid", "labels.target_pid"),
    ("process.key", "labels.target_key"),
    ("process.image", "labels.target_image"),
    ("thread.tid", "labels.target_tid"),
];

/// Rights and statuses, which nobody knows by their decimals.
const BITS: [&str; 7] = [
    "creation_status",
    "exit_status",
    "access.desired",
    "access.original",
    "access.granted",
    "access.stripped",
    "status",
];

/// Facts, with the places of their labels.
#[derive(Clone, Debug)]
pub(super) struct Labels(Vec<(&'static Field, String)>);

impl Default for Labels {
    fn default() -> Self {
        let unplaced = Field::all()
            .iter()
            .filter(|field| !PLACED.contains(&field.name));
        let place = |field: &Field| format!("labels.{}", field.name.replace('.', "_"));
        Self(unplaced.map(|field| (field, place(field))).collect())
    }
}

impl Labels {
    pub(super) fn put(&self, line: &mut Object, event: &Event) {
        let is_remote = matches!(&event.body, Body::ThreadStart(it) if it.remote == Some(true));
        for (field, place) in &self.0 {
            // Who starts a thread in another process is the line's process.
            if !(is_remote && field.name.starts_with("creator.")) {
                line.put_known(place, text(field, event));
            }
        }
        if is_remote {
            for (name, place) in TARGET {
                let fact = Field::named(name).and_then(|field| text(field, event));
                line.put_known(place, fact);
            }
        }
        if let Body::Lost(lost) = &event.body {
            for (kind, count) in lost.counts.iter() {
                line.put(&format!("labels.lost_{kind}"), count.to_string());
            }
        }
    }
}

fn text(field: &Field, event: &Event) -> Option<String> {
    Some(match field.of(event)? {
        Value::Number(bits) if BITS.contains(&field.name) => Hex(bits).to_string(),
        fact => fact.to_string(),
    })
}
