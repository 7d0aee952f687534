//! MAP_RING: when to sleep, and when to ask the driver.

use super::source::{Broken, Patience};
use crate::transport::mapping::{Mapping, Wake, Woken};
use crate::transport::{Fault, Transport};
use ntwatch_protocol::ioctl::{GET_STATS, Stats};
use ntwatch_ring::session::{Consumer, Damaged, Until, state};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zerocopy::{FromZeros, IntoBytes};

/// The reader of a mapped ring.
pub(super) struct InPlace {
    mapping: Mapping,
    /// How long the first record after a sleep waits for company.
    linger: Duration,
    transport: Arc<dyn Transport>,
}

impl InPlace {
    pub(super) fn new(mapping: Mapping, linger: Duration, transport: Arc<dyn Transport>) -> Self {
        Self {
            mapping,
            linger,
            transport,
        }
    }

    /// Waits until there is a record. `false` when patience ends before.
    pub(super) fn wait(&mut self, patience: Patience) -> Result<bool, Broken> {
        let Mapping {
            views,
            wake,
            wake_bytes,
        } = &mut self.mapping;
        let (linger, enough) = (self.linger, u64::from(*wake_bytes));
        let announce = || have_gap_announced(&*self.transport);
        views.consumer(|consumer| {
            let deadline = patience.deadline();
            let mut announced = false;
            loop {
                // A reader who is always behind never sleeps, and can be stopped all the same.
                if wake.is_stopped() {
                    // The account is to have all that was read.
                    consumer.publish();
                    return Err(Fault::Stopped.into());
                }
                let Some(said) = drained(consumer)? else {
                    return Ok(true);
                };
                if said & state::GAP != 0 && !announced {
                    announce()?;
                    announced = true;
                } else if said & state::ENDED != 0 {
                    return Err(Fault::ShuttingDown.into());
                } else if let Patience::None = patience {
                    return Ok(false);
                } else {
                    match sleep(consumer, Until::Anything, &**wake, deadline)? {
                        Some(Woken::TimedOut) => return Ok(false),
                        Some(Woken::Signalled) if !linger.is_zero() => {
                            gather(consumer, enough, &**wake, linger)?;
                        }
                        _ => {}
                    }
                }
            }
        })
    }

    /// The next record, if there is one.
    pub(super) fn bytes(&mut self) -> Result<&[u8], Damaged> {
        let record = self.mapping.views.consumer(|consumer| consumer.peek());
        record.map(Option::unwrap_or_default)
    }

    /// That record is done with: the driver may write there, once it knows.
    pub(super) fn pass(&mut self) {
        self.mapping.views.consumer(|consumer| consumer.release());
    }

    /// Lets the driver know.
    pub(super) fn publish(&mut self) {
        self.mapping.views.consumer(|consumer| consumer.publish());
    }
}

/// What the driver says beside a ring that is drained; `None` of one that is not.
fn drained(consumer: &mut Consumer<'_>) -> Result<Option<u64>, Damaged> {
    if consumer.peek()?.is_some() {
        return Ok(None);
    }
    // What was pushed before it was said is seen by the look behind this one.
    let said = consumer.state();
    Ok(consumer.peek()?.is_none().then_some(said))
}

/// `None` if there is no reason to sleep.
fn sleep(
    consumer: &mut Consumer<'_>,
    until: Until,
    wake: &dyn Wake,
    deadline: Option<Instant>,
) -> Result<Option<Woken>, Fault> {
    let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
    match consumer.sleep(until) {
        Some(_asleep) => wake.wait(deadline.map(left)).map(Some),
        None => Ok(None),
    }
}

/// Lets a record wait for others, until there is enough, time is over, or the driver has something
/// to say.
fn gather(
    consumer: &mut Consumer<'_>,
    enough: u64,
    wake: &dyn Wake,
    linger: Duration,
) -> Result<(), Fault> {
    let enough = Until::Bytes(enough);
    let deadline = Instant::now().checked_add(linger);
    while let Some(Woken::Signalled) = sleep(consumer, enough, wake, deadline)? {}
    Ok(())
}

/// GET_STATS has the driver announce what is missing: it cannot see that there is room again.
fn have_gap_announced(transport: &dyn Transport) -> Result<(), Fault> {
    let mut stats = Stats::new_zeroed();
    match transport.control(GET_STATS, &[], stats.as_mut_bytes()) {
        Ok(_) | Err(Fault::ShuttingDown) => Ok(()),
        Err(fault) => Err(fault),
    }
}
