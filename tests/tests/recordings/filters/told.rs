//! What both a record and a recorded event tell.

use ntwatch_protocol::reader::Record;
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::thread;
use ntwatch_tests::recording::Event;

/// What both a record and a recorded event tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: Kind,
    /// The process that it happens to; `None` where the recording does not have it.
    pub(super) pid: Option<u64>,
    /// Who does it.
    pub(super) by: Option<u64>,
    /// Granted access, or thread id.
    number: u64,
    /// The last part of an image's path.
    pub(super) name: String,
    /// Not in the recording: threads that are not remote and the ends of threads, which Sysmon
    /// does not record, and images of this test.
    pub(super) made_up: bool,
}

/// A driver that is loaded before the replay.
pub(super) const DRIVER: &str = "null.sys";
/// An image that is mapped until the sleeping session's ring is full.
pub(super) const STORM: &str = "storm.dll";

impl Told {
    fn new(kind: Kind, pid: Option<u64>) -> Self {
        Told {
            kind,
            pid,
            by: None,
            number: 0,
            name: String::new(),
            made_up: false,
        }
    }

    pub(super) fn of_record(record: &Record<'_>) -> Self {
        let told = |kind, pid: u32| Told::new(kind, Some(pid.into()));
        match record {
            Record::ProcessStart(start) => Told {
                by: Some(start.parent_pid.into()),
                ..told(Kind::ProcessStart, start.pid)
            },
            Record::ProcessExit(exit) => told(Kind::ProcessExit, exit.pid),
            Record::ThreadStart(start) => Told {
                by: Some(start.creator_pid.into()),
                number: start.tid.into(),
                made_up: !start.flag(thread::flags::REMOTE),
                ..told(Kind::ThreadStart, start.pid)
            },
            Record::ThreadExit(exit) => Told {
                number: exit.tid.into(),
                made_up: true,
                ..told(Kind::ThreadExit, exit.pid)
            },
            Record::ImageLoad(image) => {
                let name = image.name().map(|name| name.to_string());
                let name = file_name(&name.unwrap_or_default());
                Told {
                    made_up: [DRIVER, STORM].contains(&name.as_str()),
                    name,
                    ..told(Kind::ImageLoad, image.pid)
                }
            }
            Record::HandleOpen(open) => Told {
                by: Some(open.source_pid.into()),
                number: open.granted.into(),
                ..told(Kind::HandleOpen, open.target_pid)
            },
            Record::Lost(_) | Record::Unknown(_) => panic!("{record:?}"),
        }
    }

    pub(super) fn of_event(event: &Event) -> Self {
        match event {
            Event::Start {
                process, parent, ..
            } => Told {
                by: parent.pid,
                ..Told::new(Kind::ProcessStart, process.pid)
            },
            Event::Exit { process } => Told::new(Kind::ProcessExit, process.pid),
            Event::Image { process, path } => Told {
                name: file_name(path),
                ..Told::new(Kind::ImageLoad, process.pid)
            },
            Event::RemoteThread {
                source,
                target,
                tid,
                ..
            } => Told {
                by: source.pid,
                number: *tid,
                ..Told::new(Kind::ThreadStart, target.pid)
            },
            Event::Open {
                source,
                target,
                granted,
                ..
            } => Told {
                by: source.pid,
                number: *granted,
                ..Told::new(Kind::HandleOpen, target.pid)
            },
        }
    }

    pub(super) fn is(&self, recorded: &Self) -> bool {
        let pid = recorded.pid.or(self.pid);
        *self
            == Told {
                pid,
                ..recorded.clone()
            }
    }
}

pub(super) fn file_name(path: &str) -> String {
    path.rsplit('\\').next().unwrap_or(path).to_lowercase()
}
