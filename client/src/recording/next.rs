//! What the reader of any format finds next.

use super::cut_off::Rest;
use crate::event::Event;

#[derive(Debug)]
pub(super) enum Next {
    Event(Event),
    /// The beginning of one.
    CutOff(Rest),
    End,
}
