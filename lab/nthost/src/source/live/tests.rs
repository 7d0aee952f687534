//! Live processes, as far as any machine that runs tests has them.

use super::*;
use crate::ps::Place;
use std::sync::Mutex;

#[test]
fn this_machine_s_processes_are_there_with_their_parents() {
    let kernel = Kernel::boot(crate::Config::default());
    let mut live = Live::new(Guise::Win32);
    live.populate(&kernel);
    let own = kernel.ps.find(std::process::id()).unwrap();
    assert_eq!(
        own.parent.map(|parent| parent.id),
        Some(std::os::unix::process::parent_id())
    );
    let line = String::from_utf16(own.command_line.as_ref().unwrap()).unwrap();
    assert!(line.contains("nthost"), "{line}");
}

fn polling(kernel: &Arc<Kernel>) -> Live {
    let mut live = Live {
        events: Err(io::ErrorKind::Unsupported.into()),
        ..Live::new(Guise::Win32)
    };
    live.populate(kernel);
    live
}

/// A process that lives until its input closes.
fn cat() -> std::process::Child {
    let mut cat = std::process::Command::new("cat");
    cat.stdin(std::process::Stdio::piped()).spawn().unwrap()
}

#[test]
fn where_linux_sends_no_events_starts_and_exits_are_found_in_proc() {
    let kernel = Kernel::boot(crate::Config::default());
    let mut live = polling(&kernel);
    let mut cat = cat();
    while kernel.ps.find(cat.id()).is_none() {
        live.rescan(&kernel);
        live.settle_old_copies(&kernel);
    }
    let image = kernel
        .ps
        .find(cat.id())
        .unwrap()
        .image_name
        .clone()
        .unwrap();
    assert!(String::from_utf16(&image).unwrap().starts_with(r"\??\C:\"));
    drop(cat.stdin.take());
    cat.wait().unwrap();
    live.rescan(&kernel);
    assert!(kernel.ps.find(cat.id()).is_none());
    assert!(live.guessed_exits > 0);
}

#[test]
fn what_linux_dropped_is_found_in_proc_once_the_queue_is_empty() {
    let kernel = Kernel::boot(crate::Config::default());
    let mut live = polling(&kernel);
    live.events = Ok(Connector::silent());
    let mut gone = cat();
    live.add(&kernel, gone.id(), &Facts::read(gone.id()));
    gone.kill().unwrap();
    gone.wait().unwrap();
    let mut new = cat();
    let known = |pid| kernel.ps.find(pid).is_some();
    live.missed = true;
    let queued = Received {
        more: true,
        ..Received::default()
    };
    live.take(&kernel, queued);
    assert_eq!(
        (known(gone.id()), live.copies.contains_key(&new.id())),
        (true, false)
    );
    live.take(&kernel, Received::default());
    assert_eq!(
        (known(gone.id()), live.copies.contains_key(&new.id())),
        (false, true)
    );
    assert!(!live.missed);
    while !known(new.id()) {
        live.settle_old_copies(&kernel);
    }
    new.kill().unwrap();
    new.wait().unwrap();
}

#[test]
fn a_copy_is_told_of_once_whether_it_runs_a_program_or_ends() {
    let kernel = Kernel::boot(crate::Config::default());
    let mut live = Live::new(Guise::Win32);
    live.populate(&kernel);
    let before = (live.starts, live.unread);
    let parent = std::process::id();
    // No process has these pids.
    let (runs, ends) = (0x3000_0000, 0x3000_0001);
    live.act(
        &kernel,
        Event::Fork {
            parent,
            tid: parent,
            child: runs,
        },
    );
    assert!(kernel.ps.find(runs).is_none());
    live.act(&kernel, Event::Exec { pid: runs });
    let first = kernel.ps.find(runs).unwrap();
    let thread = kernel.ps.find_thread(runs).unwrap();
    assert_eq!(thread.process, first, "the first thread bears the pid");
    live.act(&kernel, Event::Exec { pid: runs });
    assert_ne!(kernel.ps.find(runs).unwrap().key, first.key);
    live.act(
        &kernel,
        Event::Fork {
            parent: runs,
            tid: runs,
            child: ends,
        },
    );
    live.act(
        &kernel,
        Event::Exit {
            pid: ends,
            status: 9,
        },
    );
    assert!(kernel.ps.find(ends).is_none());
    assert_eq!((live.starts - before.0, live.unread - before.1), (3, 2));
}

#[test]
fn threads_are_of_their_process_and_end_with_it() {
    let kernel = Kernel::boot(crate::Config::default());
    let mut live = Live::new(Guise::Win32);
    live.populate(&kernel);
    let before = live.threads;
    let pid = std::process::id();
    // No thread has these ids.
    let (ends, stays) = (0x3000_0000, 0x3000_0001);
    for tid in [ends, stays, stays] {
        live.act(&kernel, Event::ThreadStart { pid, tid });
    }
    let process_of = |tid| kernel.ps.find_thread(tid).map(|thread| thread.process.id);
    assert_eq!([process_of(ends), process_of(stays)], [Some(pid); 2]);
    let exit = Event::ThreadExit {
        pid,
        tid: ends,
        status: 0,
    };
    live.act(&kernel, exit);
    assert_eq!([process_of(ends), process_of(stays)], [None, Some(pid)]);
    live.act(&kernel, Event::Exit { pid, status: 0 });
    assert_eq!(process_of(stays), None);
    assert_eq!(live.threads - before, 2);
}

#[test]
fn the_thread_that_linux_names_creates_a_process() {
    let kernel = Kernel::boot(crate::Config::default());
    let mut live = Live::new(Guise::Win32);
    live.populate(&kernel);
    let creators = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&creators);
    kernel
        .ps
        .notify
        .add_host(Place::Before, move |process, info| {
            if let Some(info) = info {
                let tid = info.CreatingThreadId.UniqueThread as u32;
                seen.lock().unwrap().push((process.id, tid));
            }
        });
    let parent = std::process::id();
    // Nobody has these ids.
    let (tid, child) = (0x3000_0000, 0x3000_0001);
    live.act(&kernel, Event::ThreadStart { pid: parent, tid });
    let before = live.without_creator;
    live.act(&kernel, Event::Fork { parent, tid, child });
    live.act(&kernel, Event::Exec { pid: child });
    assert!(creators.lock().unwrap().contains(&(child, tid)));
    assert_eq!(live.without_creator, before);
}
