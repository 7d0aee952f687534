//! Facts that OCSF has no attribute for.

use crate::event::{Body, Event};
use crate::field::Field;
use crate::format::object::Object;

/// The facts that have an attribute.
const MAPPED: [&str; 38] = [
    "seq",
    "event",
    "session.boot_time",
    "session.host",
    "session.client_version",
    "process.pid",
    "process.key",
    "process.create_time",
    "process.image",
    "process.command_line",
    "process.user",
    "process.logon_id",
    "process.integrity",
    "process.sha256",
    "parent.pid",
    "parent.key",
    "parent.image",
    "thread.tid",
    "creator.pid",
    "creator.tid",
    "creator.key",
    "creator.image",
    "creation_status",
    "exit_status",
    "image.path",
    "image.base",
    "image.sha256",
    "source.pid",
    "source.tid",
    "source.key",
    "source.image",
    "target.pid",
    "target.tid",
    "target.key",
    "target.image",
    "access.original",
    "access.granted",
    "status",
];

/// Those of them that have none in such an event.
const fn also_unmapped(body: &Body) -> &'static [&'static str] {
    match body {
        Body::ThreadExit(_) => &[
            "creator.pid",
            "creator.tid",
            "creator.key",
            "creator.image",
            "exit_status",
        ],
        Body::ImageLoad(load) if load.image.kernel => &["image.base"],
        _ => &[],
    }
}

/// Facts, with their places.
#[derive(Clone, Debug)]
pub(super) struct Unmapped(Vec<(&'static Field, String)>);

impl Default for Unmapped {
    fn default() -> Self {
        let unmapped = Field::all()
            .iter()
            .filter(|field| !MAPPED.contains(&field.name));
        Self(unmapped.map(|field| (field, place(field))).collect())
    }
}

impl Unmapped {
    pub(super) fn put(&self, line: &mut Object, event: &Event) {
        let json = |field: &Field| field.of(event).map(|fact| fact.to_json());
        for (field, place) in &self.0 {
            line.put_known(place, json(field));
        }
        for name in also_unmapped(&event.body) {
            if let Some(field) = Field::named(name) {
                line.put_known(&place(field), json(field));
            }
        }
    }
}

fn place(field: &Field) -> String {
    format!("unmapped.{}", field.name)
}
