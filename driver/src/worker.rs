//! The worker: a system work item that carries events from the capture ring to the sessions.
//!
//! A kick enqueues it, and the ring sees to it that one kick begins exactly one run (KMDF does not
//! promise that an item that is enqueued again does not run beside itself). A run is a bounded
//! batch, so that the system's worker thread is free again soon; what is left it leaves to the
//! next run, which it enqueues itself.

use crate::facts::{Windows, upcase};
use crate::nt::time::{interrupt_time, system_time};
use crate::protect;
use crate::state::STATE;
use ntwatch_engine::feeds::{News, SessionSet};
use ntwatch_engine::worker::{self, Pause};
use wdk_sys::WDFWORKITEM;

/// Records of a batch.
const BATCH: u32 = 1024;
/// Time of a batch, in units of 100 ns: 10 ms.
const BATCH_TIME: u64 = 100_000;
/// Records between two looks at the clock, unless images are held against patterns.
const CLOCK_INTERVAL: u32 = 16;

/// Page "EVT_WDF_WORKITEM". PASSIVE_LEVEL.
pub(crate) unsafe extern "C" fn evt_work_item(_: WDFWORKITEM) {
    if STATE.is_stopping() {
        return;
    }
    let (readable, pause) = run();
    for session in readable
        .iter()
        .filter_map(|number| STATE.sessions.get(number))
    {
        session.serve();
    }
    if pause == Pause::More && !STATE.is_stopping() {
        STATE.kick();
    }
}

/// One batch: the sessions that have something new, and whether there is more.
fn run() -> (SessionSet, Pause) {
    let mut readable = SessionSet::default();
    // N.B. The next run may begin before this one returns. It waits here.
    let mut worker = STATE.worker.lock();
    let consumer = STATE.ring.get().and_then(|ring| ring.consumer());
    let (Some(worker), Some(consumer)) = (&mut *worker, consumer) else {
        return (readable, Pause::Asleep);
    };
    let mut records = 0u32;
    let begin = interrupt_time();
    let go_on = || {
        records = records.wrapping_add(1);
        records < BATCH
            && (!(STATE.capture.wants_images() || records.is_multiple_of(CLOCK_INTERVAL))
                || interrupt_time().wrapping_sub(begin) < BATCH_TIME)
    };
    let tell = |news: &News<'_>| {
        if let News::Event(event) = news {
            protect::follow_exit(event);
        }
        readable.merge(STATE.feeds.lock().tell(news, upcase));
    };
    // The handles that it opens on the way are not told of.
    let pause = STATE.as_worker(|| {
        let capture = &STATE.capture;
        worker.run(consumer, capture, &Windows, system_time, tell, go_on)
    });
    (readable, pause)
}

/// Ends the worker and gives back what records in the ring refer to. No callback may come any
/// more. IRQL = PASSIVE_LEVEL.
pub(crate) fn stop() {
    STATE.stop();
    if let Some(objects) = STATE.objects.get() {
        // Twice: the run that the first waits for may have enqueued the next before it saw that
        // it is to stop.
        objects.work_item.flush();
        objects.work_item.flush();
    }
    if let Some(ring) = STATE.ring.get() {
        // Nobody runs. Either it was called and did not come, or it is called here.
        let _ = ring.call();
        if let Some(consumer) = ring.consumer() {
            worker::discard(consumer, &Windows);
        }
    }
    STATE.worker.lock().take();
}
