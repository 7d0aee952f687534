//! What a read brings: bytes that may be anything to the reader of records, and to a client that
//! joins and prints them.

use super::fake;
use super::samples::{self, Fixed};
use crate::bytes::Bytes;
use crate::target::Target;
use ntwatch_client::Way;
use ntwatch_protocol::reader::{self, Record};
use ntwatch_protocol::record::{RECORD_ALIGN, Span};
use ntwatch_protocol::wide::Wide;

/// Records that are taken lie inside, end where they say, and say the same when they are written
/// again; and the client makes events of them, or an error.
pub enum Records {}

impl Target for Records {
    type Input = Bytes;
    const NAME: &'static str = "records";

    fn seeds() -> Vec<Bytes> {
        let records = samples::records();
        let all = records.concat();
        records.into_iter().chain([all]).map(Bytes).collect()
    }

    fn run(Bytes(input): &Bytes) {
        let mut end = 0;
        let mut refused = false;
        for record in reader::Records::new(input) {
            assert!(!refused, "there is something behind an error");
            let Ok(record) = record else {
                refused = true;
                continue;
            };
            end += record.header().size as usize;
            assert!(end <= input.len() && end.is_multiple_of(RECORD_ALIGN));
            for (span, text) in spans(&record) {
                let there = (span != Span::ABSENT).then_some(span.len as usize);
                assert_eq!(
                    text.map(<[u8]>::len),
                    there,
                    "a span that leaves its record"
                );
            }
            if let Some(again) = write_again(&record) {
                let read = reader::Records::new(&again).next().expect("a record");
                let read = read.expect("what is written can be read");
                assert_eq!(
                    facts(&read),
                    facts(&record),
                    "written again it is not the same"
                );
            }
        }
        assert!(refused || end == input.len(), "the rest was left out");
        fake::watch(fake::Machine::reads(input.clone()), Way::Read);
    }
}

/// The record as the driver would have written it; `None` if no driver writes such a one: of an
/// unknown kind, or so that its spans, which lay upon each other, do not fit one behind the other.
fn write_again(record: &Record<'_>) -> Option<Vec<u8>> {
    let fixed = match record {
        Record::ProcessStart(view) => Fixed::ProcessStart(**view),
        Record::ProcessExit(view) => Fixed::ProcessExit(**view),
        Record::ThreadStart(view) => Fixed::ThreadStart(**view),
        Record::ThreadExit(view) => Fixed::ThreadExit(**view),
        Record::ImageLoad(view) => Fixed::ImageLoad(**view),
        Record::HandleOpen(view) => Fixed::HandleOpen(**view),
        Record::Lost(view) => Fixed::Lost(**view),
        Record::Unknown(_) => return None,
    };
    let texts = texts(record);
    let long: usize = texts.iter().flatten().map(|text| text.len()).sum();
    let room = record.header().size as usize;
    (long < room).then(|| samples::rewrite(&fixed, &texts))
}

/// What the spans of a record point at.
fn texts<'a>(record: &Record<'a>) -> Vec<Option<&'a [u8]>> {
    spans(record).into_iter().map(|(_, text)| text).collect()
}

/// The spans of a record, and what each points at.
fn spans<'a>(record: &Record<'a>) -> Vec<(Span, Option<&'a [u8]>)> {
    let bytes = |text: Option<Wide<'a>>| text.map(Wide::as_bytes);
    match record {
        Record::ProcessStart(view) => vec![
            (view.image_name, bytes(view.image_name())),
            (view.image_path, bytes(view.image_path())),
            (view.command_line, bytes(view.command_line())),
            (view.user, view.user()),
        ],
        Record::ProcessExit(view) => vec![(view.image, bytes(view.image()))],
        Record::ImageLoad(view) => vec![(view.name, bytes(view.name()))],
        _ => Vec::new(),
    }
}

/// What a record says, but for where it says it.
fn facts<'a>(record: &Record<'a>) -> (u16, u64, i64, Vec<Option<&'a [u8]>>) {
    let header = record.header();
    (header.kind, header.seq, header.time, texts(record))
}
