//! How `ntwatch` fails: the exit codes, and the one place that prints errors.

use crate::cli::Shape;
use ntwatch_client::Error;
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
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
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
