//! Image loads. The callback knows all that there is to know.

use super::Enricher;
use crate::event::{Event, What};
use crate::facts::System;
use crate::process_table::ProcessId;
use ntwatch_protocol::image::{flags, known};
use ntwatch_protocol::reader::{Record, Records};

impl Enricher {
    pub(super) fn image_load(
        &mut self,
        form: &[u8],
        seq: u64,
        images: bool,
        system: &impl System,
    ) -> Option<Event<'_>> {
        let Some(Ok(Record::ImageLoad(load))) = Records::new(self.number(form, seq)?).next() else {
            return None;
        };
        let kernel = load.flag(flags::KERNEL);
        let process = load
            .known(known::PID, load.pid)
            .map(|pid| ProcessId { pid, key: load.key });
        self.event_about(What::ImageLoad { kernel }, [process, None], images, system)
    }
}
