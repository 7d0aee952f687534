//! Why a recording cannot be played.

use std::io;
use std::path::PathBuf;

/// Each names the file, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file cannot be opened or read.
    #[error("cannot read the recording {}: {source}; check the path and its permissions", .path.display())]
    Read {
        /// The recording.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is of a kind that is no recording.
    #[error(
        "{} is not a recording: {reason}; give a Sysmon log as .evtx, as JSON lines, or a .zip of these",
        .path.display()
    )]
    Format {
        /// The file, and the member if it is an archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is cut off or damaged.
    #[error(
        "the recording {} cannot be read further at {place}: {reason}; \
         it is truncated or damaged, fetch or export it again",
        .path.display()
    )]
    Damaged {
        /// The file, and the member if it is an archive.
        path: PathBuf,
        /// A line, a record or a chunk.
        place: String,
        /// What is wrong there.
        reason: String,
    },
    /// A line that is longer than any event.
    #[error(
        "the recording {} has a line {line} of more than {limit} bytes, which no event has; \
         give JSON lines, one event in each",
        .path.display()
    )]
    LongLine {
        /// The file, and the member if it is an archive.
        path: PathBuf,
        /// Its number.
        line: u64,
        /// How many bytes are taken.
        limit: u64,
    },
    /// More than is taken at once.
    #[error(
        "the recording {} has more than {limit} bytes, unpacked; \
         export a shorter time, or give it as JSON lines outside of an archive",
        .path.display()
    )]
    TooLarge {
        /// The file, and the member if it is an archive.
        path: PathBuf,
        /// How many bytes are taken.
        limit: u64,
    },
    /// A process event lacks what makes it one.
    #[error(
        "the recording {} has a process event without {field} at {place}; \
         without it nothing can be replayed: leave the record out or export it again in full",
        .path.display()
    )]
    Incomplete {
        /// The file, and the member if it is an archive.
        path: PathBuf,
        /// A line or a record.
        place: String,
        /// The field, as Sysmon names it.
        field: &'static str,
    },
    /// No Sysmon event in it.
    #[error(
        "the recording {} has no Sysmon events; give a log of Microsoft-Windows-Sysmon/Operational",
        .path.display()
    )]
    Empty {
        /// The recording.
        path: PathBuf,
    },
    /// Several hosts, and none was chosen.
    #[error("the recording {} is of several hosts; choose one with --host: {hosts}", .path.display())]
    SeveralHosts {
        /// The recording.
        path: PathBuf,
        /// Their names, in order of appearance.
        hosts: String,
    },
    /// The chosen host is not in it.
    #[error(
        "the recording {} has no host {host}; choose one of these with --host: {hosts}",
        .path.display()
    )]
    NoSuchHost {
        /// The recording.
        path: PathBuf,
        /// What was asked for.
        host: String,
        /// The names there are.
        hosts: String,
    },
}
