//! The reads' end of a session's ring.

use ntwatch_ring::session::Consumer;

/// Where a read puts records. Write-only: the client may change the memory at any time.
pub trait Output {
    /// Bytes that are left.
    fn room(&self) -> usize;
    /// Adds a record, of at most [`Self::room`] bytes.
    fn push(&mut self, record: &[u8]);
}

/// Brings records to a client that asks for them.
pub struct Reader<'r> {
    ring: Consumer<'r>,
}

impl<'r> Reader<'r> {
    /// Nothing was read yet. The ring is one that only the driver reaches.
    pub const fn new(ring: Consumer<'r>) -> Self {
        Self { ring }
    }

    /// Is there nothing to read?
    pub fn is_empty(&mut self) -> bool {
        !matches!(self.ring.peek(), Ok(Some(_)))
    }

    /// Moves whole records to `out`, as many as fit. One of
    /// [`ntwatch_protocol::record::MAX_RECORD_SIZE`] always takes one.
    pub fn read(&mut self, out: &mut impl Output) {
        // Nobody else can have damaged the ring; one that is has nothing more to read.
        while let Ok(Some(record)) = self.ring.peek() {
            if record.len() > out.room() {
                break;
            }
            out.push(record);
            self.ring.release();
        }
        // The account is to have all that a read has carried away.
        self.ring.publish();
    }
}
