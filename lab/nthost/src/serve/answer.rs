//! What Windows tells any process, driver or not.

use crate::Kernel;
use crate::ps::Process;
use crate::se::{Sid, Token};
use crate::source::{Host, volume};
use ntwatch_lab_link::{self as link, Answer, Query, Volume};
use ntwatch_protocol::ioctl::STATUS_NOT_SUPPORTED;

/// The answer to a process of the machine that has this token.
pub(super) fn answer(kernel: &Kernel, host: &Host, token: &Token, query: Query) -> Answer {
    match query {
        Query::Processes => {
            let running = kernel.ps.running();
            Answer::Processes(running.iter().map(|process| snapshot(process)).collect())
        }
        Query::Process(pid) => {
            let process = kernel.ps.find(pid);
            Answer::Process(process.map(|process| snapshot(&process)))
        }
        Query::EnablePrivilege(name) => Answer::Status(token.enable(&name) as u32),
        Query::Volumes => Answer::Volumes(volumes()),
        Query::Host => Answer::Host(link::Host {
            name: host.name.clone(),
            boot_time: host.boot_time,
            now: kernel.clock.now(),
        }),
        Query::Account(sid) => {
            let sid = Sid::read(&sid);
            Answer::Account(sid.and_then(|sid| kernel.ps.accounts.name_of(&sid)))
        }
        Query::CreateEvent
        | Query::MapView { .. }
        | Query::DuplicateHandle { .. }
        | Query::CloseHandle(_) => Answer::Status(STATUS_NOT_SUPPORTED),
    }
}

fn snapshot(process: &Process) -> link::Process {
    let token = &process.token;
    link::Process {
        pid: process.id,
        key: process.key,
        create_time: Some(process.create_time),
        parent_pid: process.parent.map(|parent| parent.id),
        parent_key: process.parent.and_then(|parent| parent.key),
        image: process
            .image_path
            .clone()
            .or_else(|| process.image_name.clone()),
        command_line: process.command_line.clone(),
        session_id: token.session,
        user: token.user.as_ref().map(|user| user.as_bytes().to_vec()),
        logon_id: token.logon_id,
        integrity: token.integrity,
        elevated: token.elevated,
        protection: process.protection,
        wow64: process.wow64,
        subsystem: Some(u32::from(process.wsl)),
    }
}

/// Every letter stands for a drive: which of them a recording uses shows only as it plays.
fn volumes() -> Vec<Volume> {
    let volume = |drive| Volume {
        drive: format!("{drive}:"),
        device: volume::device(drive),
    };
    ('A'..='Z').map(volume).collect()
}
