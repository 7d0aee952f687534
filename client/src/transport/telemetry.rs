//! What `ProcessTelemetryIdInformation` tells of a process (page
//! "PROCESS_TELEMETRY_ID_INFORMATION_TYPE structure"): all but the token's facts, in one answer,
//! for any process that can be opened for PROCESS_QUERY_LIMITED_INFORMATION.

/// Offsets of the fields used here, in bytes.
mod offset {
    pub(super) const PROCESS_START_KEY: usize = 8;
    pub(super) const CREATE_TIME: usize = 16;
    pub(super) const SESSION_ID: usize = 56;
    pub(super) const USER_SID_OFFSET: usize = 72;
    pub(super) const IMAGE_PATH_OFFSET: usize = 76;
    pub(super) const COMMAND_LINE_OFFSET: usize = 88;
}

/// The answer, in the bytes that Windows wrote.
#[derive(Clone, Copy)]
pub(crate) struct Telemetry<'a>(pub(crate) &'a [u8]);

impl<'a> Telemetry<'a> {
    pub(crate) fn start_key(self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array(offset::PROCESS_START_KEY)?))
    }

    pub(crate) fn create_time(self) -> Option<i64> {
        Some(i64::from_le_bytes(self.array(offset::CREATE_TIME)?))
    }

    pub(crate) fn session_id(self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array(offset::SESSION_ID)?))
    }

    /// The user's SID, binary.
    pub(crate) fn user(self) -> Option<&'a [u8]> {
        let sid = self.at(offset::USER_SID_OFFSET)?;
        sid.get(..8 + 4 * usize::from(*sid.get(1)?))
    }

    /// NT path.
    pub(crate) fn image_path(self) -> Option<String> {
        self.text(offset::IMAGE_PATH_OFFSET)
    }

    pub(crate) fn command_line(self) -> Option<String> {
        self.text(offset::COMMAND_LINE_OFFSET)
    }

    fn array<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..)?.first_chunk().copied()
    }

    /// What lies where the field at `field` points; an offset of 0 says that there is nothing.
    fn at(self, field: usize) -> Option<&'a [u8]> {
        match u32::from_le_bytes(self.array(field)?) {
            0 => None,
            offset => self.0.get(offset as usize..),
        }
    }

    /// UTF-16, up to its NUL.
    fn text(self, field: usize) -> Option<String> {
        let units = self
            .at(field)?
            .as_chunks::<2>()
            .0
            .iter()
            .map(|unit| u16::from_le_bytes(*unit));
        let text = char::decode_utf16(units.take_while(|unit| *unit != 0))
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect::<String>();
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_fact_is_found_where_the_page_says() {
        let mut bytes = vec![0; 96];
        bytes[8..16].copy_from_slice(&0x0002_0000_0000_0007_u64.to_le_bytes());
        bytes[16..24].copy_from_slice(&133_536_384_001_234_567_i64.to_le_bytes());
        bytes[56..60].copy_from_slice(&1_u32.to_le_bytes());
        let mut span = |field: usize, value: &[u8]| {
            let offset = bytes.len() as u32;
            bytes[field..field + 4].copy_from_slice(&offset.to_le_bytes());
            bytes.extend_from_slice(value);
        };
        let system = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        let wide = |text: &str| -> Vec<u8> {
            text.encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect()
        };
        span(72, &system);
        span(76, &wide(r"\Device\HarddiskVolume3\a.exe"));
        span(88, &wide("a.exe -b"));
        let telemetry = Telemetry(&bytes);
        assert_eq!(telemetry.start_key(), Some(0x0002_0000_0000_0007));
        assert_eq!(telemetry.create_time(), Some(133_536_384_001_234_567));
        assert_eq!(telemetry.session_id(), Some(1));
        assert_eq!(telemetry.user(), Some(&system[..]));
        assert_eq!(
            telemetry.image_path().as_deref(),
            Some(r"\Device\HarddiskVolume3\a.exe")
        );
        assert_eq!(telemetry.command_line().as_deref(), Some("a.exe -b"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_crash(bytes: Vec<u8>) {
            let telemetry = Telemetry(&bytes);
            let _ = (telemetry.start_key(), telemetry.user(), telemetry.image_path());
        }
    }
}
