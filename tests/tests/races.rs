//! A read is cancelled while it completes, and completes while it is cancelled: it ends once, and
//! no event is lost by it.

use nthost::io::Moment;
use ntwatch_protocol::reader::{Record, Records};
use ntwatch_protocol::record::Kind;
use ntwatch_tests::account::{assert_balances, assert_counts};
use ntwatch_tests::lab::{PATIENCE, until};
use ntwatch_tests::machine::{end_of, live_and_die, stats, stop_at, submit_read, with_session};

const STATUS_CANCELLED: i32 = 0xC000_0120_u32 as i32;

fn starts_and_exits(bytes: &[u8]) -> usize {
    let records = Records::new(bytes).map(|record| record.expect("the driver writes records"));
    records
        .filter(|record| !matches!(record, Record::Lost(_)))
        .count()
}

#[test]
fn a_read_that_is_completing_is_not_cancelled_any_more() {
    with_session(|kernel, handle| {
        let (completing, go_on) = stop_at(kernel, Moment::Completing);
        let read = submit_read(handle);
        live_and_die(kernel);
        completing
            .recv_timeout(PATIENCE)
            .expect("the worker completes the read");
        assert!(!read.cancel(), "the driver has taken it off its queue");
        go_on.send(()).expect("the worker waits");
        let done = end_of(&read);
        assert_eq!(done.status, 0);
        assert!(starts_and_exits(&done.output) > 0);
    });
}

#[test]
fn a_read_that_is_being_cancelled_takes_no_event_with_it() {
    with_session(|kernel, handle| {
        let (cancelling, go_on) = stop_at(kernel, Moment::Cancelling);
        let read = submit_read(handle);
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(read.cancel(), "it was in the queue"));
            cancelling
                .recv_timeout(PATIENCE)
                .expect("the cancel has begun");
            // The worker finds the read in its queue, and must leave it to the cancel.
            live_and_die(kernel);
            until("the events in the session's ring", || {
                (stats(handle).queued[Kind::ProcessExit.index()] > 0).then_some(())
            });
            assert!(!read.is_complete());
            go_on.send(()).expect("the cancel waits");
        });
        assert_eq!(end_of(&read).status, STATUS_CANCELLED);
        let next = end_of(&submit_read(handle));
        assert_eq!(
            starts_and_exits(&next.output),
            2,
            "the events wait for the next read"
        );
    });
}

#[test]
fn reads_cancelled_at_any_moment_lose_no_event() {
    const ROUNDS: usize = 2000;
    with_session(|kernel, handle| {
        let mut seen = 0;
        std::thread::scope(|scope| {
            let activity = scope.spawn(|| (0..ROUNDS).for_each(|_| live_and_die(kernel)));
            while !activity.is_finished() {
                let read = submit_read(handle);
                read.cancel();
                let done = end_of(&read);
                match done.status {
                    0 => seen += starts_and_exits(&done.output),
                    STATUS_CANCELLED => {}
                    status => panic!("{status:#x}"),
                }
            }
        });
        while seen < 2 * ROUNDS {
            let done = end_of(&submit_read(handle));
            assert_eq!(done.status, 0);
            seen += starts_and_exits(&done.output);
        }
        assert_eq!(seen, 2 * ROUNDS);
        let stats = stats(handle);
        assert_counts(&stats, kernel);
        assert_balances(&stats);
    });
}
