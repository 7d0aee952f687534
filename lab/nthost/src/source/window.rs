//! A bound on what is made and not yet read.

use super::Stage;
use super::sessions::LOOK_AGAIN;
use ntwatch_protocol::record::{KIND_SLOTS, Kind, PerKind};
use std::collections::VecDeque;
use std::thread;

/// Keeps what is made and not yet read small enough for the smallest ring.
///
/// Clients read in order, so that of each kind it is the newest events that are not read yet. How
/// many that is they are asked when there seems to be no room.
#[derive(Default)]
pub(super) struct Window {
    /// Bytes of the events of each kind, the newest at the end.
    made: [VecDeque<usize>; KIND_SLOTS],
    /// The sum of them all.
    bytes: usize,
}

/// Half of the smallest ring that a session can have.
const WINDOW: usize = 512 * 1024;

impl Window {
    /// Waits until events of these kinds and sizes fit together, then counts them in. While nobody
    /// watches there is no room. `false` when the source has to end.
    pub(super) fn admit(&mut self, events: &[(Kind, usize)], stage: &Stage<'_>) -> bool {
        while !stage.stopped() {
            if !stage.sessions.has_one() {
                if stage.once && stage.sessions.had_one() {
                    return false;
                }
                stage.sessions.wait_for_one(|| stage.stopped());
                continue;
            }
            if self.try_admit(events) {
                return true;
            }
            if let Some(undelivered) = stage.sessions.undelivered() {
                self.forget_delivered(&undelivered);
                if self.try_admit(events) {
                    return true;
                }
            }
            thread::sleep(LOOK_AGAIN);
        }
        false
    }

    fn try_admit(&mut self, events: &[(Kind, usize)]) -> bool {
        let size: usize = events.iter().map(|(_, size)| size).sum();
        let fits = self.bytes == 0 || self.bytes + size <= WINDOW;
        if fits {
            self.bytes += size;
            for (kind, size) in events {
                self.made[kind.index()].push_back(*size);
            }
        }
        fits
    }

    fn forget_delivered(&mut self, undelivered: &PerKind) {
        for (made, undelivered) in self.made.iter_mut().zip(undelivered) {
            while made.len() as u64 > *undelivered {
                self.bytes -= made.pop_front().unwrap_or(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_once_events_of_the_same_kind_are_read() {
        let mut window = Window::default();
        let half = [(Kind::ImageLoad, WINDOW / 2)];
        assert!(window.try_admit(&half));
        assert!(window.try_admit(&half));
        assert!(!window.try_admit(&[(Kind::ThreadExit, 1)]));
        let mut undelivered = PerKind::default();
        undelivered[Kind::ImageLoad.index()] = 2;
        window.forget_delivered(&undelivered);
        assert!(!window.try_admit(&half));
        undelivered[Kind::ImageLoad.index()] = 1;
        window.forget_delivered(&undelivered);
        assert!(window.try_admit(&half));
    }

    #[test]
    fn what_nobody_listens_to_takes_no_room_from_what_somebody_does() {
        let mut window = Window::default();
        let start = [(Kind::ProcessStart, WINDOW - 1)];
        assert!(window.try_admit(&start));
        let mut undelivered = PerKind::default();
        undelivered[Kind::ProcessStart.index()] = 1;
        for _ in 0..9 {
            assert!(window.try_admit(&[(Kind::HandleOpen, 1)]));
            window.forget_delivered(&undelivered);
        }
        assert!(!window.try_admit(&start));
    }

    #[test]
    fn what_is_larger_than_the_window_goes_alone() {
        let mut window = Window::default();
        let large = [(Kind::ProcessStart, WINDOW + 1)];
        assert!(window.try_admit(&large));
        assert!(!window.try_admit(&[(Kind::ProcessExit, 1)]));
        window.forget_delivered(&PerKind::default());
        assert!(window.try_admit(&large));
    }
}
