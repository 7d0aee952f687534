//! How `ntwatch` fails: the exit codes, and the one place that prints errors.

use crate::cli::Shape;
use ntwatch_client::Error;
use ntwatch_client::recording::{Place, RecordingError};
use std::fmt::Display;
use std::io;
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
    /// Ctrl+C came before the end.
    Interrupted,
    /// Standard output cannot be written.
    Output(io::Error),
    /// Ctrl+C cannot be caught.
    Signals(ctrlc::Error),
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

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// Says on standard error what failed. A reader that has gone away (`| head`) has all it
    /// wanted.
    pub(crate) fn report(&self) -> ExitCode {
        let code = match self {
            Self::Output(error) | Self::Recording(RecordingError::Write { error, .. })
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                return ExitCode::SUCCESS;
            }
            Self::Recording(error) => {
                let (remedy, code) = match error {
                    RecordingError::Format { .. } => ("; name its format with --format", USAGE),
                    RecordingError::Exists { .. } => ("; --force writes over it", FAILED),
                    RecordingError::Unfinished { .. } => (
                        "; `ntwatch convert` makes a whole recording of it, --force writes over it",
                        FAILED,
                    ),
                    RecordingError::Damaged { place, .. } if *place != Place::Nowhere => {
                        ("; `ntwatch show` shows what stands before it", FAILED)
                    }
                    _ => ("", FAILED),
                };
                eprintln!("ntwatch: {error}{remedy}");
                code
            }
            Self::Interrupted => {
                eprintln!("ntwatch: interrupted; nothing is left of what was written");
                FAILED
            }
            Self::Output(error) => {
                eprintln!("ntwatch: cannot write to standard output: {error}");
                FAILED
            }
            Self::Signals(error) => {
                eprintln!("ntwatch: cannot wait for Ctrl+C: {error}");
                FAILED
            }
            Self::Fields(shape) => {
                eprintln!(
                    "ntwatch: --fields names facts of ntwatch's, and `{shape}` has fields of its \
                     own; use it with pretty, jsonl or csv"
                );
                USAGE
            }
            Self::Client(error) => {
                eprint!("ntwatch: {error}");
                match error {
                    Error::NotMapped { .. } => eprintln!("; `--transport read` does without it"),
                    _ => eprintln!(),
                }
                match error {
                    Error::Filter(_) => USAGE,
                    error if error.is_refusal() => NO_DRIVER,
                    _ => FAILED,
                }
            }
        };
        ExitCode::from(code)
    }
}

/// Says what is wrong and keeps nothing from being done.
pub(crate) fn warn(what: impl Display) {
    eprintln!("ntwatch: {what}");
}
