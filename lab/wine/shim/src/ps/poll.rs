//! Looks at what runs, and tells of what has changed.

use super::acting::{Actor, act};
use super::notify::{PROCESS, THREAD};
use super::running::{Entry, Key, List};
use super::{acting, facts};
use crate::object::{Held, Object};
use core::ptr;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use windows_sys::Wdk::System::SystemServices::PS_CREATE_NOTIFY_INFO;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::WindowsProgramming::CLIENT_ID;

const PERIOD: Duration = Duration::from_millis(2);

static POLLING: Mutex<Option<Polling>> = Mutex::new(None);

struct Polling {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Begins to look, if nobody does.
pub(super) fn begin() {
    let mut polling = POLLING.lock().unwrap_or_else(PoisonError::into_inner);
    if polling.is_some() {
        return;
    }
    let ends = Arc::new(AtomicBool::new(false));
    let mut seen = Seen::default();
    seen.look();
    let end = Arc::clone(&ends);
    let thread = thread::spawn(move || {
        while !end.load(Ordering::Acquire) {
            thread::sleep(PERIOD);
            seen.look();
        }
    });
    *polling = Some(Polling { ends, thread });
}

/// Returns when the last look is over.
pub(super) fn end() {
    let polling = POLLING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(polling) = polling {
        polling.ends.store(true, Ordering::Release);
        // It does not panic.
        let _ = polling.thread.join();
    }
}

/// What has been told of, or was there before.
#[derive(Default)]
struct Seen {
    list: List,
    began: bool,
    processes: BTreeMap<Key, Process>,
}

struct Process {
    object: Held,
    threads: BTreeMap<Key, Held>,
}

impl Process {
    /// Its first thread, which acts for it where nobody knows who did.
    fn actor(&self) -> Option<Actor> {
        let first = self.threads.iter().min_by_key(|((_, created), _)| *created);
        first.map(|(_, thread)| self.as_actor(thread.get()))
    }

    fn as_actor(&self, thread: Object) -> Actor {
        let process = self.object.get();
        Actor { thread, process }
    }
}

impl Seen {
    /// Ends come first, as ids are used again.
    fn look(&mut self) {
        let Some(running) = self.list.fetch() else {
            return;
        };
        self.tell_of_exits(&running);
        for (key, entry) in &running {
            self.tell_of_starts(*key, entry);
        }
        self.began = true;
    }

    fn tell_of_exits(&mut self, running: &BTreeMap<Key, Entry>) {
        for (key, process) in &mut self.processes {
            let entry = running.get(key);
            let lives = |thread: &Key| entry.is_some_and(|entry| entry.threads.contains(thread));
            let gone: Vec<_> = process
                .threads
                .keys()
                .copied()
                .filter(|t| !lives(t))
                .collect();
            let mut last = None;
            for thread in gone {
                let Some(held) = process.threads.remove(&thread) else {
                    continue;
                };
                tell_thread(process.as_actor(held.get()), key.0, thread.0, false);
                last = Some(held);
            }
            if entry.is_none() {
                let actor = last.as_ref().map(|last| process.as_actor(last.get()));
                tell_process(actor, process.object.get(), key.0, ptr::null_mut());
            }
        }
        self.processes.retain(|key, _| running.contains_key(key));
    }

    fn tell_of_starts(&mut self, key: Key, entry: &Entry) {
        if !self.processes.contains_key(&key) {
            // It may have ended since.
            let Some(object) = Held::process(key.0) else {
                return;
            };
            if self.began {
                self.tell_of_start(key, entry, &object);
            }
            let threads = BTreeMap::new();
            self.processes.insert(key, Process { object, threads });
        }
        let parent = self.of_pid(entry.parent).and_then(Process::actor);
        let Some(process) = self.processes.get_mut(&key) else {
            return;
        };
        for thread in &entry.threads {
            if process.threads.contains_key(thread) {
                continue;
            }
            let Some(held) = Held::thread(thread.0) else {
                continue;
            };
            let itself = process.as_actor(held.get());
            let actor = process.actor().or(parent).unwrap_or(itself);
            process.threads.insert(*thread, held);
            if self.began {
                tell_thread(actor, key.0, thread.0, true);
            }
        }
    }

    fn tell_of_start(&self, key: Key, entry: &Entry, object: &Held) {
        // SAFETY: held.
        let image = unsafe { facts::image_path(object.get()) };
        // SAFETY: held.
        let command_line = unsafe { facts::command_line(object.get()) };
        let mut texts = [image, command_line];
        let strings = texts.each_mut().map(|text| {
            let text = text.as_mut()?;
            Some(facts::counted(text.as_mut_ptr(), text.len()))
        });
        let [image, command_line] = strings.each_ref().map(|string| {
            let string = string.as_ref().map_or(ptr::null(), ptr::from_ref);
            string.cast_mut()
        });
        let actor = self.of_pid(entry.parent).and_then(Process::actor);
        let creator = actor.map_or(CLIENT_ID::default(), acting::client_id);
        let mut info = PS_CREATE_NOTIFY_INFO {
            Size: size_of::<PS_CREATE_NOTIFY_INFO>(),
            ParentProcessId: entry.parent as HANDLE,
            CreatingThreadId: creator,
            ImageFileName: image,
            CommandLine: command_line,
            ..PS_CREATE_NOTIFY_INFO::default()
        };
        tell_process(actor, object.get(), key.0, &raw mut info);
    }

    fn of_pid(&self, pid: usize) -> Option<&Process> {
        let newest = self
            .processes
            .range((pid, i64::MIN)..=(pid, i64::MAX))
            .next_back();
        newest.map(|(_, process)| process)
    }
}

fn tell_process(
    actor: Option<Actor>,
    process: Object,
    pid: usize,
    info: *mut PS_CREATE_NOTIFY_INFO,
) {
    let routines = PROCESS.read().unwrap_or_else(PoisonError::into_inner);
    for routine in routines.iter() {
        // SAFETY: registered, and not removed as long as this is locked; what it is told is held.
        act(actor, || unsafe { routine(process, pid as HANDLE, info) });
    }
}

fn tell_thread(actor: Actor, pid: usize, tid: usize, creates: bool) {
    let routines = THREAD.read().unwrap_or_else(PoisonError::into_inner);
    for routine in routines.iter() {
        // SAFETY: as above.
        act(Some(actor), || unsafe {
            routine(pid as HANDLE, tid as HANDLE, creates)
        });
    }
}
