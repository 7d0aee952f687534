//! One line: what a log says of every event, and the event's own data.

use crate::time::Time;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

const CHANNEL: &str = "Microsoft-Windows-Sysmon/Operational";
const PROVIDER: &str = "Microsoft-Windows-Sysmon";

/// An event of Sysmon's.
pub(super) struct Record<'e> {
    id: u32,
    host: Option<&'e str>,
    data: Vec<(&'static str, Cow<'e, str>)>,
}

impl<'e> Record<'e> {
    pub(super) fn new(id: u32, host: Option<&'e str>, time: Time) -> Self {
        let data = Vec::with_capacity(24);
        let mut record = Self { id, host, data };
        record.put("UtcTime", utc_time(time));
        record
    }

    pub(super) fn put(&mut self, name: &'static str, value: impl Into<Cow<'e, str>>) {
        self.data.push((name, value.into()));
    }

    pub(super) fn put_known(&mut self, name: &'static str, value: Option<impl Into<Cow<'e, str>>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("EventID", &self.id)?;
        object.serialize_entry("Channel", CHANNEL)?;
        object.serialize_entry("SourceName", PROVIDER)?;
        object.serialize_entry("Provider_Name", PROVIDER)?;
        if let Some(host) = self.host {
            object.serialize_entry("Hostname", host)?;
            object.serialize_entry("Computer", host)?;
        }
        for (name, value) in &self.data {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// `2020-10-09 22:27:49.175`.
fn utc_time(time: Time) -> String {
    let mut text = time.to_string().replace('T', " ");
    text.truncate("2020-10-09 22:27:49.175".len());
    text
}
