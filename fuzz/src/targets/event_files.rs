//! Files of events, as `ntwatch show` and `convert` read them.

use super::{fake, samples};
use crate::bytes::Bytes;
use crate::memory::peak_of;
use crate::target::Target;
use ntwatch_client::recording::{Format, GROWING, Recorder, Recording, RecordingError, Rotation};
use ntwatch_client::{Event, Way};
use std::path::Path;

/// Bytes of memory that a file may take: so many for each of its own, and these.
const PER_BYTE: usize = 4096;
const ALWAYS: usize = 64 << 20;

/// More events than bytes are made of nothing.
const LENGTH: usize = 8;

/// Whatever a file holds, by whichever of the names that recordings have, it is events, or an error
/// that names the file, in memory and of a length that its size bounds. Of one that grows, its end
/// is beside it.
pub enum EventFiles {}

impl Target for EventFiles {
    type Input = Bytes;
    const NAME: &'static str = "event_files";

    fn seeds() -> Vec<Bytes> {
        let events = events();
        let several: Vec<_> = events.iter().cycle().take(2000).cloned().collect();
        let of = |format| [recorded(format, &events), recorded(format, &several)];
        Format::ALL.into_iter().flat_map(of).map(Bytes).collect()
    }

    fn run(Bytes(file): &Bytes) {
        let dir = tempfile::tempdir().expect("a folder");
        for format in Format::ALL {
            let path = dir.path().join("fuzz").with_extension(format.extension());
            std::fs::write(&path, file).expect("a file");
            reads(&path, file.len());
        }
        let path = dir
            .path()
            .join("fuzz.parquet")
            .with_added_extension(GROWING);
        let (groups, footer) = file.split_at(footer(file));
        std::fs::write(&path, groups).expect("a file");
        std::fs::write(dir.path().join("fuzz.parquet.footer"), footer).expect("a file");
        reads(&path, file.len());
    }
}

/// Reads a file of this length.
fn reads(path: &Path, len: usize) {
    let (read, memory) = peak_of(|| {
        let mut count = 0;
        for event in Recording::open(path, None)? {
            event?;
            count += 1;
        }
        Ok::<usize, RecordingError>(count)
    });
    let name = path.display();
    let most = PER_BYTE * len + ALWAYS;
    assert!(memory <= most, "{memory} bytes for {name}, which has {len}");
    match read {
        Ok(count) => assert!(
            count <= LENGTH * len,
            "{count} events of {name}, which has {len} bytes"
        ),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("fuzz."), "of which file? {said}");
        }
    }
}

/// Where the end of a Parquet file begins, which says how long it is; somewhere, if it does not.
fn footer(file: &[u8]) -> usize {
    let says = |(rest, tail): (&[u8], &[u8; 8])| {
        let len = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        rest.len().checked_sub(len as usize)
    };
    file.split_last_chunk()
        .and_then(says)
        .unwrap_or(file.len() / 2)
}

/// An event of each kind that samples have.
fn events() -> Vec<Event> {
    let machine = fake::Machine::reads(samples::records().concat());
    fake::events(machine, Way::Read).collect()
}

/// A recording of these events.
fn recorded(format: Format, events: &[Event]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("seed");
    let recorder = Recorder::create(&path, format, Rotation::default(), false);
    let mut recorder = recorder.expect("a file");
    for event in events {
        recorder.write(event).expect("a file");
    }
    recorder.finish().expect("a file");
    std::fs::read(path).expect("a file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_inputs_descend_from_is_read_by_its_name_and_while_it_grows() {
        let events = events();
        let dir = tempfile::tempdir().expect("a folder");
        for format in Format::ALL {
            let file = recorded(format, &events);
            let path = dir.path().join("seed").with_extension(format.extension());
            std::fs::write(&path, &file).expect("a file");
            let growing = path.with_added_extension(GROWING);
            let (groups, end) = file.split_at(footer(&file));
            match format {
                Format::Parquet => {
                    std::fs::write(&growing, groups).expect("a file");
                    std::fs::write(path.with_added_extension("footer"), end).expect("a file");
                }
                _ => std::fs::write(&growing, &file).expect("a file"),
            }
            for path in [path, growing] {
                let read = Recording::open(&path, None).and_then(Iterator::collect);
                let read: Vec<_> = read.unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(read, events, "{}", path.display());
            }
        }
    }
}
