//! A Sysmon event as it lies in a recording, flat or as EVTX nests it.

use super::field::{Guid, Text};
use serde::Deserialize;

/// The fields of an event that tell of processes. All may be absent; those of other channels
/// bear the same names and mean other things.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    utc_time: Text<'a>,
    #[serde(borrow)]
    process_guid: Text<'a>,
    #[serde(borrow)]
    process_id: Text<'a>,
    #[serde(borrow)]
    image: Text<'a>,
    #[serde(borrow)]
    command_line: Text<'a>,
    #[serde(borrow)]
    user: Text<'a>,
    #[serde(borrow)]
    logon_id: Text<'a>,
    #[serde(borrow)]
    terminal_session_id: Text<'a>,
    #[serde(borrow)]
    integrity_level: Text<'a>,
    #[serde(borrow)]
    parent_process_guid: Text<'a>,
    #[serde(borrow)]
    parent_process_id: Text<'a>,
    #[serde(borrow)]
    parent_image: Text<'a>,
    #[serde(borrow)]
    parent_command_line: Text<'a>,
    #[serde(borrow)]
    parent_user: Text<'a>,
    // Event 10 writes GUID where event 8 writes Guid.
    #[serde(borrow, alias = "SourceProcessGUID")]
    source_process_guid: Text<'a>,
    #[serde(borrow)]
    source_process_id: Text<'a>,
    #[serde(borrow)]
    source_image: Text<'a>,
    #[serde(borrow)]
    source_user: Text<'a>,
    #[serde(borrow, alias = "TargetProcessGUID")]
    target_process_guid: Text<'a>,
    #[serde(borrow)]
    target_process_id: Text<'a>,
    #[serde(borrow)]
    target_image: Text<'a>,
    #[serde(borrow)]
    target_user: Text<'a>,
    #[serde(borrow)]
    image_loaded: Text<'a>,
    #[serde(borrow)]
    new_thread_id: Text<'a>,
    #[serde(borrow)]
    start_address: Text<'a>,
    #[serde(borrow)]
    source_thread_id: Text<'a>,
    #[serde(borrow)]
    granted_access: Text<'a>,
}

/// One line of a collector such as NXLog, or of `evtx_dump`, or one record of an EVTX file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    event: Option<Nested<'a>>,
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow)]
    source_name: Text<'a>,
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow, rename = "EventID")]
    event_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Nested<'a> {
    #[serde(borrow)]
    system: System<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct System<'a> {
    #[serde(borrow)]
    provider: Provider<'a>,
    #[serde(borrow, rename = "EventID")]
    event_id: Text<'a>,
    #[serde(borrow)]
    computer: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Provider<'a> {
    #[serde(borrow, rename = "#attributes")]
    attributes: Attributes<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attributes<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NestedFields<'a> {
    #[serde(borrow)]
    event: EventData<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EventData<'a> {
    #[serde(borrow)]
    event_data: Option<Fields<'a>>,
}

/// A Sysmon event.
#[derive(Debug)]
pub(super) struct SysmonEvent<'a> {
    pub(super) host: String,
    pub(super) id: u64,
    fields: Fields<'a>,
}

/// What an event says of a process other than that it started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mention<'a> {
    /// Unknown where Sysmon did not know the process: it opened a handle to it before it had seen
    /// it start, say.
    pub(super) guid: Option<Guid>,
    /// Known unless a collector has dropped the field.
    pub(super) pid: Option<u32>,
    pub(super) image: Option<&'a str>,
    pub(super) command_line: Option<&'a str>,
    pub(super) user: Option<&'a str>,
}

fn mention<'a>(
    guid: &'a Text<'_>,
    pid: &'a Text<'_>,
    image: &'a Text<'_>,
    user: &'a Text<'_>,
) -> Mention<'a> {
    Mention {
        guid: guid.guid(),
        pid: pid.pid(),
        image: image.known(),
        command_line: None,
        user: user.known(),
    }
}

/// Sysmon's own events, by their provider. The channel may be that of forwarded events.
const PROVIDER: &str = "Microsoft-Windows-Sysmon";

impl<'a> SysmonEvent<'a> {
    /// Reads one JSON object. `None` for an event that is not Sysmon's.
    pub(super) fn parse(json: &'a [u8]) -> serde_json::Result<Option<Self>> {
        let line: Line<'a> = serde_json::from_slice(json)?;
        let nested = line.event.is_some();
        let (source, host, id) = match &line.event {
            Some(event) => {
                let system = &event.system;
                (
                    &system.provider.attributes.name,
                    &system.computer,
                    &system.event_id,
                )
            }
            None if line.source_name.known().is_some() => {
                (&line.source_name, &line.hostname, &line.event_id)
            }
            None => (&line.channel, &line.hostname, &line.event_id),
        };
        if !source
            .known()
            .is_some_and(|source| source.starts_with(PROVIDER))
        {
            return Ok(None);
        }
        let (Some(host), Some(id)) = (host.known(), id.number()) else {
            return Ok(None);
        };
        let fields = if nested {
            serde_json::from_slice::<NestedFields<'a>>(json)?
                .event
                .event_data
                .unwrap_or_default()
        } else {
            serde_json::from_slice(json)?
        };
        Ok(Some(Self {
            host: host.into(),
            id,
            fields,
        }))
    }

    /// When it happened, as NT time.
    pub(super) fn time(&self) -> Option<i64> {
        self.fields.utc_time.time()
    }

    /// The process that an event 1, 5 or 7 is about.
    pub(super) fn process(&self) -> Mention<'_> {
        let f = &self.fields;
        Mention {
            command_line: f.command_line.known(),
            ..mention(&f.process_guid, &f.process_id, &f.image, &f.user)
        }
    }

    /// The process that acts in an event 8 or 10.
    pub(super) fn source(&self) -> Mention<'_> {
        let f = &self.fields;
        let (guid, pid) = (&f.source_process_guid, &f.source_process_id);
        mention(guid, pid, &f.source_image, &f.source_user)
    }

    /// The process that it acts on.
    pub(super) fn target(&self) -> Mention<'_> {
        let f = &self.fields;
        let (guid, pid) = (&f.target_process_guid, &f.target_process_id);
        mention(guid, pid, &f.target_image, &f.target_user)
    }

    /// The parent of an event 1.
    pub(super) fn parent(&self) -> Mention<'_> {
        let f = &self.fields;
        let (guid, pid) = (&f.parent_process_guid, &f.parent_process_id);
        Mention {
            command_line: f.parent_command_line.known(),
            ..mention(guid, pid, &f.parent_image, &f.parent_user)
        }
    }

    /// `LogonId` of an event 1.
    pub(super) fn logon_id(&self) -> Option<u64> {
        self.fields.logon_id.number()
    }

    /// `TerminalSessionId` of an event 1.
    pub(super) fn session(&self) -> Option<u32> {
        self.fields.terminal_session_id.pid()
    }

    /// The RID that stands for `IntegrityLevel` of an event 1.
    pub(super) fn integrity(&self) -> Option<u32> {
        Some(match self.fields.integrity_level.known()? {
            "Untrusted" => 0,
            // An app container's token is of low integrity.
            "Low" | "AppContainer" => 0x1000,
            "Medium" => 0x2000,
            "Medium Plus" => 0x2100,
            "High" => 0x3000,
            "System" => 0x4000,
            "Protected" => 0x5000,
            _ => return None,
        })
    }

    /// `ImageLoaded` of an event 7.
    pub(super) fn image_loaded(&self) -> Option<&str> {
        self.fields.image_loaded.known()
    }

    /// `NewThreadId` of an event 8.
    pub(super) fn new_thread_id(&self) -> Option<u32> {
        self.fields.new_thread_id.pid()
    }

    /// `StartAddress` of an event 8.
    pub(super) fn start_address(&self) -> Option<u64> {
        self.fields.start_address.number()
    }

    /// `SourceThreadId` of an event 10.
    pub(super) fn source_thread_id(&self) -> Option<u32> {
        self.fields.source_thread_id.pid()
    }

    /// `GrantedAccess` of an event 10.
    pub(super) fn granted_access(&self) -> Option<u32> {
        self.fields.granted_access.number()?.try_into().ok()
    }
}
