//! Events, views and handles of a client's process. What it shares with the machine goes to it as
//! a file.

use crate::io::Client;
use crate::ke::EventObject;
use ntwatch_lab_link::Answer;
use std::os::fd::{AsFd, OwnedFd};
use windows_sys::Win32::Foundation::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

/// `CreateEventW`: the handle, and the signal.
pub(super) fn create_event(client: &Client) -> (Answer, Option<OwnedFd>) {
    let create = || {
        let handle = client.create_event()?;
        let event = client.object::<EventObject>(handle, 0)?;
        match event.as_fd().try_clone_to_owned() {
            Ok(signal) => Ok((Answer::Handle(handle as u64), Some(signal))),
            Err(_) => {
                client.close_handle(handle);
                Err(STATUS_INSUFFICIENT_RESOURCES)
            }
        }
    };
    create().unwrap_or_else(refused)
}

/// `MapViewOfFile`: the memory, which can be mapped as the handle allows.
pub(super) fn map_view(client: &Client, handle: u64, write: bool) -> (Answer, Option<OwnedFd>) {
    let map = || {
        let section = client.section(handle as usize, write)?;
        let memory = section.file(write);
        let memory = memory.map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
        let len = section.size() as u64;
        Ok((Answer::View { len }, Some(memory)))
    };
    map().unwrap_or_else(refused)
}

/// `DuplicateHandle`.
pub(super) fn duplicate(client: &Client, handle: u64, access: Option<u32>) -> Answer {
    match client.duplicate_handle(handle as usize, access, client) {
        Ok(duplicate) => Answer::Handle(duplicate as u64),
        Err(status) => Answer::Status(status as u32),
    }
}

fn refused(status: NTSTATUS) -> (Answer, Option<OwnedFd>) {
    (Answer::Status(status as u32), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::{Section, View};
    use crate::ob::{ObjectRef, handle};
    use crate::ps::Process;
    use crate::se::Token;
    use crate::serve::Shared;
    use crate::serve::connection::serve_process;
    use crate::serve::tests::machine;
    use ntwatch_lab_link::{Inbox, Query, Reply, Request, decode, receive, send};
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::mm::{MprotectFlags, mprotect};
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::sync::Arc;
    use std::{env, io, thread};
    use windows_sys::Win32::Foundation::STATUS_ACCESS_DENIED;
    use windows_sys::Win32::System::Memory::SECTION_MAP_READ;

    const SIZE: usize = 4096;
    /// The first handle of a process.
    const FIRST: u64 = 4;

    /// The other end, as the client's side has it.
    struct Machine(UnixStream);

    impl Machine {
        fn ask(&self, query: Query) -> (Answer, Option<OwnedFd>) {
            send(&self.0, &Request::Query { tag: 1, query }).unwrap();
            let (mut inbox, mut frame) = (Inbox::new(&self.0), Vec::new());
            assert!(receive(&mut inbox, &mut frame).unwrap());
            match decode(&frame).unwrap() {
                Reply::Answer { answer, .. } => (answer, inbox.take_file()),
                reply => panic!("{reply:?}"),
            }
        }

        fn view(&self, write: bool) -> (Answer, Option<OwnedFd>) {
            let handle = FIRST;
            self.ask(Query::MapView { handle, write })
        }
    }

    const CHILD: &str = "NTHOST_TEST_CHILD";

    /// In the process that [`outlived_by`] starts: the machine that it is a client of.
    fn in_child() -> Option<Machine> {
        env::var_os(CHILD)?;
        let stream = io::stdin().as_fd().try_clone_to_owned().unwrap();
        Some(Machine(stream.into()))
    }

    /// Runs the test that is `named` in a process of its own, which is `process` on the machine.
    /// Returns how it ended; the machine outlives it.
    fn outlived_by(shared: &Arc<Shared>, process: &ObjectRef<Process>, named: &str) -> ExitStatus {
        let (server, client) = UnixStream::pair().unwrap();
        let mut child: Child = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("serve::objects::tests::{named}")])
            .env(CHILD, "1")
            .stdin(OwnedFd::from(client))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        serve_process(shared, &server, process.clone());
        child.wait().unwrap()
    }

    /// A machine, and a process on it that has the handle [`FIRST`] to a section.
    fn with_section(access: u32) -> (Arc<Shared>, ObjectRef<Process>, View) {
        let shared = machine(Token::administrator());
        let kernel = &shared.kernel;
        let process = kernel.ps.create_process_from(shared.client.clone());
        let section = ObjectRef::new(&kernel.objects, Section::new(SIZE, Vec::new()).unwrap());
        let driver = section.map(true).unwrap();
        let handle = process.handles.insert(section.into_any(), access);
        assert_eq!(handle, Ok(FIRST as usize));
        (shared, process, driver)
    }

    #[test]
    fn a_process_that_writes_to_what_it_may_only_read_dies() {
        if let Some(machine) = in_child() {
            let denied = Answer::Status(STATUS_ACCESS_DENIED as u32);
            assert_eq!(machine.view(true).0, denied);
            let (Answer::View { len }, Some(memory)) = machine.view(false) else {
                panic!("it may be read");
            };
            assert!(View::map(&memory, len as usize, true).is_err());
            let view = View::map(memory, len as usize, false).unwrap();
            assert_eq!(view.load(8), 7);
            let (base, writable) = (view.as_ptr(), MprotectFlags::READ | MprotectFlags::WRITE);
            // SAFETY: the view's own pages, which nobody has a reference into.
            let made_writable = unsafe { mprotect(base.cast(), view.len(), writable) };
            assert!(made_writable.is_err());
            // SAFETY: in the view. What comes of it is what this is about.
            unsafe { base.write_volatile(1) };
            return;
        }
        let (shared, process, driver) = with_section(SECTION_MAP_READ);
        driver.store(8, 7);
        let named = "a_process_that_writes_to_what_it_may_only_read_dies";
        let ended = outlived_by(&shared, &process, named);
        assert_eq!(ended.signal(), Some(libc::SIGSEGV), "{ended}");
        assert_eq!((driver.load(0), driver.load(8)), (0, 7));
        assert!(process.handles.open().is_empty());
    }

    #[test]
    fn a_process_is_woken_by_its_event_and_a_duplicate_of_it_is_the_same_event() {
        if let Some(machine) = in_child() {
            let (Answer::Handle(handle), Some(signal)) = machine.ask(Query::CreateEvent) else {
                panic!("an event can be had");
            };
            let same = Query::DuplicateHandle {
                handle,
                access: None,
            };
            assert!(matches!(machine.ask(same), (Answer::Handle(_), None)));
            let closed = machine.ask(Query::CloseHandle(handle));
            assert_eq!(closed.0, Answer::Status(0));
            let mut signals = [PollFd::new(&signal, PollFlags::IN)];
            assert_eq!(poll(&mut signals, None), Ok(1));
            return;
        }
        let shared = machine(Token::administrator());
        let kernel = &shared.kernel;
        let process = kernel.ps.create_process_from(shared.client.clone());
        let named = "a_process_is_woken_by_its_event_and_a_duplicate_of_it_is_the_same_event";
        thread::scope(|scope| {
            let ended = scope.spawn(|| outlived_by(&shared, &process, named));
            let second = FIRST as usize + 4;
            let event = loop {
                match handle::user_object::<EventObject>(kernel, &process, second, 0) {
                    Ok(event) => break event,
                    Err(_) => {
                        assert!(!ended.is_finished(), "it made no event");
                        thread::yield_now();
                    }
                }
            };
            event.set();
            let ended = ended.join().unwrap();
            assert!(ended.success(), "{ended}");
        });
        assert!(process.handles.open().is_empty());
    }
}
