//! Events with the hashes of the files that they name.
#![cfg(unix)]

mod common;

use common::assert_of_schema;
use common::fake::{Fake, running};
use common::machine::{AtEnd, Machine};
use common::records::{Start, exit, image_load, start};
use ntwatch_client::event::Event;
use ntwatch_client::hash::HashCounts;
use ntwatch_client::{Driver, Filter};
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;

fn hash_of(event: &Event) -> Option<String> {
    let line = serde_json::to_value(event).unwrap();
    assert_of_schema(&line);
    let of = |thing: &str| line[thing]["sha256"].as_str().map(str::to_owned);
    of("process").or_else(|| of("image"))
}

#[test]
fn processes_and_images_have_the_hash_of_their_file_if_it_can_be_read() {
    let drive = tempfile::tempdir().unwrap();
    let said = |name: &str, text: &str| {
        let path = drive.path().join(name);
        std::fs::write(&path, text).unwrap();
        let said = Command::new("sha256sum").arg(&path).output().unwrap();
        String::from_utf8(said.stdout)
            .unwrap()
            .split(' ')
            .next()
            .map(str::to_owned)
    };
    let expected = [
        None,
        said("a.exe", "one"),
        said("b.exe", "two"),
        said("c.dll", "three"),
        None,
        None,
    ];
    let device = |name: &str| format!(r"\Device\HarddiskVolume3\{name}");
    let (running_image, process_image, dll) = (device("a.exe"), device("b.exe"), device("c.dll"));
    let process = Start {
        path: Some(&process_image),
        ..Start::default()
    };
    let mut fake = Fake::new(Machine::new([
        start(0, &process),
        image_load(1, Some((process.pid, process.key)), 0x1000, Some(&dll)),
        image_load(2, None, 0x2000, Some(&device("missing.sys"))),
        exit(3, process.pid, process.key),
    ]));
    fake.before = vec![running(8, 1, &running_image)];
    fake.after = fake.before.clone();
    fake.drive = Some(drive.path().to_owned());
    let mut watch = fake.watch(&Filter::new()).with_hashes();
    let hashes: Vec<_> = watch
        .by_ref()
        .map(|event| hash_of(&event.unwrap()))
        .collect();
    assert_eq!(hashes, expected);
    let expected = HashCounts {
        found: 3,
        unreadable: 1,
        late: 0,
    };
    assert_eq!(watch.hashes(), Some(&expected));
}

#[test]
fn a_file_that_takes_too_long_changes_no_order_and_keeps_no_event_in_the_driver() {
    const EXITS: u64 = 100;
    let Start { pid, key, .. } = Start::default();
    let exits = (1..=EXITS).map(|nth| exit(nth, pid, key));
    let batches = std::iter::once(start(0, &Start::default())).chain(exits);
    let mut fake = Fake::new(Machine::new(batches));
    fake.before.clear();
    fake.after.clear();
    let fake = Arc::new(fake);
    let closed = fake.door.lock().unwrap();
    let driver = Driver::over("fake", fake.clone()).unwrap();
    let mut watch = driver.watch(&Filter::new()).unwrap().with_hashes();
    watch.next().unwrap().unwrap();
    let start = watch.next().unwrap().unwrap();
    let delivered: u64 = fake.machine.lock().unwrap().stats.delivered.iter().sum();
    assert_eq!(delivered, 1 + EXITS, "all were read while the first waited");
    let events: Vec<_> = std::iter::once(start)
        .chain(watch.by_ref().map(Result::unwrap))
        .collect();
    assert!(events.iter().all(|event| hash_of(event).is_none()));
    assert!(events.is_sorted_by_key(|event| event.seq));
    assert_eq!(events.len() as u64, 1 + EXITS);
    let expected = HashCounts {
        late: 1,
        ..HashCounts::default()
    };
    assert_eq!(watch.hashes(), Some(&expected));
    drop(closed);
}

#[test]
fn no_hash_is_looked_for_that_was_not_asked_for() {
    let mut fake = Fake::new(Machine {
        at_end: AtEnd::ShutDown,
        ..Machine::new([start(0, &Start::default())])
    });
    fake.drive = Some("/".into());
    let fake = Arc::new(fake);
    let _closed = fake.door.lock().unwrap();
    let driver = Driver::over("fake", fake.clone()).unwrap();
    let mut watch = driver.watch(&Filter::new()).unwrap();
    assert!(watch.hashes().is_none());
    let lines: Vec<Value> = watch
        .by_ref()
        .map(|event| serde_json::to_value(event.unwrap()).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .all(|line| line["process"].get("sha256").is_none())
    );
}
