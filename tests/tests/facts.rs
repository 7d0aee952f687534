//! What Windows tells of a process passes through the shipped driver fact by fact; what it does
//! not tell is absent, never a zero or another's.

use nthost::io::FileHandle;
use nthost::ps::{NewProcess, Parent};
use nthost::se::{Sid, Token};
use ntwatch_protocol::process::{flags, known, subsystem};
use ntwatch_protocol::reader::Record;
use ntwatch_protocol::wide::Wide;
use ntwatch_tests::machine::{behind_the_worker, read, with_session};
use std::sync::Arc;

/// Reads `count` starts and exits, and shows each to `test`.
fn read_events(handle: &Arc<FileHandle>, count: usize, mut test: impl FnMut(usize, &Record<'_>)) {
    for (at, record) in read(handle, count).records().iter().enumerate() {
        test(at, record);
    }
}

/// An event with the facts that tell it from others: what happened, to whom, of which image.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Start(u32, u64, Option<String>),
    Exit(u32, u64, Option<String>),
}

impl Event {
    fn of(record: &Record<'_>) -> Event {
        match record {
            Record::ProcessStart(start) => {
                Event::Start(start.pid, start.key, text(start.image_path()))
            }
            Record::ProcessExit(exit) => Event::Exit(exit.pid, exit.key, text(exit.image())),
            other => panic!("{other:?}"),
        }
    }
}

fn events(handle: &Arc<FileHandle>, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    read_events(handle, count, |_, record| events.push(Event::of(record)));
    events
}

fn text(text: Option<Wide<'_>>) -> Option<String> {
    text.map(|text| text.to_string())
}

fn bearing(id: u32, key: u64, path: Option<&str>) -> NewProcess {
    NewProcess {
        id: Some(id),
        key: Some(key),
        image_path: path.map(Into::into),
        ..NewProcess::default()
    }
}

const A: &str = r"\Device\HarddiskVolume3\a.exe";
const B: &str = r"\Device\HarddiskVolume3\b.exe";

#[test]
fn every_fact_that_windows_tells_is_in_the_record() {
    with_session(|kernel, handle| {
        let user = Sid::new(5, &[21, 7, 8, 9, 1234]);
        let creator = kernel.add_process(bearing(400, 0x0001_0000_0000_0011, None));
        let parent = kernel.add_process(bearing(404, 0x0001_0000_0000_0012, None));
        let new = NewProcess {
            id: Some(408),
            key: Some(0x0001_0000_0000_0013),
            create_time: Some(0x01DA_0000_0000_0014),
            parent: Some(Parent {
                id: parent.id,
                key: Some(parent.key),
            }),
            image_name: Some(r"\??\C:\Tools\x.exe".into()),
            image_path: Some(r"\Device\HarddiskVolume3\Tools\x.exe".into()),
            command_line: Some("x.exe --größe 1 \u{1F980}".into()),
            token: Token {
                user: Some(user.clone()),
                groups: Vec::new(),
                integrity: Some(0x2100),
                elevated: Some(true),
                session: Some(3),
                logon_id: Some(0x1_2345_6789),
                ..Token::default()
            },
            wow64: Some(true),
            protection: Some(0x61),
            wsl: false,
        };
        let process = kernel
            .start_process(&creator, new)
            .expect("no driver refuses it");
        kernel.exit_process(&process, 0x4001_0004);
        read_events(handle, 2, |at, record| match record {
            Record::ProcessStart(start) if at == 0 => {
                let fixed = (start.pid, start.key, start.create_time);
                assert_eq!(fixed, (408, process.key, process.create_time));
                assert_eq!(start.parent_pid, 404);
                assert_eq!(
                    start.known(known::PARENT_KEY, start.parent_key),
                    Some(parent.key)
                );
                assert_eq!(start.creator_pid, 400);
                assert_eq!(
                    start.known(known::CREATOR_KEY, start.creator_key),
                    Some(creator.key)
                );
                assert_ne!(start.creator_tid, 0);
                assert_eq!(
                    start.known(known::LOGON_ID, start.logon_id),
                    Some(0x1_2345_6789)
                );
                assert_eq!(start.known(known::SESSION_ID, start.session_id), Some(3));
                assert_eq!(start.known(known::INTEGRITY, start.integrity), Some(0x2100));
                let elevated = start.flag(flags::ELEVATED);
                assert_eq!(start.known(known::ELEVATED, elevated), Some(true));
                assert_eq!(
                    start.known(known::WOW64, start.flag(flags::WOW64)),
                    Some(true)
                );
                assert_eq!(start.known(known::PROTECTION, start.protection), Some(0x61));
                let subsystem = start.known(known::SUBSYSTEM, start.subsystem);
                assert_eq!(subsystem, Some(subsystem::WIN32));
                assert!(start.flag(flags::IMAGE_EXACT));
                assert!(!start.flag(flags::SUBSYSTEM_PROCESS));
                assert_eq!(
                    text(start.image_name()).as_deref(),
                    Some(r"\??\C:\Tools\x.exe")
                );
                let path = text(start.image_path());
                assert_eq!(
                    path.as_deref(),
                    Some(r"\Device\HarddiskVolume3\Tools\x.exe")
                );
                let command_line = text(start.command_line());
                assert_eq!(command_line.as_deref(), Some("x.exe --größe 1 \u{1F980}"));
                assert_eq!(start.user(), Some(user.as_bytes()));
            }
            Record::ProcessExit(exit) => {
                assert_eq!((exit.pid, exit.key), (408, process.key));
                assert_eq!(exit.create_time, process.create_time);
                assert_eq!(exit.exit_status, 0x4001_0004);
                let image = text(exit.image());
                assert_eq!(
                    image.as_deref(),
                    Some(r"\Device\HarddiskVolume3\Tools\x.exe")
                );
            }
            other => panic!("event {at}: {other:?}"),
        });
    });
}

#[test]
fn a_no_is_known_and_no_flag() {
    with_session(|kernel, handle| {
        let new = NewProcess {
            token: Token::standard_user(),
            wow64: Some(false),
            protection: Some(0),
            ..NewProcess::default()
        };
        kernel
            .start_process(&kernel.ps.system, new)
            .expect("no driver refuses it");
        read_events(handle, 1, |_, record| {
            let Record::ProcessStart(start) = record else {
                panic!("{record:?}");
            };
            let asked = known::ELEVATED | known::WOW64 | known::PROTECTION;
            assert_eq!(start.known & asked, asked);
            assert_eq!(start.flags, 0);
            assert_eq!(start.protection, 0);
        });
    });
}

#[test]
fn what_windows_refuses_to_tell_is_absent() {
    with_session(|kernel, handle| {
        let parent = Parent {
            id: 4000,
            key: None,
        };
        let new = NewProcess {
            parent: Some(parent),
            ..NewProcess::default()
        };
        let process = kernel
            .start_process(&kernel.ps.system, new)
            .expect("no driver refuses it");
        kernel.exit_process(&process, 0);
        read_events(handle, 2, |at, record| match record {
            Record::ProcessStart(start) if at == 0 => {
                // The system process runs, and the creation itself tells the subsystem.
                assert_eq!(start.known, known::CREATOR_KEY | known::SUBSYSTEM);
                assert_eq!(start.parent_pid, 4000);
                assert_eq!(start.flags, 0);
                assert_eq!(start.image_name(), None);
                assert_eq!(start.image_path(), None);
                assert_eq!(start.command_line(), None);
                assert_eq!(start.user(), None);
            }
            Record::ProcessExit(exit) => assert_eq!(exit.image(), None),
            other => panic!("event {at}: {other:?}"),
        });
    });
}

#[test]
fn a_process_without_an_image_file_has_no_path_and_leaves_no_memory_behind() {
    with_session(|kernel, handle| {
        let new = bearing(408, 0x0001_0000_0000_0021, Some(""));
        let process = kernel
            .start_process(&kernel.ps.system, new)
            .expect("nobody refuses it");
        kernel.exit_process(&process, 0);
        let expected = [
            Event::Start(408, process.key, None),
            Event::Exit(408, process.key, None),
        ];
        assert_eq!(events(handle, 2), expected);
    });
}

#[test]
fn a_linux_process_keeps_its_path_and_the_nuls_of_its_arguments() {
    with_session(|kernel, handle| {
        let named = NewProcess {
            image_name: Some("/usr/bin/cat".into()),
            command_line: Some("cat\0-n\0/etc/motd\0".into()),
            wsl: true,
            ..NewProcess::default()
        };
        let nameless = NewProcess {
            wsl: true,
            ..NewProcess::default()
        };
        for new in [named, nameless] {
            kernel
                .start_process(&kernel.ps.system, new)
                .expect("no driver refuses it");
        }
        read_events(handle, 2, |at, record| {
            let Record::ProcessStart(start) = record else {
                panic!("{record:?}");
            };
            assert!(start.flag(flags::SUBSYSTEM_PROCESS));
            let subsystem = start.known(known::SUBSYSTEM, start.subsystem);
            assert_eq!(subsystem, Some(subsystem::WSL));
            let names = [text(start.image_name()), text(start.command_line())];
            match at {
                0 => assert_eq!(
                    names.each_ref().map(Option::as_deref),
                    [Some("/usr/bin/cat"), Some("cat\0-n\0/etc/motd\0")]
                ),
                _ => assert_eq!(names, [None, None]),
            }
        });
    });
}

#[test]
fn a_process_that_is_gone_before_the_worker_looks_is_still_told_of_in_order() {
    with_session(|kernel, handle| {
        let told = behind_the_worker(kernel, handle, 2, || {
            let new = NewProcess {
                token: Token::standard_user(),
                ..bearing(500, 77, Some(A))
            };
            let process = kernel
                .start_process(&kernel.ps.system, new)
                .expect("no driver refuses it");
            kernel.exit_process(&process, 0);
            drop(process);
            assert_eq!(kernel.ps.find(500), None);
        });
        let records = told.records();
        let Record::ProcessStart(start) = records[0] else {
            panic!("{records:?}");
        };
        // The record's reference keeps the object, and its token, for the worker.
        assert_eq!(
            start.user(),
            Token::standard_user().user.as_ref().map(Sid::as_bytes)
        );
        let of_interest: Vec<_> = records.iter().map(Event::of).collect();
        let expected = [
            Event::Start(500, 77, Some(A.into())),
            Event::Exit(500, 77, Some(A.into())),
        ];
        assert_eq!(of_interest, expected);
    });
}

#[test]
fn a_process_that_ran_before_the_driver_has_an_exit_with_its_image() {
    with_session(|kernel, handle| {
        for (id, path) in [(600, Some(A)), (604, None)] {
            let process = kernel.add_process(bearing(id, u64::from(id) + 1, path));
            kernel.exit_process(&process, 0);
        }
        let expected = [
            Event::Exit(600, 601, Some(A.into())),
            Event::Exit(604, 605, None),
        ];
        assert_eq!(events(handle, 2), expected);
    });
}

#[test]
fn a_pid_that_is_used_again_brings_no_fact_of_its_earlier_bearer() {
    with_session(|kernel, handle| {
        let start = |new| {
            let process = kernel.start_process(&kernel.ps.system, new);
            process.expect("no driver refuses it")
        };
        // The exit of the first comes late, that of the second has no image of its own.
        let first = start(bearing(700, 1, Some(A)));
        let second = start(bearing(700, 2, None));
        kernel.exit_process(&second, 0);
        let third = start(bearing(700, 3, Some(B)));
        kernel.exit_process(&first, 0);
        kernel.exit_process(&third, 0);
        let (a, b) = (Some(A.to_owned()), Some(B.to_owned()));
        let expected = [
            Event::Start(700, 1, a.clone()),
            Event::Start(700, 2, None),
            Event::Exit(700, 2, None),
            Event::Start(700, 3, b.clone()),
            Event::Exit(700, 1, a),
            Event::Exit(700, 3, b),
        ];
        assert_eq!(events(handle, expected.len()), expected);
    });
}
