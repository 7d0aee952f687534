//! A machine behind a Unix socket, in the lab's protocol.

use crate::common::machine::{AtEnd, Machine, STATUS_CANCELLED, STATUS_PENDING};
use crate::common::records::{MIDNIGHT, Start};
use crate::common::sections::Sections;
use ntwatch_lab_link::{
    Answer, Host, LinkError, Process, Query, Reply, Request, Volume, decode, receive, send,
    send_with_file,
};
use std::os::unix::net::{UnixListener, UnixStream};

const STATUS_NOT_ALL_ASSIGNED: u32 = 0x106;

/// Serves one connection, on a thread of its own.
pub(crate) struct Server {
    dir: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(machine: Machine) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("n.sock")).unwrap();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            // Whatever it fails with, the client has gone.
            let _ = serve(&stream, machine);
        });
        Self { dir }
    }

    /// What to pass as `--device`.
    pub(crate) fn device(&self) -> String {
        format!("unix:{}", self.dir.path().join("n.sock").display())
    }
}

fn serve(stream: &UnixStream, mut machine: Machine) -> Result<(), LinkError> {
    let mut frame = Vec::new();
    let complete = |tag, status, output: &[u8]| {
        let information = output.len() as u64;
        send(
            stream,
            &Reply::Completed {
                tag,
                status,
                information,
                output,
            },
        )
    };
    let mut sections = Sections::default();
    let (mut reads_pended, mut snapshots) = (0, 0);
    while receive(stream, &mut frame)? {
        match decode(&frame)? {
            Request::Open { .. } => complete(0, machine.open_status, &[])?,
            Request::Control {
                tag,
                code,
                input,
                output_len,
            } => {
                let output_len = output_len as usize;
                let (status, output) = sections.control(&mut machine, code, input, output_len);
                if status == STATUS_PENDING {
                    reads_pended += 1;
                } else {
                    complete(tag, status, &output)?;
                }
            }
            // Only a read that pends is still there to be cancelled.
            Request::Cancel { tag } => complete(tag, STATUS_CANCELLED, &[])?,
            Request::Query { tag, query } => {
                snapshots += u32::from(query == Query::Processes);
                let (answer, file) = match sections.answer(&query) {
                    Some(answer) => answer,
                    None => (answer(&machine, query), None),
                };
                let reply = Reply::Answer { tag, answer };
                match file {
                    Some(file) => send_with_file(stream, &reply, file)?,
                    None => send(stream, &reply)?,
                }
            }
        }
        let has_all = reads_pended > 0 || sections.is_mapped();
        if machine.at_end == AtEnd::Die && has_all && snapshots == 2 {
            break;
        }
    }
    Ok(())
}

fn answer(machine: &Machine, query: Query) -> Answer {
    let process = |pid, key, image: &str| Process {
        pid,
        key,
        image: Some(image.encode_utf16().collect()),
        ..Process::default()
    };
    match query {
        Query::Processes => Answer::Processes(vec![process(4, 1, "System")]),
        Query::Process(pid) => {
            let Start {
                pid: target,
                key,
                path,
                ..
            } = Start::default();
            // As Windows does, which leaves out the low two bits.
            let found = pid / 4 == target / 4 && machine.has_target();
            Answer::Process(found.then(|| process(target, key, path.unwrap())))
        }
        Query::EnablePrivilege(name) => {
            assert_eq!(name, "SeDebugPrivilege");
            Answer::Status(if machine.privileged {
                0
            } else {
                STATUS_NOT_ALL_ASSIGNED
            })
        }
        Query::Volumes => Answer::Volumes(vec![Volume {
            drive: "C:".into(),
            device: r"\Device\HarddiskVolume3".into(),
        }]),
        Query::Host => Answer::Host(Host {
            name: "WORKSTATION5".into(),
            boot_time: MIDNIGHT - 1,
            now: MIDNIGHT,
        }),
        Query::Account(_) => Answer::Account(None),
        Query::CreateEvent
        | Query::MapView { .. }
        | Query::DuplicateHandle { .. }
        | Query::CloseHandle(_) => unreachable!("these are about sections and events"),
    }
}
