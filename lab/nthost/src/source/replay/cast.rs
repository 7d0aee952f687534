//! The recorded processes on a machine, and what they do there.

use super::plan::{Process as Recorded, Step};
use crate::Kernel;
use crate::ob::ObjectRef;
use crate::ps::{NewImage, NewProcess, NewThread, Open, Parent, Process};
use crate::se::{Accounts, Token};
use crate::source::volume;
use std::sync::Arc;

/// Those who act.
pub(super) struct Cast {
    recorded: Vec<Recorded>,
    /// Made so far, whether running or exited; the newest, if the recording has it start twice.
    members: Vec<Option<ObjectRef<Process>>>,
    pub(super) played: Played,
}

/// What happened so far, and what had to be made up for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Played {
    pub(super) starts: u64,
    pub(super) exits: u64,
    pub(super) thread_exits: u64,
    pub(super) remote_threads: u64,
    pub(super) loads: u64,
    pub(super) opens: u64,
    /// Opens whose thread was not recorded.
    pub(super) opens_by_any_thread: u64,
    /// Processes whose start key was not recorded.
    pub(super) without_key: u64,
    /// Processes whose exit was not recorded, and whose pid another bears now.
    pub(super) expired: u64,
}

impl Cast {
    pub(super) fn new(recorded: Vec<Recorded>) -> Cast {
        Cast {
            members: recorded.iter().map(|_| None).collect(),
            recorded,
            played: Played::default(),
        }
    }

    pub(super) fn recorded(&self) -> &[Recorded] {
        &self.recorded
    }

    /// How many threads end when this process does.
    pub(super) fn threads(&self, kernel: &Kernel, index: usize) -> usize {
        let process = self.members[index].as_ref();
        process.map_or(0, |process| kernel.ps.threads_of(process).len())
    }

    pub(super) fn act(&mut self, kernel: &Arc<Kernel>, step: &Step) {
        match step {
            Step::Start(index) => self.start(kernel, *index),
            Step::Exit(index) => self.exit(kernel, *index),
            Step::Appear(index) => self.add(kernel, *index),
            Step::Load { process, path } => self.load(kernel, *process, path.as_deref()),
            Step::RemoteThread {
                source,
                target,
                tid,
                start_address,
            } => {
                let new = NewThread {
                    id: Some(*tid),
                    start_address: start_address.unwrap_or(0),
                    ..NewThread::default()
                };
                self.remote_thread(kernel, *source, *target, new);
            }
            Step::Open {
                source,
                tid,
                target,
                access,
            } => self.open(kernel, (*source, *tid), *target, *access),
        }
    }

    /// Makes a process that is simply there.
    pub(super) fn add(&mut self, kernel: &Kernel, index: usize) {
        let recorded = &self.recorded[index];
        let system = &kernel.ps.system;
        if (recorded.pid, recorded.key) == (system.id, Some(system.key)) {
            self.members[index] = Some(system.clone());
            return;
        }
        let new = self.new_process(recorded, &kernel.ps.accounts);
        self.played.without_key += u64::from(new.key.is_none());
        self.expire(kernel, index);
        self.members[index] = Some(kernel.add_process(new));
    }

    fn start(&mut self, kernel: &Arc<Kernel>, index: usize) {
        let recorded = &self.recorded[index];
        let new = self.new_process(recorded, &kernel.ps.accounts);
        // Whoever else created it is not recorded.
        let parent = recorded
            .parent
            .and_then(|parent| self.members[parent].clone());
        let system = &kernel.ps.system;
        let creator = parent.or_else(|| kernel.ps.find(system.id));
        let creator = creator.unwrap_or_else(|| system.clone());
        self.expire(kernel, index);
        match kernel.start_process(&creator, new) {
            Ok(process) => {
                let first = || kernel.start_thread(&process, NewThread::default());
                kernel.enter(&creator, first);
                self.members[index] = Some(process);
                self.played.starts += 1;
            }
            Err(status) => {
                let pid = self.recorded[index].pid;
                log(
                    kernel,
                    &format!("pid {pid} was refused by a driver with {status:#010x}"),
                );
            }
        }
    }

    fn exit(&mut self, kernel: &Arc<Kernel>, index: usize) {
        if let Some(process) = &self.members[index] {
            self.played.thread_exits += self.threads(kernel, index) as u64;
            // Sysmon does not record what a process ended with, nor that its threads end.
            kernel.exit_process(process, 0);
            self.played.exits += 1;
        }
    }

    fn load(&mut self, kernel: &Arc<Kernel>, index: usize, path: Option<&str>) {
        let Some(process) = &self.members[index] else {
            return;
        };
        let image = NewImage {
            name: path.map(volume::device_path),
            ..NewImage::default()
        };
        kernel.enter(process, || kernel.load_image(Some(process), image));
        self.played.loads += 1;
    }

    fn remote_thread(
        &mut self,
        kernel: &Arc<Kernel>,
        source: usize,
        target: usize,
        new: NewThread,
    ) {
        if let (Some(source), Some(target)) = (&self.members[source], &self.members[target]) {
            kernel.enter(source, || kernel.start_thread(target, new));
            self.played.remote_threads += 1;
        }
    }

    fn open(
        &mut self,
        kernel: &Arc<Kernel>,
        (source, tid): (usize, Option<u32>),
        target: usize,
        access: u32,
    ) {
        let (Some(source), Some(target)) = (&self.members[source], &self.members[target]) else {
            return;
        };
        let known = tid.and_then(|tid| kernel.ps.find_thread(tid));
        let known = known.filter(|thread| thread.process.is(source));
        let thread = known.unwrap_or_else(|| {
            let new = NewThread {
                id: tid,
                ..NewThread::default()
            };
            kernel.ps.make_thread(source, &new)
        });
        // Sysmon does not record when a handle is closed.
        kernel.enter_thread(&thread, || {
            if let Ok(handle) = kernel.open_process(target, Open::access(access)) {
                kernel.close_handle(handle);
            }
        });
        self.played.opens += 1;
        self.played.opens_by_any_thread += u64::from(tid.is_none());
    }

    /// What the kernel makes of a recorded process.
    fn new_process(&self, recorded: &Recorded, accounts: &Accounts) -> NewProcess {
        let key_of = |index: usize| match &self.members[index] {
            Some(process) => Some(process.key),
            None => self.recorded[index].key,
        };
        let parent = recorded.parent_pid.map(|id| Parent {
            id,
            key: recorded.parent.and_then(key_of),
        });
        NewProcess {
            id: Some(recorded.pid),
            key: recorded.key,
            create_time: Some(recorded.create_time),
            parent,
            image_name: recorded.image.as_deref().map(volume::open_name),
            image_path: recorded.image.as_deref().map(volume::device_path),
            command_line: recorded.command_line.clone(),
            token: Token {
                user: recorded.user.as_deref().map(|user| accounts.sid_of(user)),
                integrity: recorded.integrity,
                session: recorded.session,
                logon_id: recorded.logon_id,
                ..Token::default()
            },
            ..NewProcess::default()
        }
    }

    /// Whoever bears the pid and is another process is gone without a recorded exit. That System
    /// is another after a reboot is no surprise.
    fn expire(&mut self, kernel: &Kernel, index: usize) {
        let Recorded { pid, key, .. } = self.recorded[index];
        let is_other = |b: &ObjectRef<Process>| Some(b.key) != key && *b != kernel.ps.system;
        if kernel.ps.find(pid).as_ref().is_some_and(is_other) {
            log(
                kernel,
                &format!("pid {pid} is borne by another now; the exit was not recorded"),
            );
            self.played.expired += 1;
        }
    }
}

fn log(kernel: &Kernel, line: &str) {
    kernel.log.print(&format!("replay: {line}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use crate::ob::HostCallbacks;
    use std::sync::Mutex;

    fn recorded(pid: u32, key: u64) -> Recorded {
        Recorded {
            pid,
            key: Some(key),
            create_time: 0,
            image: Some(r"C:\a.exe".into()),
            command_line: None,
            parent_pid: None,
            parent: None,
            user: None,
            logon_id: None,
            session: None,
            integrity: None,
        }
    }

    fn remote_thread(tid: u32) -> Step {
        Step::RemoteThread {
            source: 0,
            target: 1,
            tid,
            start_address: Some(0x1000),
        }
    }

    #[test]
    fn the_machine_s_own_system_process_takes_part() {
        let kernel = Kernel::boot(Config::default());
        let system = &kernel.ps.system;
        let later = system.key | 1 << 48 | 1 << 49;
        let mut cast = Cast::new(vec![recorded(4, system.key), recorded(4, later)]);
        cast.act(&kernel, &Step::Appear(0));
        assert_eq!(cast.members[0].as_ref(), Some(system));
        // After a reboot it is another.
        cast.act(&kernel, &Step::Appear(1));
        assert_eq!(kernel.ps.find(4).map(|p| p.key), Some(later));
    }

    #[test]
    fn threads_end_with_their_process() {
        let kernel = Kernel::boot(Config::default());
        let mut cast = Cast::new(vec![recorded(100, 9), recorded(104, 10)]);
        for step in [
            Step::Appear(0),
            // It gets its first thread before its start is recorded.
            Step::Appear(1),
            remote_thread(204),
            Step::Start(1),
            remote_thread(208),
        ] {
            cast.act(&kernel, &step);
        }
        let remote = kernel.ps.find_thread(208).unwrap();
        assert_eq!((remote.process.id, remote.start_address), (104, 0x1000));
        assert_eq!(cast.threads(&kernel, 1), 3);
        cast.act(&kernel, &Step::Exit(1));
        assert_eq!(kernel.ps.find_thread(208), None);
        assert_eq!((cast.threads(&kernel, 1), cast.played.thread_exits), (0, 3));
    }

    /// Who opened what with which rights.
    #[derive(Clone, Default)]
    struct Opens(Arc<Mutex<Vec<(u32, u32, u32)>>>);

    impl HostCallbacks for Opens {
        fn pre(&self, _: &mut u32, original: u32) {
            let (pid, tid) = crate::Current::with(|c| (c.thread.process.id, c.thread.id));
            self.0.lock().unwrap().push((pid, tid, original));
        }
    }

    #[test]
    fn a_handle_is_opened_by_the_recorded_thread_even_after_the_exits() {
        let kernel = Kernel::boot(Config::default());
        let opens = Opens::default();
        kernel.ob.add_host_callbacks("1", opens.clone());
        let mut cast = Cast::new(vec![recorded(100, 9), recorded(104, 10)]);
        let open = Step::Open {
            source: 0,
            tid: Some(112),
            target: 1,
            access: 0x1010,
        };
        for step in [
            Step::Appear(0),
            Step::Start(1),
            open.clone(),
            Step::Exit(1),
            Step::Exit(0),
            open,
        ] {
            cast.act(&kernel, &step);
        }
        assert_eq!(*opens.0.lock().unwrap(), [(100, 112, 0x1010); 2]);
        let actor = cast.members[0].as_ref().unwrap();
        assert!(actor.handles.open().is_empty());
    }
}
