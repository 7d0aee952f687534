//! Opens of handles. The callbacks know all that there is to know.

use super::Enricher;
use crate::event::{Event, What};
use crate::facts::System;
use crate::process_table::ProcessId;
use ntwatch_protocol::handle::flags;
use ntwatch_protocol::reader::{Record, Records};

impl Enricher {
    pub(super) fn handle_open(
        &mut self,
        form: &[u8],
        seq: u64,
        images: bool,
        system: &impl System,
    ) -> Option<Event<'_>> {
        let Some(Ok(Record::HandleOpen(open))) = Records::new(self.number(form, seq)?).next()
        else {
            return None;
        };
        let what = What::HandleOpen {
            thread: open.flag(flags::THREAD),
            original: open.original,
        };
        let source = ProcessId {
            pid: open.source_pid,
            key: open.source_key,
        };
        let target = ProcessId {
            pid: open.target_pid,
            key: open.target_key,
        };
        self.event_about(what, [Some(source), Some(target)], images, system)
    }
}
