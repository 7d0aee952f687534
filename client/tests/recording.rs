//! Events in files, and back.
#![cfg(feature = "recording")]

#[path = "common/events.rs"]
mod events;

use ntwatch_client::Event;
use ntwatch_client::event::{Body, Hex, SessionInfo};
use ntwatch_client::recording::{
    Format, Recorder, Recording, RecordingError, Recordings, Rotation,
};
use ntwatch_client::time::Time;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with a recording of these events.
fn recorded(format: Format, events: &[Event]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("day").with_extension(format.extension());
    let mut recorder = Recorder::create(&path, format, Rotation::default(), false).unwrap();
    for event in events {
        recorder.write(event).unwrap();
    }
    recorder.finish().unwrap();
    (dir, path)
}

fn lines(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let line = |event| serde_json::to_string(&event).unwrap();
    events.into_iter().map(line).collect()
}

/// The events of a recording, and what is said of its end.
fn read(path: &Path) -> Result<(Vec<Event>, Option<String>), RecordingError> {
    let mut recording = Recording::open(path, None)?;
    let events = recording.by_ref().collect::<Result<_, _>>()?;
    Ok((events, recording.cut_off().map(ToString::to_string)))
}

fn session(host: &str) -> Event {
    let session = SessionInfo {
        driver_load_id: Hex(1),
        boot_time: None,
        host: host.to_owned(),
        schema: 1,
        driver_version: "0.1.0.0".to_owned(),
        client_version: "0.1.0".into(),
    };
    Event {
        seq: 0,
        time: Time(1),
        body: Body::Session { session },
    }
}

fn some_events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(events::event(), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_recorded_is_read_to_the_last_byte(events in some_events()) {
        for format in Format::ALL {
            let (_dir, path) = recorded(format, &events);
            let (read, cut_off) = read(&path).unwrap();
            prop_assert_eq!(lines(read), lines(events.clone()), "{:?}", format);
            prop_assert_eq!(cut_off, None);
        }
    }

    #[test]
    fn text_that_is_cut_off_anywhere_loses_only_its_tail(events in some_events(), at: prop::sample::Index) {
        for format in [Format::Jsonl, Format::Csv] {
            let (_dir, path) = recorded(format, &events);
            let whole = fs::read(&path).unwrap();
            let text = &whole[..at.index(whole.len())];
            let Some(header) = whole.iter().position(|byte| *byte == b'\n') else {
                panic!("a recording has lines");
            };
            // Without its header nothing can be known of a CSV.
            prop_assume!(format == Format::Jsonl || text.len() > header);
            fs::write(&path, text).unwrap();
            let (read, cut_off) = read(&path).unwrap();
            let read = lines(read);
            let all = lines(events.clone());
            prop_assert_eq!(&all[..read.len()], &read[..]);
            // Only a line that lacks nothing but its end may be there besides those that have one.
            let mut whole_lines = Vec::new();
            for event in &events[..read.len()] {
                let (_dir, path) = recorded(format, std::slice::from_ref(event));
                let alone = fs::read(&path).unwrap();
                whole_lines.extend_from_slice(match format {
                    Format::Csv => &alone[header + 1..],
                    _ => &alone,
                });
            }
            let header = if format == Format::Csv { header + 1 } else { 0 };
            let rest = text.len() as i64 - (header + whole_lines.len()) as i64;
            prop_assert!(rest >= -1, "{rest}");
            prop_assert_eq!(cut_off.is_some(), rest > 0);
        }
    }

    #[test]
    fn whatever_a_file_holds_it_is_events_or_an_error(bytes: Vec<u8>, text in "[\\PC\n,\"]{0,80}") {
        let dir = tempfile::tempdir().unwrap();
        for format in Format::ALL {
            let path = dir.path().join("any").with_extension(format.extension());
            for content in [&bytes[..], text.as_bytes()] {
                fs::write(&path, content).unwrap();
                if let Err(error) = read(&path) {
                    prop_assert!(error.to_string().contains("any."), "{}", error);
                }
            }
        }
    }
}

#[test]
fn what_is_wrong_in_the_middle_is_named_with_its_line() {
    let events = [session("A"), session("B")];
    for (format, place) in [(Format::Jsonl, "line 2, column 1"), (Format::Csv, "line 3")] {
        let (_dir, path) = recorded(format, &events);
        let text = fs::read_to_string(&path).unwrap();
        let at = text.trim_end().rfind('\n').unwrap();
        let (before, behind) = text.split_at(at);
        fs::write(&path, format!("{before}\nrubbish{behind}")).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{}, {place}: ", path.display())),
            "{error}"
        );
    }
}

#[test]
fn a_page_that_nobody_wrote_is_named_with_its_row_group() {
    let (_dir, path) = recorded(Format::Parquet, &[session("A")]);
    let mut file = fs::read(&path).unwrap();
    // The first page follows on "PAR1"; this is no header of one.
    file[4] = 0xff;
    fs::write(&path, file).unwrap();
    let error = read(&path).unwrap_err().to_string();
    let place = format!("{}, row group 1, row 1: ", path.display());
    assert!(error.starts_with(&place), "{error}");
}

#[test]
fn a_parquet_file_without_its_end_is_told_from_one_that_has_no_row_group() {
    let (_dir, path) = recorded(Format::Parquet, &[session("A")]);
    let whole = fs::read(&path).unwrap();
    let growing = path.with_added_extension("growing");
    let footer = path.with_added_extension("footer");
    let length = whole.len() - 8..whole.len() - 4;
    let mut long = whole.clone();
    long[length].copy_from_slice(&[0xff; 4]);
    for (name, content, expected) in [
        (&path, &b""[..], "this is not Parquet"),
        (&path, b"{\"seq\":0}\n", "this is not Parquet"),
        (&path, &whole[..4], "it is cut off"),
        (&path, &whole[..whole.len() - 1], "it is cut off"),
        (&path, &long, "is damaged"),
        (&growing, b"", "no row group was written yet;"),
        (&growing, &whole[..4], "no row group was written yet;"),
        (&growing, b"{}", "this is not Parquet"),
        (&growing, &whole[..whole.len() - 1], "footer is missing"),
    ] {
        fs::write(name, content).unwrap();
        let error = read(name).unwrap_err().to_string();
        assert!(error.starts_with(&name.display().to_string()), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    fs::write(&footer, &whole[..9]).unwrap();
    let error = read(&growing).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
    fs::remove_file(&footer).unwrap();
    fs::create_dir(&footer).unwrap();
    let error = read(&growing).unwrap_err().to_string();
    assert!(error.contains("footer, which says where"), "{error}");
}

#[test]
fn a_writer_that_was_killed_before_it_named_its_file_has_left_all_of_it() {
    let events = [session("A"), session("B")];
    for format in Format::ALL {
        let (_dir, path) = recorded(format, &events);
        let growing = path.with_added_extension("growing");
        fs::rename(&path, &growing).unwrap();
        let (read, cut_off) = read(&growing).unwrap();
        assert_eq!((&read[..], cut_off), (&events[..], None), "{format:?}");
    }
}

#[test]
fn a_parquet_file_cut_off_in_a_row_group_has_those_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("day.parquet");
    let growing = path.with_added_extension("growing");
    let footer = path.with_added_extension("footer");
    let mut recorder =
        Recorder::create(&path, Format::Parquet, Rotation::default(), false).unwrap();
    let mut event = session("A");
    let mut row_group = || {
        for _ in 0..65_536 {
            event.seq += 1;
            recorder.write(&event).unwrap();
        }
        fs::metadata(&growing).unwrap().len()
    };
    let first = row_group();
    let of_first = fs::read(&footer).unwrap();
    let both = row_group();
    drop(recorder);
    // Killed in the middle of the second: its footer was not there yet.
    let file = fs::File::options().write(true).open(&growing).unwrap();
    file.set_len(first.midpoint(both)).unwrap();
    fs::write(&footer, of_first).unwrap();

    let (read, cut_off) = read(&growing).unwrap();
    assert!(read.iter().map(|event| event.seq).eq(1..=65_536));
    let said = cut_off.unwrap();
    assert!(
        said.contains("not finished: behind its 65536 events"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn parquet_is_not_read_from_a_pipe_and_what_to_do_is_said() {
    for pipe in ["-", "/dev/null"] {
        let refused = Recording::open(Path::new(pipe), Some(Format::Parquet));
        let error = refused.err().unwrap().to_string();
        assert!(error.contains("write it to a file first"), "{error}");
    }
}

#[test]
fn another_schema_is_refused_and_named() {
    for format in Format::ALL {
        let Body::Session { mut session } = session("A").body else {
            unreachable!("it is one");
        };
        session.schema = 2;
        let other = Event {
            body: Body::Session { session },
            ..self::session("A")
        };
        let (_dir, path) = recorded(format, &[other]);
        let error = read(&path).unwrap_err();
        assert!(
            matches!(error, RecordingError::Schema { schema: 2, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_recording_has_its_name_only_when_it_is_whole() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("day").with_extension(format.extension());
        let growing = path.with_added_extension("growing");
        let create = || Recorder::create(&path, format, Rotation::default(), false);
        let mut recorder = create().unwrap();
        recorder.write(&session("A")).unwrap();
        assert!(growing.exists() && !path.exists());
        assert!(matches!(create(), Err(RecordingError::Unfinished { path }) if path == growing));
        let absent = read(&path).unwrap_err().to_string();
        assert!(absent.contains("growing is what there is"), "{absent}");
        recorder.finish().unwrap();
        assert!(path.exists() && !growing.exists());
        assert!(matches!(create(), Err(RecordingError::Exists { .. })));
    }
}

#[test]
fn the_parts_of_a_recording_can_be_read_alone_and_are_one_together() {
    for format in Format::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("day").with_extension(format.extension());
        let rotation = Rotation {
            bytes: Some(1),
            ..Rotation::default()
        };
        let mut recorder = Recorder::create(&path, format, rotation, false).unwrap();
        let lost = r#"{"seq":9,"time":"2026-11-22T03:03:27.0000000Z","event":"lost","stage":"capture","lost":{"thread_exit":3},"first_seq":1,"last_seq":8}"#;
        let events = [session("A"), Event::from_json(lost).unwrap()];
        for event in &events {
            recorder.write(event).unwrap();
        }
        recorder.finish().unwrap();
        let parts = ["day-000001", "day-000002"]
            .map(|name| dir.path().join(name).with_extension(format.extension()));
        let all = Recordings::open(&parts, None).unwrap();
        assert_eq!(all.map(Result::unwrap).collect::<Vec<_>>(), events);
        let (second, _) = read(&parts[1]).unwrap();
        assert_eq!(second, events, "the second begins with the session again");
    }
}
