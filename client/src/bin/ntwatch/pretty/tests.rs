use super::*;
use ntwatch_client::event::{
    Access, Duplicate, ExitedProcess, HandleOpen, Hex, Image, ImageLoad, Operation, Process,
    ProcessExit, ProcessId, ProcessRef, ProcessStart, SignatureLevel, SignatureType, Subsystem,
    Target, TargetType, Thread, ThreadExit, ThreadRef, ThreadStart,
};

const EVIL: &str = r"C:\Users\Public\evil.exe";
const LSASS: &str = r"C:\Windows\System32\lsass.exe";

fn process(pid: u32, image: &str) -> ProcessRef {
    ProcessRef {
        pid,
        key: Some(Hex(1)),
        image: Some(image.into()),
    }
}

fn actor(pid: u32, tid: u32, image: &str) -> ThreadRef {
    ThreadRef {
        pid,
        tid,
        key: Some(Hex(1)),
        image: Some(image.into()),
    }
}

fn start(pid: u32, image: &str, command_line: &str) -> ProcessStart {
    ProcessStart {
        process: Process {
            pid,
            key: Hex(1),
            create_time: None,
            image: Some(image.into()),
            image_exact: None,
            command_line: Some(command_line.into()),
            session: None,
            user: None,
            logon_id: None,
            integrity: None,
            elevated: None,
            protection: None,
            wow64: None,
            subsystem: None,
            sha256: None,
        },
        parent: Some(process(812, r"C:\Windows\explorer.exe")),
        creator: None,
        creation_status: None,
    }
}

fn exit(exit_status: u32) -> ProcessExit {
    ProcessExit {
        process: ExitedProcess {
            pid: 4711,
            key: Hex(1),
            create_time: Some(Time(133_536_384_000_000_000)),
            image: Some(EVIL.into()),
        },
        exit_status,
    }
}

fn thread(tid: u32) -> Thread {
    Thread {
        tid,
        start_address: Some(Hex(0x7ff8_1a2b_1a30)),
        start_module: Some(r"C:\Windows\System32\kernel32.dll".into()),
        start_offset: Some(0x17b0),
        subsystem: Some(Subsystem::Win32),
    }
}

fn image(path: Option<&str>, base: u64) -> ImageLoad {
    ImageLoad {
        process: Some(process(4711, EVIL)),
        image: Image {
            path: path.map(Into::into),
            base: Some(Hex(base)),
            size: Some(Hex(0x20_f000)),
            kernel: false,
            signature_level: SignatureLevel(0),
            signature_type: SignatureType(0),
            partial_map: false,
            machine_mismatch: false,
            sha256: None,
        },
    }
}

fn open(original: u32, granted: Option<u32>) -> HandleOpen {
    HandleOpen {
        operation: Operation::Create,
        kernel: false,
        source: actor(4711, 4712, EVIL),
        attached: None,
        target: Target {
            kind: TargetType::Process,
            pid: 672,
            tid: None,
            key: Some(Hex(1)),
            image: Some(LSASS.into()),
        },
        duplicate: None,
        access: Access {
            desired: original,
            original,
            granted,
            stripped: granted.map(|granted| original & !granted),
        },
        status: if granted.is_some() { 0 } else { 0xc000_0022 },
    }
}

fn line(pretty: &mut Pretty, body: Body) -> String {
    let event = Event {
        seq: 0,
        time: Time(133_536_384_001_234_567),
        body,
    };
    pretty.lines(&event).to_owned()
}

/// One event of each kind, and of some kinds several.
fn events() -> Vec<Body> {
    let wsl = ProcessStart {
        process: Process {
            subsystem: Some(Subsystem::Wsl),
            ..start(4720, "/usr/bin/ls", "ls\0-l\0").process
        },
        parent: Some(process(7, "/init")),
        ..start(0, "", "")
    };
    let refused = ProcessStart {
        creation_status: Some(0xc000_0022),
        ..start(4724, r"C:\Temp\banned.exe", "banned.exe")
    };
    let remote = ThreadStart {
        process: process(672, LSASS),
        thread: thread(680),
        creator: actor(4711, 4712, EVIL),
        remote: Some(true),
    };
    let own = ThreadStart {
        process: process(4711, EVIL),
        thread: Thread {
            start_module: None,
            start_offset: None,
            ..thread(4716)
        },
        creator: actor(4711, 4712, EVIL),
        remote: Some(false),
    };
    let unclear = ThreadStart {
        remote: None,
        thread: own.thread.clone(),
        ..remote.clone()
    };
    let ended = ThreadExit {
        process: process(672, LSASS),
        thread: thread(680),
        creator: Some(actor(4711, 4712, EVIL)),
        remote: Some(true),
        exit_status: 0,
    };
    let mut driver = image(
        Some(r"\SystemRoot\System32\drivers\x.sys"),
        0xffff_f805_1a2b_0000,
    );
    driver.process = None;
    driver.image.kernel = true;
    let helper = r"C:\Program Files\A Vendor\A Product\1.0\plugins\helper.dll";
    let mut helper = image(Some(helper), 0x7ff8_0000_0000);
    helper.image.signature_level = SignatureLevel(1);
    let mut of_thread = open(0x2, Some(0x2));
    of_thread.target.kind = TargetType::Thread;
    of_thread.target.tid = Some(680);
    of_thread.kernel = true;
    let mut copy = open(0x1f_ffff, Some(0x1f_ffff));
    copy.operation = Operation::Duplicate;
    let side = |pid| ProcessId { pid, key: None };
    copy.duplicate = Some(Duplicate {
        from: side(812),
        to: side(900),
    });
    let mut attached = open(0x1000, Some(0x1000));
    attached.attached = Some(process(900, r"C:\Windows\System32\svchost.exe"));
    let long = format!(r"C:\Users\Public\evil.exe {}", "x".repeat(100));
    vec![
        Body::ProcessRunning(Box::new(start(672, LSASS, LSASS))),
        Body::ProcessStart(Box::new(start(4711, EVIL, &long))),
        Body::ProcessStart(Box::new(wsl)),
        Body::ProcessStart(Box::new(refused)),
        Body::ThreadStart(Box::new(own)),
        Body::ImageLoad(Box::new(image(
            Some(r"C:\Windows\System32\ntdll.dll"),
            0x7ff8_1a2b_0000,
        ))),
        Body::ImageLoad(Box::new(helper)),
        Body::ImageLoad(Box::new(image(None, 0x1000_0000))),
        Body::ImageLoad(Box::new(driver)),
        Body::HandleOpen(Box::new(open(0x31, Some(0x30)))),
        Body::HandleOpen(Box::new(open(0x1f_ffff, None))),
        Body::HandleOpen(Box::new(of_thread)),
        Body::HandleOpen(Box::new(copy)),
        Body::HandleOpen(Box::new(attached)),
        Body::ThreadStart(Box::new(remote)),
        Body::ThreadStart(Box::new(unclear)),
        Body::ThreadExit(Box::new(ended)),
        Body::ProcessExit(exit(0)),
        Body::ProcessExit(exit(0xc000_0005)),
    ]
}

#[test]
fn every_kind_of_event_reads_well_at_100_columns() {
    let mut pretty = Pretty::new(false, Some(100));
    let lines: String = events()
        .into_iter()
        .map(|body| line(&mut pretty, body))
        .collect();
    let expected = r"
00:00:00.123 runs      672 lsass.exe          explorer.exe:812 → C:\Windows\System32\lsass.exe
00:00:00.123 start    4711 evil.exe           explorer.exe:812 → C:\Users\Public\evil.exe xxxxxxxxx…
00:00:00.123 start    4720 ls                 WSL init:7 → ls -l
00:00:00.123 start    4724 banned.exe         REFUSED 0xc0000022 explorer.exe:812 → banned.exe
00:00:00.123 thread   4711 evil.exe           tid 4716 at 0x7ff81a2b1a30
00:00:00.123 image    4711 evil.exe           C:\Windows\System32\ntdll.dll 0x7ff81a2b0000 2108 KiB
00:00:00.123 image    4711 evil.exe           …0\plugins\helper.dll UNSIGNED 0x7ff800000000 2108 KiB
00:00:00.123 image    4711 evil.exe           ? 0x10000000 2108 KiB
00:00:00.123 image       - -                  …em32\drivers\x.sys KERNEL 0xfffff8051a2b0000 2108 KiB
00:00:00.123 open     4711 evil.exe           → lsass.exe:672 -TERMINATE VM_READ|VM_WRITE
00:00:00.123 open     4711 evil.exe           → lsass.exe:672 REFUSED 0xc0000022 ALL_ACCESS
00:00:00.123 open     4711 evil.exe           → lsass.exe:672 tid 680 KERNEL SUSPEND_RESUME
00:00:00.123 dup      4711 evil.exe           → lsass.exe:672 from 812 to 900 ALL_ACCESS
00:00:00.123 open     4711 evil.exe           → lsass.exe:672 attached to svchost.exe:900 QUERY_LIM…
00:00:00.123 thread    672 lsass.exe          tid 680 REMOTE by evil.exe:4711 at kernel32.dll+0x17b0
00:00:00.123 thread    672 lsass.exe          tid 4716 REMOTE? by evil.exe:4711 at 0x7ff81a2b1a30
00:00:00.123 t-exit    672 lsass.exe          tid 680 code 0 REMOTE by evil.exe:4711
00:00:00.123 exit     4711 evil.exe           code 0 after 0.123 s
00:00:00.123 exit     4711 evil.exe           status 0xc0000005 after 0.123 s
";
    assert_eq!(format!("\n{lines}"), expected);
}

#[test]
fn lines_are_whole_where_there_is_no_terminal_to_fit() {
    let mut pretty = Pretty::new(false, None);
    let long = "x".repeat(300);
    let name = r"C:\a-name-that-is-longer-than-its-column.exe";
    let whole = line(
        &mut pretty,
        Body::ProcessStart(Box::new(start(1, name, &long))),
    );
    assert!(
        whole.contains(" a-name-that-is-longer-than-its-column.exe "),
        "{whole}"
    );
    assert!(whole.ends_with(&format!(" {long}\n")), "{whole}");
    let path = format!(r"C:\{long}\helper.dll");
    let whole = line(
        &mut pretty,
        Body::ImageLoad(Box::new(image(Some(&path), 0x1000))),
    );
    assert!(whole.contains(&format!(" {path} 0x1000")), "{whole}");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_none_is_broken() {
    for width in 50..140 {
        let mut pretty = Pretty::new(false, Some(width));
        for body in events() {
            let line = line(&mut pretty, body);
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(line.trim_end().width() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn wide_characters_do_not_break_the_columns() {
    let mut pretty = Pretty::new(false, Some(100));
    let image = "C:\\文件文件文件文件文件.exe";
    let line = line(
        &mut pretty,
        Body::ProcessStart(Box::new(start(1, image, "表"))),
    );
    let before = line.split("explorer").next().unwrap();
    assert_eq!(before.width(), BEFORE_DETAIL, "{line}");
}

#[test]
fn a_command_line_cannot_write_to_the_terminal() {
    let hostile = "a\u{1b}[2J\r\n\u{202e}b";
    let mut pretty = Pretty::new(false, None);
    let line = line(
        &mut pretty,
        Body::ProcessStart(Box::new(start(1, hostile, hostile))),
    );
    assert_eq!(
        line.matches(char::is_control).count(),
        1,
        "the line's end alone: {line:?}"
    );
    assert!(line.contains(r"→ a\u{1b}[2J\r\n\u{202e}b"), "{line}");
}

#[test]
fn colours_are_for_terminals_alone_and_differ_by_kind() {
    let word = |body| {
        let line = line(&mut Pretty::new(true, None), body);
        line.split_once(' ')
            .unwrap()
            .1
            .split_once('m')
            .unwrap()
            .0
            .to_owned()
    };
    let [start, thread, image, open] = [1, 4, 5, 9].map(|nth| word(events().remove(nth)));
    let distinct = std::collections::HashSet::from([start, thread, image, open]);
    assert_eq!(distinct.len(), 4, "{distinct:?}");
    for body in events() {
        let line = line(&mut Pretty::new(false, None), body);
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}
