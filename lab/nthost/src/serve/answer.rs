//! What Windows tells any process, driver or not.

use super::{Shared, objects};
use crate::io::Client;
use crate::ps::Process;
use crate::se::Sid;
use crate::source::volume;
use ntwatch_lab_link::{self as link, Answer, Query, Volume};
use std::os::fd::OwnedFd;

/// The answer to a client, and the file that it carries.
pub(super) fn answer(shared: &Shared, client: &Client, query: Query) -> (Answer, Option<OwnedFd>) {
    let Shared { kernel, host, .. } = shared;
    let answer = match query {
        Query::Processes => {
            let running = kernel.ps.running();
            Answer::Processes(running.iter().map(|process| snapshot(process)).collect())
        }
        Query::Process(pid) => {
            let process = kernel.ps.find(pid);
            Answer::Process(process.map(|process| snapshot(&process)))
        }
        Query::EnablePrivilege(name) => Answer::Status(client.process().token.enable(&name) as u32),
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
        Query::CreateEvent => return objects::create_event(client),
        Query::MapView { handle, write } => return objects::map_view(client, handle, write),
        Query::DuplicateHandle { handle, access } => objects::duplicate(client, handle, access),
        Query::CloseHandle(handle) => Answer::Status(client.close_handle(handle as usize) as u32),
    };
    (answer, None)
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
