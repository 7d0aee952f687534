//! Losses that a session has yet to be told of.

use crate::account::{add, sum};
use ntwatch_protocol::lost::{Lost, stage};
use ntwatch_protocol::record::{KIND_SLOTS, Kind, PerKind, RecordHeader};
use zerocopy::IntoBytes;

/// At most one gap of each stage, as the record that will announce it: what is lost while one is
/// open widens it.
#[derive(Debug)]
pub(crate) struct Gaps {
    session: Option<Lost>,
    capture: Option<Lost>,
}

/// The announcement of nothing yet, for a gap that opens at `seq`.
const fn opened(stage: u32, seq: u64, time: i64) -> Lost {
    Lost {
        header: RecordHeader {
            size: size_of::<Lost>() as u32,
            kind: Kind::Lost as u16,
            reserved: 0,
            seq,
            time,
        },
        stage,
        reserved: 0,
        first_seq: seq,
        last_seq: seq,
        counts: [0; KIND_SLOTS],
    }
}

impl Gaps {
    pub(crate) const NONE: Self = Self {
        session: None,
        capture: None,
    };

    pub(crate) const fn is_empty(&self) -> bool {
        self.session.is_none() && self.capture.is_none()
    }

    /// Bytes of the announcements.
    pub(crate) fn size(&self) -> usize {
        let size = |gap: &Option<Lost>| gap.as_ref().map_or(0, |_| size_of::<Lost>());
        size(&self.session).saturating_add(size(&self.capture))
    }

    /// The session's ring had no room for the event `seq`.
    pub(crate) fn lost_in_session(&mut self, kind: Kind, seq: u64, time: i64) {
        let gap = self
            .session
            .get_or_insert_with(|| opened(stage::SESSION, seq, time));
        gap.header.seq = seq;
        gap.header.time = time;
        gap.last_seq = seq;
        add(&mut gap.counts, kind, 1);
    }

    /// The capture ring had no room for these; the announcement has the number `seq`.
    pub(crate) fn lost_in_capture(&mut self, counts: &PerKind, seq: u64, time: i64) {
        let gap = self
            .capture
            .get_or_insert_with(|| opened(stage::CAPTURE, seq.saturating_sub(1), time));
        gap.header.seq = seq;
        gap.header.time = time;
        gap.last_seq = seq.saturating_add(1);
        gap.counts = sum(&gap.counts, counts);
    }

    /// Hands the announcements to `tell`, in order of their numbers, and forgets them.
    pub(crate) fn take(&mut self, mut tell: impl FnMut(&[u8])) {
        let mut in_order = [&mut self.session, &mut self.capture];
        if let [Some(session), Some(capture)] = &mut in_order {
            if capture.header.seq < session.first_seq {
                in_order.reverse();
            } else if capture.header.seq < session.header.seq {
                // The capture's number is among those that the session lost, which are all free:
                // the last two of them keep the announcements in order.
                capture.header.seq = session.last_seq;
                session.header.seq = session.last_seq.saturating_sub(1);
            }
        }
        for gap in in_order {
            if let Some(record) = gap {
                tell(record.as_bytes());
            }
            *gap = None;
        }
    }
}
