//! The events of a session as a [`Stream`], for programs that wait for many things at once.
//! (Feature `stream`.)
//!
//! No executor is needed, and none is preferred: a thread reads the session and wakes whoever
//! polls.
//!
//! ```no_run
//! use ntwatch_client::{DEFAULT_DEVICE, Driver, Error, Filter};
//! # use std::future::poll_fn;
//! # use std::pin::Pin;
//! # use futures_core::Stream;
//!
//! # async fn watch() -> Result<(), Error> {
//! let mut events = Driver::open(DEFAULT_DEVICE)?.watch(&Filter::new())?.into_stream();
//! // `StreamExt::next` of any crate for futures does the same.
//! while let Some(event) = poll_fn(|context| Pin::new(&mut events).poll_next(context)).await {
//!     println!("{}", event?.body.name());
//! }
//! # Ok(())
//! # }
//! ```

use crate::error::Error;
use crate::event::Event;
use crate::records::Stopper;
use crate::watch::Watch;
use futures_core::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

/// Events that may wait to be taken. While there are so many, nothing is read: what comes then
/// waits in the driver's ring, and is lost, and counted, only when that is full.
const MOST_WAITING: usize = 1024;

/// The events of one session, in the driver's order, as [`Watch`] gives them. An error is its last
/// item, behind every event that came before it.
///
/// Dropping it ends the session, and nobody waits for that: the thread that reads closes the driver's
/// handle when it has put down what it is at, a hash of a file or a name that it asks a domain
/// controller for. Who wants the handle closed waits for [`Self::into_watch`] and drops what comes.
pub struct EventStream {
    shared: Arc<Shared>,
    stopper: Stopper,
    /// `None` once it is waited for.
    reader: Option<JoinHandle<Watch>>,
}

/// Between the thread that reads and whoever polls.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// There is room again, or nobody will take anything.
    room: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Result<Event, Error>>,
    /// Who polled when there was nothing.
    waker: Option<Waker>,
    /// Nothing more will be put in.
    ended: bool,
    /// Nothing more will be taken out.
    abandoned: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event in, once there is room. `false` when nobody will take it.
    fn put(&self, event: Result<Event, Error>) -> bool {
        let full =
            |waiting: &mut Waiting| waiting.events.len() >= MOST_WAITING && !waiting.abandoned;
        let waiting = self.room.wait_while(self.lock(), full);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        if waiting.abandoned {
            return false;
        }
        waiting.events.push_back(event);
        wake(waiting);
        true
    }

    /// Whoever reads need not wait for room any more.
    fn abandon(&self) {
        self.lock().abandoned = true;
        self.room.notify_all();
    }
}

/// Wakes who waits. Not under the lock: what a waker does is its own affair.
fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let waker = waiting.waker.take();
    drop(waiting);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Tells of the end, however the thread that reads ends.
struct AtEnd<'s>(&'s Shared);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.ended = true;
        wake(waiting);
    }
}

impl EventStream {
    pub(crate) fn of(mut watch: Watch) -> Self {
        let (shared, stopper) = (Arc::<Shared>::default(), watch.stopper());
        let of_reader = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            let _at_end = AtEnd(&of_reader);
            for event in watch.by_ref() {
                if !of_reader.put(event) {
                    break;
                }
            }
            watch
        });
        Self {
            shared,
            stopper,
            reader: Some(reader),
        }
    }

    /// A handle that ends this stream.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Ends the stream and gives back what it came from, for its account: the driver's counters,
    /// what was lost, why it ended. Events that nobody has taken are dropped, but what was read
    /// ahead still comes out of the iterator.
    ///
    /// It waits for the thread that reads, which may be seconds. Where nothing may block, drop the
    /// stream, or wait elsewhere.
    ///
    /// # Panics
    ///
    /// If a waker has panicked in the thread that reads, or is what calls this.
    #[must_use]
    pub fn into_watch(mut self) -> Watch {
        self.end();
        let reader = self.reader.take();
        let reader = reader.filter(|reader| reader.thread().id() != std::thread::current().id());
        let watch = reader.and_then(|reader| reader.join().ok());
        watch.expect("the thread that reads has not panicked")
    }

    /// Has the thread that reads end, soon.
    fn end(&self) {
        self.shared.abandon();
        self.stopper.stop();
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut waiting = self.shared.lock();
        if let Some(event) = waiting.events.pop_front() {
            // Not for each: who reads would take turns with who polls.
            if waiting.events.len() == MOST_WAITING / 2 {
                self.shared.room.notify_one();
            }
            return Poll::Ready(Some(event));
        }
        if waiting.ended {
            return Poll::Ready(None);
        }
        let before = waiting.waker.replace(context.waker().clone());
        // Nor is a waker dropped under the lock.
        drop(waiting);
        drop(before);
        Poll::Pending
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.end();
    }
}
