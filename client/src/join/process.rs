//! Process starts and exits.

use super::{Joiner, text};
use crate::event::{
    ExitedProcess, Hex, Integrity, Process, ProcessExit, ProcessStart, Protection, Subsystem,
};
use crate::time::Time;
use ntwatch_protocol::process::{self, flags, known, subsystem};
use ntwatch_protocol::reader::View;

impl Joiner {
    pub(super) fn process_start(
        &mut self,
        start: &View<'_, process::ProcessStart>,
    ) -> ProcessStart {
        // Shown even for a process that was told of as running: each event comes out once.
        self.newcomers.forget((start.pid, start.key));
        let parent_key = start.known(known::PARENT_KEY, start.parent_key);
        let creator_key = start.known(known::CREATOR_KEY, start.creator_key);
        self.introduce(start.parent_pid, parent_key);
        self.introduce(start.creator_pid, creator_key);
        let of_subsystem = start.flag(flags::SUBSYSTEM_PROCESS);
        let (name, path) = (start.image_name(), start.image_path());
        // The name of a WSL process is its Linux path; any other's may be short or a link.
        let image = if of_subsystem {
            name.or(path)
        } else {
            path.or(name)
        };
        let image = image.and_then(|image| self.names.path(&text(image)));
        self.table.start((start.pid, start.key), image.clone());
        let subsystem = start
            .known(known::SUBSYSTEM, start.subsystem)
            .or((!of_subsystem).then_some(subsystem::WIN32));
        ProcessStart {
            process: Process {
                pid: start.pid,
                key: Hex(start.key),
                create_time: Time::known(start.create_time),
                image,
                image_exact: Some(start.flag(flags::IMAGE_EXACT)),
                command_line: start
                    .command_line()
                    .map(text)
                    .filter(|line| !line.is_empty()),
                session: start.known(known::SESSION_ID, start.session_id),
                user: start.user().and_then(|sid| self.names.user(sid)),
                logon_id: start.known(known::LOGON_ID, Hex(start.logon_id)),
                integrity: start.known(known::INTEGRITY, Integrity(start.integrity)),
                elevated: start.known(known::ELEVATED, start.flag(flags::ELEVATED)),
                // One byte on the wire's four.
                protection: start.known(known::PROTECTION, Protection(start.protection as u8)),
                wow64: start.known(known::WOW64, start.flag(flags::WOW64)),
                subsystem: subsystem.and_then(Subsystem::from_wire),
                sha256: None,
            },
            parent: Some(self.reference(start.parent_pid, parent_key)),
            creator: Some(self.actor(start.creator_pid, start.creator_tid, creator_key)),
            creation_status: start.known(known::CREATION_STATUS, start.creation_status),
        }
    }

    pub(super) fn process_exit(&mut self, exit: &View<'_, process::ProcessExit>) -> ProcessExit {
        self.introduce(exit.pid, Some(exit.key));
        let process = (exit.pid, exit.key);
        let known = self.table.get(process);
        let image = known.and_then(|known| known.image.clone());
        let image = image.or_else(|| self.names.path(&text(exit.image()?)));
        self.table.end(process);
        ProcessExit {
            process: ExitedProcess {
                pid: exit.pid,
                key: Hex(exit.key),
                create_time: Time::known(exit.create_time),
                image,
            },
            exit_status: exit.exit_status,
        }
    }
}
