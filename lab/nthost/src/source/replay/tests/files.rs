//! What is a recording, what is none, and of whom.

use super::*;
use proptest::prelude::*;
use std::io::Write;

#[test]
fn one_of_several_hosts_has_to_be_chosen() {
    let other = event(
        "DC",
        1,
        5,
        serde_json::json!({
            "ProcessGuid": guid(0, 2), "ProcessId": 8,
        }),
    );
    let file = TempFile::new(
        "hosts.json",
        (start(1, 9, 100, (7, 50)) + &other).as_bytes(),
    );
    let error = Recording::open(&file.0, None).unwrap_err().to_string();
    assert!(error.contains("choose one with --host: PC, DC"), "{error}");
    let error = Recording::open(&file.0, Some("XP"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no host XP"), "{error}");
    let recording = Recording::open(&file.0, Some("dc")).unwrap();
    assert_eq!((&*recording.host, recording.plan.steps.len()), ("DC", 1));
}

#[test]
fn a_cut_off_line_is_named() {
    let mut lines = start(1, 9, 100, (7, 50)) + &exit(2, 1, 9, 100);
    lines.truncate(lines.len() - 20);
    let error = open("cut.json", &[lines]).unwrap_err().to_string();
    assert!(
        error.contains("at line 2:") && error.contains("truncated"),
        "{error}"
    );
}

#[test]
fn what_is_no_recording_is_refused_for_what_it_is() {
    for (name, content, reason) in [
        ("empty.json", &b""[..], "it is empty"),
        ("picture.png", b"\x89PNG\r\n", "not an event in JSON"),
        ("other.json", b"{\"EventID\": 1}\n", "no Sysmon events"),
        ("cut.zip", b"PK\x03\x04 and nothing", "truncated or damaged"),
        ("cut.evtx", b"ElfFile\0 and nothing", "truncated or damaged"),
    ] {
        let file = TempFile::new(name, content);
        let error = Recording::open(&file.0, None).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(name), "{error}");
    }
    let error = Recording::open(Path::new("no/such.evtx"), None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot read the recording no/such.evtx"),
        "{error}"
    );
}

fn zipped(member: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(member, zip::write::SimpleFileOptions::default())
        .unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_archive_is_read_as_what_is_inside() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("day/one.json", options).unwrap();
    zip.write_all(start(1, 9, 100, (7, 50)).as_bytes()).unwrap();
    zip.start_file("readme.txt", options).unwrap();
    zip.write_all(b"not a recording").unwrap();
    let file = TempFile::new("days.zip", &zip.finish().unwrap().into_inner());
    let recording = Recording::open(&file.0, None).unwrap();
    assert_eq!(steps(&recording), ["before 50/7", "start 100/9"]);
}

proptest! {
    #[test]
    fn a_line_is_taken_up_to_its_limit(limit in 0_u64..600, packed: bool) {
        let line = start(1, 9, 100, (7, 50));
        let (name, content) = match packed {
            true => ("line.zip", zipped("line.json", line.as_bytes())),
            false => ("line.json", line.clone().into_bytes()),
        };
        let file = TempFile::new(name, &content);
        let limits = Limits { line: limit, ..Limits::USUAL };
        let fits = line.len() as u64 <= limit;
        match Recording::open_within(limits, &file.0, None) {
            Ok(_) => prop_assert!(fits),
            Err(error) => {
                let expected = format!("line 1 of more than {limit} bytes");
                prop_assert!(!fits && error.to_string().contains(&expected), "{}", error);
            }
        }
    }

    #[test]
    fn a_member_is_taken_up_to_its_limit(limit in 0_u64..1200) {
        let lines = start(1, 9, 100, (7, 50)) + &exit(2, 1, 9, 100);
        for member in ["log.json", "log.evtx"] {
            let file = TempFile::new("log.zip", &zipped(member, lines.as_bytes()));
            let limits = Limits { file: limit, ..Limits::USUAL };
            let fits = lines.len() as u64 <= limit;
            let read = Recording::open_within(limits, &file.0, None).map_err(|e| e.to_string());
            let expected = format!("has more than {limit} bytes");
            let refused = read.as_ref().is_err_and(|e| e.contains(&expected) && e.contains(member));
            prop_assert_eq!(refused, !fits, "{:?}", read);
        }
    }

    #[test]
    fn rubbish_is_an_error_and_never_a_crash(
        kind in prop::sample::select(vec![&b""[..], b"{\"EventID\":", b"PK\x03\x04", b"ElfFile\0"]),
        rubbish: Vec<u8>,
    ) {
        let name = format!("rubbish-{:?}", std::thread::current().id());
        let file = TempFile::new(&name, &[kind, &rubbish].concat());
        prop_assert!(Recording::open(&file.0, None).is_err());
    }
}
