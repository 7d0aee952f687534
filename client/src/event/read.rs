//! Events from JSON, as [`Event`] has written them.

use super::{Body, Counts, Event, KindName, SessionInfo};
use crate::time::Time;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, de};
use std::borrow::Cow;
use std::fmt;

/// Why a line is not an event of schema 1.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON, or a fact is missing or of the wrong type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A kind of event that this version does not know.
    #[error("there is no event {0:?} in schema {schema}", schema = super::SCHEMA)]
    Kind(String),
}

/// What every line has.
#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    time: Time,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Session {
    session: SessionInfo,
}

impl Event {
    /// Reads a line of JSON. What schema 1 has not is passed over, what it has and the line has not
    /// is `None`.
    ///
    /// # Errors
    ///
    /// When it is not an event of [`super::SCHEMA`].
    pub fn from_json(line: &str) -> Result<Self, ReadError> {
        let Head { seq, time, event } = serde_json::from_str(line)?;
        let body = match &*event {
            "session" => {
                let Session { session } = serde_json::from_str(line)?;
                Body::Session { session }
            }
            "process_running" => Body::ProcessRunning(serde_json::from_str(line)?),
            "process_start" => Body::ProcessStart(serde_json::from_str(line)?),
            "process_exit" => Body::ProcessExit(serde_json::from_str(line)?),
            "thread_start" => Body::ThreadStart(serde_json::from_str(line)?),
            "thread_exit" => Body::ThreadExit(serde_json::from_str(line)?),
            "image_load" => Body::ImageLoad(serde_json::from_str(line)?),
            "handle_open" => Body::HandleOpen(serde_json::from_str(line)?),
            "lost" => Body::Lost(serde_json::from_str(line)?),
            _ => return Err(ReadError::Kind(event.into_owned())),
        };
        Ok(Self { seq, time, body })
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName;

        impl<'de> Visitor<'de> for ByName {
            type Value = Counts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("how many events of each kind")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counts, A::Error> {
                let mut counts = Counts::default();
                while let Some((KindName(kind), count)) = map.next_entry()? {
                    let slot = counts.0.get_mut(usize::from(kind));
                    *slot.ok_or_else(|| too_high(kind))? = count;
                }
                Ok(counts)
            }
        }

        fn too_high<E: de::Error>(kind: u16) -> E {
            Error::custom(format_args!("there can be no kind {kind}"))
        }

        deserializer.deserialize_map(ByName)
    }
}
