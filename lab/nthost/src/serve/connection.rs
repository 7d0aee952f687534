//! One connection: one process of the machine, with one handle.

use super::{Shared, answer};
use crate::io::{Client, Completion, FileHandle, Ticket};
use crate::ob::ObjectRef;
use crate::ps::Process;
use ntwatch_lab_link::{
    Answer, LinkError, MAX_FRAME, Reply, Request, decode, receive, send, send_with_file,
};
use ntwatch_protocol::ioctl::CONFIGURE;
use std::collections::HashMap;
use std::io::BufWriter;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};

/// The longest output buffer, in bytes: with what surrounds it, a reply fits a frame.
const MAX_OUTPUT: usize = MAX_FRAME - 64;

/// A reply on its way to the client.
enum Outgoing {
    Completed(u32, Completion),
    /// With the file that it carries.
    Answer(u32, Answer, Option<OwnedFd>),
}

/// Where replies go, from whatever thread.
#[derive(Clone)]
struct Replies {
    shared: Arc<Shared>,
    to_writer: Sender<Outgoing>,
}

impl Replies {
    fn send(&self, reply: Outgoing) {
        self.shared.unsent.fetch_add(1, Ordering::Relaxed);
        // The writer outlives all senders.
        let _ = self.to_writer.send(reply);
    }
}

/// Serves the client until it closes the socket or breaks the protocol: both are the death of
/// its process.
pub(super) fn serve(shared: &Arc<Shared>, stream: &UnixStream) {
    let process = shared.kernel.ps.create_process_from(shared.client.clone());
    serve_process(shared, stream, process);
}

/// As [`serve`], for the client that is this process.
pub(super) fn serve_process(
    shared: &Arc<Shared>,
    stream: &UnixStream,
    process: ObjectRef<Process>,
) {
    let (to_writer, to_write) = channel();
    let replies = Replies {
        shared: Arc::clone(shared),
        to_writer,
    };
    thread::scope(|scope| {
        scope.spawn(|| write_replies(shared, stream, to_write));
        let mut connection = Connection {
            shared,
            client: Client::new(&shared.kernel, process),
            handle: None,
            requests: HashMap::new(),
            replies,
        };
        let mut frame = Vec::new();
        while let Ok(true) = receive(stream, &mut frame) {
            if let Err(e) = connection.take(&frame) {
                shared
                    .kernel
                    .log
                    .print(&format!("a client was cut off: {e}\n"));
                break;
            }
        }
        // Its requests end and its handle closes; the last sender goes with it.
        drop(connection);
    });
}

/// The only writer. A client that is gone still has its completions taken off here.
fn write_replies(shared: &Shared, stream: &UnixStream, replies: Receiver<Outgoing>) {
    let mut to = BufWriter::new(stream);
    let mut alive = true;
    for outgoing in replies {
        let file = match &outgoing {
            Outgoing::Answer(_, _, file) => file.as_ref(),
            Outgoing::Completed(..) => None,
        };
        let reply = match &outgoing {
            Outgoing::Completed(tag, completion) => Reply::Completed {
                tag: *tag,
                status: completion.status as u32,
                information: completion.information as u64,
                output: &completion.output,
            },
            Outgoing::Answer(tag, answer, _) => Reply::Answer {
                tag: *tag,
                answer: answer.clone(),
            },
        };
        alive = alive
            && match file {
                // Nothing is in the buffer now that it could overtake.
                Some(file) => send_with_file(stream, &reply, file).is_ok(),
                None => send(&mut to, &reply).is_ok() && to.flush().is_ok(),
            };
        shared.unsent.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    client: Client,
    handle: Option<Arc<FileHandle>>,
    /// Requests that may be cancelled, by tag.
    requests: HashMap<u32, Ticket>,
    replies: Replies,
}

impl Connection<'_> {
    fn take(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        match decode(frame)? {
            Request::Open { name, access } => {
                let status = self.open(name, access);
                self.complete(0, status);
            }
            Request::Control {
                tag, output_len, ..
            } if output_len as usize > MAX_OUTPUT => {
                self.complete(tag, STATUS_INSUFFICIENT_RESOURCES);
            }
            Request::Control {
                tag,
                code,
                input,
                output_len,
            } => {
                self.control(tag, code, input, output_len as usize);
            }
            Request::Cancel { tag } => {
                if let Some(request) = self.requests.get(&tag) {
                    request.cancel();
                }
            }
            Request::Query { tag, query } => {
                let (answer, file) = answer::answer(self.shared, &self.client, query);
                self.replies.send(Outgoing::Answer(tag, answer, file));
            }
        }
        Ok(())
    }

    fn open(&mut self, name: &str, access: u32) -> NTSTATUS {
        let Some(name) = name.strip_prefix(r"\\.\") else {
            return STATUS_INVALID_PARAMETER;
        };
        match self.client.open(&format!(r"\??\{name}"), access) {
            Ok(handle) => {
                self.handle = Some(handle);
                STATUS_SUCCESS
            }
            Err(status) => status,
        }
    }

    fn control(&mut self, tag: u32, code: u32, input: &[u8], output_len: usize) {
        let Some(handle) = self.handle.clone() else {
            return self.complete(tag, STATUS_INVALID_HANDLE);
        };
        if code == CONFIGURE {
            // Known as a session before the client knows, so that what comes next is counted.
            let completion = handle.ioctl(code, input, output_len);
            if completion.status >= 0 {
                self.shared.sessions.configured(&handle);
            }
            self.replies.send(Outgoing::Completed(tag, completion));
            return;
        }
        let replies = self.replies.clone();
        let on_complete = move |completion| {
            replies.send(Outgoing::Completed(tag, completion));
        };
        match handle.submit_with(code, input, output_len, on_complete) {
            Ok(request) => {
                self.requests.retain(|_, request| !request.is_complete());
                self.requests.insert(tag, request);
            }
            Err(status) => self.complete(tag, status),
        }
    }

    fn complete(&self, tag: u32, status: NTSTATUS) {
        let completion = Completion {
            status,
            information: 0,
            output: Vec::new(),
        };
        self.replies.send(Outgoing::Completed(tag, completion));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::se::Token;
    use crate::serve::tests::machine;
    use ntwatch_lab_link::Query;
    use windows_sys::Win32::Foundation::STATUS_NOT_ALL_ASSIGNED;

    #[test]
    fn an_output_buffer_that_no_frame_can_bring_back_is_refused() {
        let (client, server) = UnixStream::pair().unwrap();
        let longest = MAX_OUTPUT as u32;
        let asked = [longest, longest + 1, u32::MAX];
        for (tag, output_len) in (1..).zip(asked) {
            let (code, input) = (CONFIGURE, [].as_slice());
            let request = Request::Control {
                tag,
                code,
                input,
                output_len,
            };
            send(&client, &request).unwrap();
        }
        client.shutdown(std::net::Shutdown::Write).unwrap();
        serve(&machine(Token::administrator()), &server);
        let mut frame = Vec::new();
        let statuses = asked.map(|_| {
            assert!(receive(&client, &mut frame).unwrap());
            match decode(&frame).unwrap() {
                Reply::Completed { status, .. } => status as NTSTATUS,
                Reply::Answer { .. } => panic!("no question was asked"),
            }
        });
        let refused = STATUS_INSUFFICIENT_RESOURCES;
        assert_eq!(statuses, [STATUS_INVALID_HANDLE, refused, refused]);
    }

    #[test]
    fn a_reply_with_the_longest_output_fits_a_frame() {
        let reply = Reply::Completed {
            tag: u32::MAX,
            status: u32::MAX,
            information: u64::MAX,
            output: &vec![0; MAX_OUTPUT],
        };
        send(std::io::sink(), &reply).unwrap();
    }

    /// What a client that asks for this gets to hear.
    fn asks(shared: &Arc<Shared>, query: Query) -> Answer {
        let (client, server) = UnixStream::pair().unwrap();
        send(&client, &Request::Query { tag: 1, query }).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        serve(shared, &server);
        let mut frame = Vec::new();
        assert!(receive(&client, &mut frame).unwrap());
        match decode(&frame).unwrap() {
            Reply::Answer { tag: 1, answer } => answer,
            reply => panic!("{reply:?}"),
        }
    }

    #[test]
    fn a_privilege_is_enabled_for_those_who_have_it() {
        let name = "SeDebugPrivilege";
        for (client, expected) in [
            (Token::administrator(), STATUS_SUCCESS),
            (Token::standard_user(), STATUS_NOT_ALL_ASSIGNED),
        ] {
            let shared = machine(client);
            let answer = asks(&shared, Query::EnablePrivilege(name.into()));
            assert_eq!(answer, Answer::Status(expected as u32));
        }
    }

    #[test]
    fn one_process_is_told_of_while_it_runs() {
        let shared = machine(Token::standard_user());
        let new = crate::ps::NewProcess {
            id: Some(100),
            wsl: true,
            image_name: Some("/usr/bin/cat".into()),
            ..Default::default()
        };
        let process = shared.kernel.add_process(new);
        let Answer::Process(Some(told)) = asks(&shared, Query::Process(100)) else {
            panic!("it runs");
        };
        assert_eq!((told.pid, told.key), (100, process.key));
        assert_eq!(told.subsystem, Some(1));
        let path: Vec<u16> = "/usr/bin/cat".encode_utf16().collect();
        assert_eq!(told.image, Some(path));
        shared.kernel.forget_process(&process);
        assert_eq!(asks(&shared, Query::Process(100)), Answer::Process(None));
    }
}
