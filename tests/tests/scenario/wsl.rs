//! Processes and threads of the Windows Subsystem for Linux.

use nthost::ps::{NewProcess, NewThread};
use ntwatch_protocol::process::{flags, known, subsystem};
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::thread;
use ntwatch_tests::machine::{read, with_session};

fn linux(path: &str) -> NewProcess {
    NewProcess {
        image_name: Some(path.into()),
        command_line: Some(format!("{path}\0")),
        wsl: true,
        ..NewProcess::default()
    }
}

fn win32(name: &str) -> NewProcess {
    NewProcess {
        image_name: Some(format!(r"\??\C:\Windows\System32\{name}")),
        image_path: Some(format!(r"\Device\HarddiskVolume3\Windows\System32\{name}")),
        ..NewProcess::default()
    }
}

#[test]
fn linux_starts_windows_starts_linux_and_each_knows_its_subsystem() {
    with_session(|kernel, handle| {
        let start = |by, new| {
            let process = kernel.start_process(by, new).expect("no driver refuses it");
            kernel.enter(by, || {
                kernel.start_thread(&process, NewThread::default());
            });
            process
        };
        let host = start(&kernel.ps.system, win32("wsl.exe"));
        let bash = start(&host, linux("/usr/bin/bash"));
        let notepad = start(&bash, win32("notepad.exe"));
        let events = read(handle, 6);
        let mut seen = Vec::new();
        for pair in events.records().chunks(2) {
            let [Record::ProcessStart(start), Record::ThreadStart(first)] = pair else {
                panic!("{pair:?}");
            };
            assert_eq!((first.pid, first.key), (start.pid, start.key));
            assert!(!first.flag(thread::flags::REMOTE));
            let name = start.image_name().map(|name| name.to_string());
            seen.push((
                name.unwrap_or_default(),
                start.pid,
                start.parent_pid,
                start.flag(flags::SUBSYSTEM_PROCESS),
                start.known(known::SUBSYSTEM, start.subsystem),
                first.known(thread::known::SUBSYSTEM, first.subsystem),
            ));
        }
        let system = kernel.ps.system.id;
        let named = |name| format!(r"\??\C:\Windows\System32\{name}");
        let (win32, wsl) = (Some(subsystem::WIN32), Some(subsystem::WSL));
        let expected = [
            (named("wsl.exe"), host.id, system, false, win32, win32),
            ("/usr/bin/bash".into(), bash.id, host.id, true, wsl, wsl),
            (
                named("notepad.exe"),
                notepad.id,
                bash.id,
                false,
                win32,
                win32,
            ),
        ];
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_linux_process_forks_without_a_name() {
    with_session(|kernel, handle| {
        let bash = kernel.add_process(linux("/usr/bin/bash"));
        let fork = NewProcess {
            wsl: true,
            ..NewProcess::default()
        };
        let fork = kernel
            .start_process(&bash, fork)
            .expect("no driver refuses it");
        kernel.exit_process(&fork, 0);
        let events = read(handle, 2);
        let records = events.records();
        let [Record::ProcessStart(start), Record::ProcessExit(exit)] = records[..] else {
            panic!("{records:?}");
        };
        assert_eq!(
            start.known(known::SUBSYSTEM, start.subsystem),
            Some(subsystem::WSL)
        );
        assert_eq!(start.image_name(), None);
        assert_eq!(start.image_path(), None);
        assert_eq!(start.command_line(), None);
        assert!(!start.flag(flags::IMAGE_EXACT));
        assert_eq!((exit.pid, exit.image()), (start.pid, None));
    });
}
