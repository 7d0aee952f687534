//! What a machine has to do to act a recording out: who was there before, then one thing after
//! another.

use std::fmt;

/// A process of the recording. `None` is what the recording does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// The start key that the recording machine gave; unknown for a process that is only ever
    /// spoken of by its pid.
    pub key: Option<u64>,
    /// 100 ns units since 1601, UTC.
    pub create_time: i64,
    /// A DOS path, or a bare name such as `Registry`.
    pub image: Option<String>,
    /// The command line.
    pub command_line: Option<String>,
    /// The parent's pid.
    pub parent_pid: Option<u32>,
    /// The parent, an index into [`Plan::processes`].
    pub parent: Option<usize>,
    /// `DOMAIN\name`.
    pub user: Option<String>,
    /// The token's logon id.
    pub logon_id: Option<u64>,
    /// Terminal Services session.
    pub session: Option<u32>,
    /// The integrity level's RID.
    pub integrity: Option<u32>,
}

/// One thing to do. Processes are indices into [`Plan::processes`]; one that has exited can still
/// act and be acted on, since recordings are not quite in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The process is created, and everybody is told (event 1).
    Start(usize),
    /// The process ends, and everybody is told (event 5).
    Exit(usize),
    /// The recording speaks of a process that cannot have been there before: another had its
    /// pid, or it is only about to start. It is there from now on; nobody is told.
    Appear(usize),
    /// An image is mapped (event 7).
    Load {
        /// Into this process.
        process: usize,
        /// A DOS path.
        path: Option<String>,
    },
    /// A process starts a thread in another (event 8).
    RemoteThread {
        /// The one that starts it.
        source: usize,
        /// The one that it runs in.
        target: usize,
        /// Its id.
        tid: u32,
        /// Where it begins; unknown if the recording does not say.
        start_address: Option<u64>,
    },
    /// A process opens another (event 10).
    Open {
        /// The one that opens.
        source: usize,
        /// The thread that does it.
        tid: Option<u32>,
        /// The one that is opened.
        target: usize,
        /// The rights that the handle gets.
        access: u32,
    },
}

impl Step {
    /// The processes that act and are acted on, where nobody starts or exits.
    pub(super) fn parties(&self) -> impl Iterator<Item = usize> {
        let parties = match *self {
            Step::Load { process, .. } => [Some(process), None],
            Step::RemoteThread { source, target, .. } | Step::Open { source, target, .. } => {
                [Some(source), Some(target)]
            }
            Step::Start(_) | Step::Exit(_) | Step::Appear(_) => [None, None],
        };
        parties.into_iter().flatten()
    }
}

/// What a recording of one host asks of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All processes, in order of first appearance.
    pub processes: Vec<Process>,
    /// Those that exist before the recording begins.
    pub before: Vec<usize>,
    /// What happens, and at what time, as NT time. File order; times may step back.
    pub steps: Vec<(i64, Step)>,
    /// The time of the first event.
    pub begin: i64,
    /// Events that cannot be acted out.
    pub left_out: Vec<LeftOut>,
}

/// Events that cannot be acted out because they lack a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Sysmon's number of the event.
    pub event: u64,
    /// The field, as Sysmon names it.
    pub field: &'static str,
    /// How many of them.
    pub count: u64,
    /// Where the first of them stands.
    pub first: String,
}

impl LeftOut {
    /// Counts one more.
    pub(super) fn count(all: &mut Vec<LeftOut>, event: u64, field: &'static str, place: &str) {
        match all
            .iter_mut()
            .find(|l| (l.event, l.field) == (event, field))
        {
            Some(known) => known.count += 1,
            None => all.push(LeftOut {
                event,
                field,
                count: 1,
                first: place.into(),
            }),
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOut {
            event,
            field,
            count,
            first,
        } = self;
        write!(
            f,
            "left out: {count} events {event} without {field}, the first at {first}"
        )
    }
}
