//! Recordings of Sysmon, as a machine that acts them out.
//!
//! A recording tells of processes by GUID; pids are reused in it, starts and exits are missing
//! from it. What it says happens here in file order, each start once and each exit once:
//!
//! - A process that is spoken of but not started exists before the recording begins.
//! - A pid that is started again while the model thinks its bearer alive, because the exit was
//!   not recorded: the old bearer is gone from then on, and nobody is told of an exit.
//! - A process that does something or that something is done to before its start is there from
//!   then on, and told of when it starts; one that does so after its exit does it all the same.
//!
//! Facts that the recording does not have stay unknown. What the kernel has to make up, such as
//! the first thread of each process that starts, is counted and said at the end. [`Plan`] is what
//! is to be done.

mod cast;
mod error;
mod event;
mod field;
mod gather;
mod plan;
mod play;
mod read;
mod settle;

pub use error::ReplayError;
pub use plan::{LeftOut, Plan, Process, Step};
pub use play::{Player, Speed};

use gather::Planner;
use read::Limits;
use std::path::Path;

/// A recording of one host, read whole: what is wrong with a file shows before anything runs.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The host's name, as recorded.
    pub host: String,
    /// What happens.
    pub plan: Plan,
}

impl Recording {
    /// Reads an EVTX file, JSON lines, or a zip archive of these. `host` chooses one of several,
    /// in any case.
    ///
    /// # Errors
    /// When the file cannot be read to its end or is too large, has no Sysmon events, or is of
    /// several hosts and none was chosen.
    pub fn open(path: &Path, host: Option<&str>) -> Result<Recording, ReplayError> {
        Recording::open_within(Limits::USUAL, path, host)
    }

    fn open_within(
        limits: Limits,
        path: &Path,
        host: Option<&str>,
    ) -> Result<Recording, ReplayError> {
        let mut hosts: Vec<String> = Vec::new();
        let mut planner = Planner::default();
        read::read(path, limits, &mut |event, place| {
            if !hosts.iter().any(|h| h.eq_ignore_ascii_case(&event.host)) {
                hosts.push(event.host.clone());
            }
            let chosen = host.unwrap_or(&hosts[0]);
            if event.host.eq_ignore_ascii_case(chosen) {
                planner.take(event, place)?;
            }
            Ok(())
        })?;
        let path = path.to_path_buf();
        let names = hosts.join(", ");
        let found = match host {
            Some(host) => match hosts.iter().find(|h| h.eq_ignore_ascii_case(host)) {
                Some(found) => found,
                None if hosts.is_empty() => return Err(ReplayError::Empty { path }),
                None => {
                    let host = host.into();
                    return Err(ReplayError::NoSuchHost {
                        path,
                        host,
                        hosts: names,
                    });
                }
            },
            None => match &hosts[..] {
                [] => return Err(ReplayError::Empty { path }),
                [only] => only,
                _ => return Err(ReplayError::SeveralHosts { path, hosts: names }),
            },
        };
        Ok(Recording {
            host: found.clone(),
            plan: planner.finish()?,
        })
    }
}

#[cfg(test)]
mod tests;
