//! How `ntwatch` fails: the exit codes, and the one place that prints errors.

use crate::cli::Shape;
#[cfg(windows)]
use crate::service::ServiceError;
use ntwatch_client::Error;
use ntwatch_client::recording::{Place, RecordingError};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Events were lost, and `--fail-on-loss` was given.
pub(crate) const EVENTS_LOST: u8 = 4;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NO_DRIVER: u8 = 3;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library says why.
    Client(Error),
    /// A recording cannot be read or written.
    Recording(RecordingError),
    /// The service is not as it is told to be.
    #[cfg(windows)]
    Service(ServiceError),
    /// Ctrl+C came before the end.
    Interrupted,
    /// Standard output cannot be written.
    Output(io::Error),
    /// Ctrl+C cannot be caught.
    Signals(io::Error),
    /// `--fields` for a format whose fields are not ntwatch's.
    Fields(Shape),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        Self::Recording(error)
    }
}

#[cfg(windows)]
impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// A reader that has gone away (`| head`) has all it wanted.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(
            self,
            Self::Output(error) | Self::Recording(RecordingError::Write { error, .. })
                if error.kind() == io::ErrorKind::BrokenPipe
        )
    }

    /// Says on standard error what failed.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_closed_pipe() {
            return ExitCode::SUCCESS;
        }
        let (what, code) = match self {
            Self::Client(error) => of_client(error),
            Self::Recording(error) => of_recording(error),
            #[cfg(windows)]
            Self::Service(error) => {
                let code = if error.is_refusal() {
                    NO_DRIVER
                } else {
                    FAILED
                };
                (error.to_string(), code)
            }
            Self::Interrupted => ("interrupted; no recording was made".into(), FAILED),
            Self::Output(error) => (format!("cannot write to standard output: {error}"), FAILED),
            Self::Signals(error) => (format!("cannot wait for Ctrl+C: {error}"), FAILED),
            Self::Fields(shape) => (
                format!(
                    "--fields names facts of ntwatch's, and `{shape}` has fields of its own; use \
                     it with pretty, jsonl or csv"
                ),
                USAGE,
            ),
        };
        warn(what);
        ExitCode::from(code)
    }
}

fn of_client(error: &Error) -> (String, u8) {
    let remedy = match error {
        Error::NotMapped { .. } => "; `--transport read` does without it",
        _ => "",
    };
    let code = match error {
        Error::Filter(_) => USAGE,
        error if error.is_refusal() => NO_DRIVER,
        _ => FAILED,
    };
    (format!("{error}{remedy}"), code)
}

fn of_recording(error: &RecordingError) -> (String, u8) {
    let (remedy, code) = match error {
        RecordingError::Format { .. } => (
            "; name its format, with --from if it is read and with --format if it is written",
            USAGE,
        ),
        RecordingError::Itself { .. } => ("; name another file to be written", USAGE),
        RecordingError::Rotation { .. } => ("; name a file, or leave --rotate out", USAGE),
        RecordingError::Exists { .. } => ("; --force writes over it", FAILED),
        RecordingError::Unfinished { .. } => (
            "; `ntwatch convert` makes a whole recording of it under another name, --force writes \
             over it",
            FAILED,
        ),
        RecordingError::Damaged { place, .. } if *place != Place::Nowhere => {
            ("; what stands before it can be shown", FAILED)
        }
        _ => ("", FAILED),
    };
    (format!("{error}{remedy}"), code)
}

/// Says what is wrong and keeps nothing from being done.
pub(crate) fn warn(what: impl Display) {
    say(format_args!("ntwatch: {what}\n"));
}

/// Puts something on standard error. Nothing is wrong if nobody listens there any more.
pub(crate) fn say(what: impl Display) {
    let _ = write!(io::stderr(), "{what}");
}
