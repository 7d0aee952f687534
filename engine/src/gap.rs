//! Losses that a session has yet to be told of.

use crate::account::{add, sum};
use ntwatch_protocol::lost::{Lost, stage};
use ntwatch_protocol::record::{KIND_SLOTS, Kind, PerKind, RecordHeader};
use zerocopy::IntoBytes;

#[derive(Debug)]
struct Gap {
    /// That the record will bear.
    seq: u64,
    time: i64,
    first_seq: u64,
    last_seq: u64,
    counts: PerKind,
}

impl Gap {
    fn record(&self, stage: u32) -> Lost {
        Lost {
            header: RecordHeader {
                size: size_of::<Lost>() as u32,
                kind: Kind::Lost as u16,
                reserved: 0,
                seq: self.seq,
                time: self.time,
            },
            stage,
            reserved: 0,
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            counts: self.counts,
        }
    }
}

/// At most one gap of each stage: what is lost while one is open widens it.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    session: Option<Gap>,
    capture: Option<Gap>,
}

impl Gaps {
    pub(crate) const fn is_empty(&self) -> bool {
        self.session.is_none() && self.capture.is_none()
    }

    /// Bytes of the announcements.
    pub(crate) fn size(&self) -> usize {
        let size = |gap: &Option<Gap>| gap.as_ref().map_or(0, |_| size_of::<Lost>());
        size(&self.session).saturating_add(size(&self.capture))
    }

    /// The session's ring had no room for the event `seq`.
    pub(crate) fn lost_in_session(&mut self, kind: Kind, seq: u64, time: i64) {
        let gap = self.session.get_or_insert(Gap {
            seq,
            time,
            first_seq: seq,
            last_seq: seq,
            counts: [0; KIND_SLOTS],
        });
        gap.seq = seq;
        gap.last_seq = seq;
        gap.time = time;
        add(&mut gap.counts, kind, 1);
    }

    /// The capture ring had no room for these; the announcement has the number `seq`.
    pub(crate) fn lost_in_capture(&mut self, counts: &PerKind, seq: u64, time: i64) {
        let gap = self.capture.get_or_insert(Gap {
            seq,
            time,
            first_seq: seq.saturating_sub(1),
            last_seq: seq,
            counts: [0; KIND_SLOTS],
        });
        gap.seq = seq;
        gap.time = time;
        gap.last_seq = seq.saturating_add(1);
        gap.counts = sum(&gap.counts, counts);
    }

    /// Hands the announcements to `tell`, in order of their numbers, and forgets them.
    pub(crate) fn take(&mut self, mut tell: impl FnMut(&[u8])) {
        let (mut session, mut capture) = (self.session.take(), self.capture.take());
        let mut capture_first = false;
        if let (Some(session), Some(capture)) = (&mut session, &mut capture) {
            capture_first = capture.seq < session.first_seq;
            if !capture_first && capture.seq < session.seq {
                // The capture's number is among those that the session lost, which are all free:
                // the last two of them keep the announcements in order.
                capture.seq = session.last_seq;
                session.seq = session.last_seq.saturating_sub(1);
            }
        }
        let session = session.map(|gap| gap.record(stage::SESSION));
        let capture = capture.map(|gap| gap.record(stage::CAPTURE));
        let in_order = if capture_first {
            [capture, session]
        } else {
            [session, capture]
        };
        for record in in_order.into_iter().flatten() {
            tell(record.as_bytes());
        }
    }
}
