//! What the library makes of threads, images and handles.

mod common;

use common::fake::{Fake, lines, running};
use common::machine::Machine;
use common::records::{
    Start, exit, handle_open, image_load, lost, lost_of, start, thread_exit, thread_start,
    thread_start_but,
};
use ntwatch_client::protocol::access::process;
use ntwatch_client::protocol::configure::{Clause, Configure};
use ntwatch_client::protocol::handle::{flags, known};
use ntwatch_client::protocol::record::{FIRST_SEQ, Kind};
use ntwatch_client::protocol::thread;
use ntwatch_client::transport::RunningProcess;
use ntwatch_client::{Filter, Select};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// The process of pid 4 that runs from the beginning.
const SYSTEM: (u32, u64) = (4, 1);
/// One that starts.
const NEW: (u32, u64) = (4711, 0x1_0000_0000_4711);
const NTDLL: &str = r"\Device\HarddiskVolume3\Windows\System32\ntdll.dll";

/// The events behind the session and what runs.
fn events(records: impl IntoIterator<Item = Vec<u8>>) -> Vec<Value> {
    Fake::new(Machine::new(records)).lines().split_off(2)
}

#[test]
fn a_thread_in_another_process_names_both_and_the_module_it_starts_in() {
    let lines = events([
        start(0, &Start::default()),
        image_load(1, Some(NEW), 0x7ff8_0000_0000, Some(NTDLL)),
        thread_start(2, NEW, 680, SYSTEM, 0x7ff8_0000_17b0),
        thread_exit(3, NEW, 680),
        thread_exit(4, NEW, 680),
    ]);
    let process = json!({
        "pid": 4711,
        "key": "0x1000000004711",
        "image": r"C:\Windows\System32\cmd.exe",
    });
    let thread = json!({
        "tid": 680,
        "start_address": "0x7ff8000017b0",
        "start_module": r"C:\Windows\System32\ntdll.dll",
        "subsystem": null,
    });
    let creator = json!({"pid": 4, "tid": 8, "key": "0x1", "image": "System"});
    assert_eq!(
        lines[2],
        json!({
            "seq": FIRST_SEQ + 2,
            "time": "2024-02-29T00:00:00.0000002Z",
            "event": "thread_start",
            "process": process,
            "thread": thread,
            "creator": creator,
            "remote": true,
        })
    );
    let ended = json!({
        "seq": FIRST_SEQ + 3,
        "time": "2024-02-29T00:00:00.0000003Z",
        "event": "thread_exit",
        "process": process,
        "thread": thread,
        "creator": creator,
        "remote": true,
        "exit_status": 0,
    });
    assert_eq!(lines[3], ended);
    // The tid again, of a thread whose start was not seen.
    let [unknown, null] = [&lines[4], &Value::Null];
    assert_eq!(unknown["process"], process);
    assert_eq!([&unknown["creator"], &unknown["remote"]], [null, null]);
    assert_eq!(unknown["thread"]["start_address"], *null);
}

#[test]
fn a_thread_that_ends_behind_a_loss_is_not_taken_for_one_that_started_before() {
    for kind in [Kind::ThreadStart, Kind::ThreadExit] {
        let lines = events([
            thread_start(0, SYSTEM, 680, NEW, 0x1000),
            lost_of(kind, 1, 1),
            thread_exit(2, SYSTEM, 680),
        ]);
        let [creator, remote] = ["creator", "remote"].map(|fact| &lines[2][fact]);
        assert_eq!([creator, remote], [&Value::Null, &Value::Null]);
        assert_eq!(lines[2]["thread"]["start_address"], json!(null));
    }
}

#[test]
fn a_thread_may_be_remote_or_not_without_anybody_knowing() {
    let lines = events([
        thread_start_but(0, NEW, 680, SYSTEM, 0x1000, |start| {
            (start.known, start.flags) = (thread::known::KEY, 0);
        }),
        thread_exit(1, NEW, 680),
    ]);
    assert_eq!(lines[0]["remote"], json!(null));
    assert_eq!(lines[1]["creator"]["pid"], 4);
    assert_eq!(lines[1]["remote"], json!(null));
}

#[test]
fn a_thread_starts_in_the_image_that_lay_there_in_its_own_process_or_in_the_kernel() {
    let again = Start {
        key: NEW.1 + 1,
        ..Start::default()
    };
    let reborn = (NEW.0, again.key);
    let module = |line: &Value| line["thread"]["start_module"].clone();
    let lines = events([
        image_load(0, None, 0xffff_f805_0000_0000, Some(r"\SystemRoot\x.sys")),
        start(1, &Start::default()),
        image_load(2, Some(NEW), 0x1_0000, Some(NTDLL)),
        thread_start(3, NEW, 8, NEW, 0x1_0010),
        thread_start(4, SYSTEM, 8, SYSTEM, 0x1_0010),
        thread_start(5, SYSTEM, 12, SYSTEM, 0xffff_f805_0000_0010),
        exit(6, NEW.0, NEW.1),
        start(7, &again),
        thread_start(8, reborn, 8, reborn, 0x1_0010),
    ]);
    assert_eq!(module(&lines[3]), r"C:\Windows\System32\ntdll.dll");
    assert_eq!(module(&lines[4]), json!(null), "of another process");
    assert_eq!(module(&lines[5]), r"\SystemRoot\x.sys");
    assert_eq!(
        module(&lines[8]),
        json!(null),
        "of an earlier bearer of the pid"
    );
}

#[test]
fn an_image_is_a_process_own_or_the_kernels_and_may_have_no_name() {
    let lines = events([
        start(0, &Start::default()),
        image_load(1, Some(NEW), 0x7ff8_0000_0000, None),
        image_load(2, None, 0xffff_f805_0000_0000, Some(r"\SystemRoot\x.sys")),
    ]);
    let facts = |path: Value, base: &str, kernel: bool| {
        json!({
            "path": path,
            "base": base,
            "size": "0x10000",
            "kernel": kernel,
            "signature_level": "windows",
            "signature_type": "catalog_cached",
            "partial_map": false,
            "machine_mismatch": false,
        })
    };
    assert_eq!(lines[1]["process"]["image"], r"C:\Windows\System32\cmd.exe");
    assert_eq!(
        lines[1]["image"],
        facts(json!(null), "0x7ff800000000", false)
    );
    assert_eq!(lines[2]["process"], json!(null));
    let driver = facts(json!(r"\SystemRoot\x.sys"), "0xfffff80500000000", true);
    assert_eq!(lines[2]["image"], driver);
}

#[test]
fn a_handle_says_who_asked_for_what_and_what_was_left() {
    let lines = events([
        start(0, &Start::default()),
        handle_open(1, NEW, SYSTEM, None, |_| {}),
    ]);
    assert_eq!(
        lines[1],
        json!({
            "seq": FIRST_SEQ + 1,
            "time": "2024-02-29T00:00:00.0000001Z",
            "event": "handle_open",
            "operation": "create",
            "kernel": false,
            "source": {
                "pid": 4711,
                "tid": 8,
                "key": "0x1000000004711",
                "image": r"C:\Windows\System32\cmd.exe",
            },
            "attached": null,
            "target": {
                "type": "process",
                "pid": 4,
                "tid": null,
                "key": "0x1",
                "image": "System",
            },
            "duplicate": null,
            "access": {"desired": 0x30, "original": 0x31, "granted": 0x30, "stripped": 1},
            "status": 0,
        })
    );
}

#[test]
fn handles_of_every_sort_are_told_apart() {
    let lines = events([
        start(0, &Start::default()),
        handle_open(1, NEW, SYSTEM, Some(680), |open| {
            open.flags |= flags::KERNEL;
            // MAXIMUM_ALLOWED asks for no right by name.
            (open.original, open.granted) = (0x0200_0000, process::VM_READ);
        }),
        handle_open(2, SYSTEM, NEW, None, |open| {
            open.flags |= flags::DUPLICATE;
            open.known |= known::DUPLICATE;
            (open.from_pid, open.from_key) = SYSTEM;
            (open.to_pid, open.to_key) = NEW;
        }),
        handle_open(3, NEW, SYSTEM, None, |open| {
            open.known &= !known::GRANTED;
            open.status = 0xc000_0022;
        }),
        handle_open(4, SYSTEM, SYSTEM, None, |open| {
            open.known |= known::ATTACHED;
            (open.attached_pid, open.attached_key) = NEW;
        }),
    ]);
    let [thread, copy, refused, attached] = [1, 2, 3, 4].map(|nth| &lines[nth]);
    assert_eq!(thread["kernel"], true);
    assert_eq!(thread["target"]["type"], "thread");
    assert_eq!(thread["target"]["tid"], 680);
    assert_eq!(thread["access"]["stripped"], 0);

    assert_eq!(copy["operation"], "duplicate");
    let sides = json!({
        "from": {"pid": 4, "key": "0x1"},
        "to": {"pid": 4711, "key": "0x1000000004711"},
    });
    assert_eq!(copy["duplicate"], sides);

    assert_eq!(refused["status"], 0xc000_0022_u32);
    assert_eq!(refused["access"]["granted"], json!(null));
    assert_eq!(refused["access"]["stripped"], json!(null));

    let cmd = r"C:\Windows\System32\cmd.exe";
    assert_eq!(attached["attached"]["image"], cmd);
}

#[test]
fn windows_is_asked_once_about_a_process_that_is_not_known() {
    let (known, other, gone) = ((8, 2), (12, 3), (16, 4));
    let mut fake = Fake::new(Machine::new([
        handle_open(0, SYSTEM, known, None, |_| {}),
        handle_open(1, known, other, None, |_| {}),
        handle_open(2, gone, known, None, |_| {}),
        handle_open(3, gone, other, None, |_| {}),
        // It was not to be found when it was asked about.
        start(
            4,
            &Start {
                pid: gone.0,
                key: gone.1,
                ..Start::default()
            },
        ),
        handle_open(5, gone, SYSTEM, None, |_| {}),
    ]));
    // Pid 12 has another bearer by now.
    fake.asked = vec![running(8, 2, "known.exe"), running(12, 99, "later.exe")];
    let fake = Arc::new(fake);
    let driver = ntwatch_client::Driver::over("fake", Arc::clone(&fake) as _).unwrap();
    let lines = lines(driver.watch(&Filter::new()).unwrap()).split_off(2);
    let images: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "handle_open")
        .map(|line| {
            (
                line["source"]["image"].clone(),
                line["target"]["image"].clone(),
            )
        })
        .collect();
    let (system, name, null) = (json!("System"), json!("known.exe"), json!(null));
    let cmd = json!(r"C:\Windows\System32\cmd.exe");
    assert_eq!(
        images,
        [
            (system.clone(), name.clone()),
            (name.clone(), null.clone()),
            (null.clone(), name),
            (null.clone(), null),
            (cmd, system),
        ]
    );
    assert_eq!(*fake.questions.lock().unwrap(), [8, 12, 16]);
}

#[test]
fn kinds_that_were_not_asked_for_are_learnt_from_and_not_shown() {
    let records = [
        start(0, &Start::default()),
        handle_open(1, NEW, SYSTEM, None, |_| {}),
        exit(2, NEW.0, NEW.1),
    ];
    let watch = Fake::new(Machine::new(records)).watch(&Filter::new().event(Kind::HandleOpen));
    assert!(watch.shows(Kind::HandleOpen) && !watch.shows(Kind::ProcessStart));
    let lines = lines(watch);
    assert_eq!(lines.len(), 2, "the session and the handle: {lines:#?}");
    assert_eq!(lines[1]["source"]["image"], r"C:\Windows\System32\cmd.exe");
}

#[test]
fn the_ends_of_threads_are_not_asked_for_with_remote_threads_alone() {
    let fake = Arc::new(Fake::new(Machine::new([])));
    let driver = ntwatch_client::Driver::over("fake", Arc::clone(&fake) as _).unwrap();
    let watch = driver.watch(&Filter::new().remote_threads_only()).unwrap();
    assert!(!watch.shows(Kind::ThreadExit) && watch.shows(Kind::ThreadStart));
    let machine = fake.machine.lock().unwrap();
    let configure = Configure::parse(machine.configured.as_deref().unwrap()).unwrap();
    assert_eq!(
        configure.event_mask,
        Kind::ALL_EVENTS & !Kind::ThreadExit.bit()
    );
}

#[test]
fn a_loss_of_what_names_are_joined_by_is_told_to_everybody() {
    let machine = Machine::new([lost(7, 7)]);
    let mut watch = Fake::new(machine).watch(&Filter::new().event(Kind::HandleOpen));
    let last = watch.by_ref().last().unwrap().unwrap();
    assert_eq!(last.body.name(), "lost");
    assert_eq!(watch.lost(None), 7);
}

#[test]
fn a_descendant_that_starts_while_the_session_begins_is_asked_for_too() {
    let child = |pid, key, parent| RunningProcess {
        parent_pid: Some(parent),
        ..running(pid, key, "child.exe")
    };
    let mut fake = Fake::new(Machine::new([]));
    fake.before.push(child(8, 2, 4));
    fake.after = fake.before.clone();
    fake.after.push(child(12, 3, 8));
    let fake = Arc::new(fake);
    let driver = ntwatch_client::Driver::over("fake", Arc::clone(&fake) as _).unwrap();
    let filter = Filter::new().process(Select::pid(4).with_descendants());
    let lines = lines(driver.watch(&filter).unwrap());
    assert_eq!(
        lines.len(),
        4,
        "the session, and three that run: {lines:#?}"
    );
    let machine = fake.machine.lock().unwrap();
    let configure = machine.configured.as_deref().unwrap();
    let named: Vec<_> = Configure::parse(configure)
        .unwrap()
        .clauses()
        .map(|clause| match clause {
            Clause::Process(selector) => (selector.pid, selector.key),
            other => panic!("{other:?} was not asked for"),
        })
        .collect();
    assert_eq!(named, [(4, 1), (8, 2), (12, 3)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_is_of_the_schema_whatever_the_numbers_are(
        source: (u32, u64),
        target: (u32, u64),
        tid: u32,
        address: u64,
        known: u32,
        flags: u32,
        masks: [u32; 3],
        name in prop::option::of(".{0,20}"),
    ) {
        let records = [
            image_load(0, Some(target), address, name.as_deref()),
            thread_start(1, target, tid, source, address),
            handle_open(2, source, target, None, |open| {
                (open.known, open.flags) = (known, flags);
                [open.original, open.desired, open.granted] = masks;
            }),
            thread_exit(3, target, tid),
        ];
        prop_assert_eq!(events(records).len(), 4);
    }
}
