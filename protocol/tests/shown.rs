//! What people are shown of a record.

use ntwatch_protocol::reader::ReadError;
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use proptest::prelude::*;

fn bytes(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

proptest! {
    #[test]
    fn whatever_windows_gave_is_shown_as_rust_would(units in prop::collection::vec(any::<u16>(), 0..32)) {
        let bytes = bytes(&units);
        let text = Wide::new(&bytes);
        prop_assert_eq!(text.to_string(), String::from_utf16_lossy(&units));
        prop_assert_eq!(text.len(), units.len());
        prop_assert_eq!(text.is_empty(), units.is_empty());
    }
}

#[test]
fn an_odd_byte_at_the_end_is_no_text() {
    let mut bytes = bytes(&[0x61]);
    bytes.push(0x62);
    assert_eq!(format!("{:?}", Wide::new(&bytes)), "\"a\"");
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let kinds: Vec<Kind> = (0..=u16::MAX).filter_map(Kind::from_wire).collect();
    let mut names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), kinds.len());
}

#[test]
fn bytes_that_are_no_record_are_named_by_place_and_reason() {
    let kind = Kind::ImageLoad;
    for (error, reason) in [
        (ReadError::Truncated { offset: 96 }, "cut off"),
        (
            ReadError::BadSize {
                offset: 96,
                size: 7,
            },
            "impossible size, 7 bytes",
        ),
        (ReadError::BadBody { offset: 96, kind }, "image_load"),
    ] {
        let shown = error.to_string();
        assert!(shown.contains("at byte 96"), "{shown}");
        assert!(shown.contains(reason), "{shown}");
    }
}
