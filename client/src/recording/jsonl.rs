//! JSON Lines, read.

use super::cut_off::Rest;
use super::error::Fault;
use super::next::Next;
use crate::event::{Event, ReadError};
use std::io::BufRead;
use std::str;

/// Events of lines.
pub(super) struct JsonLines<R> {
    from: R,
    line: Vec<u8>,
    /// Of the last line.
    number: u64,
    /// Bytes of all lines.
    pub(super) passed: u64,
}

impl<R: BufRead> JsonLines<R> {
    pub(super) const fn new(from: R) -> Self {
        Self {
            from,
            line: Vec::new(),
            number: 0,
            passed: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Next, Fault> {
        loop {
            self.line.clear();
            let len = self.from.read_until(b'\n', &mut self.line)?;
            if len == 0 {
                return Ok(Next::End);
            }
            self.number += 1;
            self.passed += len as u64;
            if !self.line.trim_ascii().is_empty() {
                return self.event();
            }
        }
    }

    fn event(&self) -> Result<Next, Fault> {
        let (text, whole) = match str::from_utf8(&self.line) {
            Ok(text) => (text, text.ends_with('\n')),
            // Cut off in the middle of a character, and not anything.
            Err(error) if error.error_len().is_none() => {
                let text = &self.line[..error.valid_up_to()];
                (str::from_utf8(text).unwrap_or_default(), false)
            }
            Err(error) => {
                let place = super::error::Place::Column(self.number, error.valid_up_to() + 1);
                return Err(Fault::Damaged(place, "this is not UTF-8".to_owned()));
            }
        };
        match Event::from_json(text) {
            Ok(event) => Ok(Next::Event(event)),
            Err(ReadError::Json(error)) if error.is_eof() && !whole => {
                Ok(Next::CutOff(Rest::Line {
                    line: self.number,
                    bytes: self.line.len(),
                }))
            }
            Err(error) => Err(Fault::line(self.number, &error)),
        }
    }
}
