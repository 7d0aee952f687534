//! READ_EVENTS, ahead of whoever wants the records.

use super::source::Patience;
use crate::transport::{Fault, Transport};
use ntwatch_protocol::record::MAX_RECORD_SIZE;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

/// Bytes of a read's buffer: room for some hundreds of usual records.
const READ_SIZE: usize = 2 * MAX_RECORD_SIZE;
/// Buffers in turn: one is read into while records are lent from another and the third waits.
const BUFFERS: usize = 3;

/// The thread that reads, the buffers between it and the reader of records, and the one that
/// records are lent from.
pub(super) struct ReadAhead {
    from: Batch,
    full: Receiver<Result<Batch, Fault>>,
    /// `None` only while dropped.
    empty: Option<Sender<Box<[u8]>>>,
    transport: Arc<dyn Transport>,
    thread: Option<JoinHandle<()>>,
}

/// What a read brought.
#[derive(Default)]
struct Batch {
    buffer: Box<[u8]>,
    /// Bytes of it that are passed.
    passed: usize,
    /// Bytes of it that are records.
    len: usize,
}

impl ReadAhead {
    pub(super) fn begin(transport: Arc<dyn Transport>) -> Self {
        let (to_reader, full) = channel();
        let (empty, from_reader) = channel();
        for _ in 0..BUFFERS {
            let _ = empty.send(vec![0; READ_SIZE].into_boxed_slice());
        }
        let reading = Arc::clone(&transport);
        let thread = std::thread::spawn(move || {
            for mut buffer in from_reader {
                let read = reading.read_events(&mut buffer).map(|len| Batch {
                    len: len.min(buffer.len()),
                    passed: 0,
                    buffer,
                });
                let last = read.is_err();
                if to_reader.send(read).is_err() || last {
                    break;
                }
            }
        });
        Self {
            from: Batch::default(),
            full,
            empty: Some(empty),
            transport,
            thread: Some(thread),
        }
    }

    /// Waits until there is something. `false` when patience ends before.
    pub(super) fn wait(&mut self, patience: Patience) -> Result<bool, Fault> {
        while self.from.passed >= self.from.len {
            self.give_back();
            let read = match patience {
                Patience::None => match self.full.try_recv() {
                    Err(TryRecvError::Empty) => return Ok(false),
                    read => read.ok(),
                },
                Patience::Time(time) => match self.full.recv_timeout(time) {
                    Err(RecvTimeoutError::Timeout) => return Ok(false),
                    read => read.ok(),
                },
                Patience::Endless => self.full.recv().ok(),
            };
            // The thread ends behind the read that failed.
            self.from = read.unwrap_or(Err(Fault::Stopped))?;
        }
        Ok(true)
    }

    /// The records that were read and not passed.
    pub(super) fn bytes(&self) -> &[u8] {
        let records = self.from.buffer.get(self.from.passed..self.from.len);
        records.unwrap_or_default()
    }

    /// The first `len` of [`Self::bytes`] are done with.
    pub(super) fn pass(&mut self, len: usize) {
        self.from.passed += len;
    }

    fn give_back(&mut self) {
        let Batch { buffer, .. } = std::mem::take(&mut self.from);
        if let Some(empty) = self.empty.as_ref().filter(|_| !buffer.is_empty()) {
            // The thread is gone once it has failed; nobody needs the buffer then.
            let _ = empty.send(buffer);
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.transport.stop_reads();
        self.empty = None;
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked for a reason of ours, and there is nothing to undo.
            let _ = thread.join();
        }
    }
}
