//! One modelled machine, and how a thread of this process becomes a thread of it.

use std::cell::Cell;
use std::ptr;
use std::sync::Arc;

use crate::cm::Registry;
use crate::ex::{Pool, WorkerPool};
use crate::io::Io;
use crate::ke::{Clock, PASSIVE_LEVEL};
use crate::loader::Modules;
use crate::mm::Mm;
use crate::ob::{Callbacks, Census, ObjectRef};
use crate::ps::{Process, Ps, Thread};
use crate::rtl::Log;
use crate::verify::{Verifier, pageable};

/// What a machine is booted with.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The system time, in 100 ns units since 1601. `None` follows the host's clock.
    pub time: Option<i64>,
    /// When it was booted, in the same units; otherwise now.
    pub boot_time: Option<i64>,
    /// Which boot of the machine this is, as start keys have it; otherwise the first.
    pub boot_number: Option<u16>,
    /// Whether what drivers call is verified: the functions that drivers import are then reached by
    /// way of the machine's [`Verifier`].
    pub verify: bool,
}

/// One modelled machine.
///
/// The parts are public: each is the host-side face of the component it is named after.
pub struct Kernel {
    /// System time.
    pub clock: Clock,
    /// Every live object, and what drivers hold of it.
    pub objects: Arc<Census>,
    /// Who is asked about handles to processes and threads.
    pub ob: Callbacks,
    /// Processes and threads.
    pub ps: Ps,
    /// Keys and values, such as the parameters of services.
    pub registry: Registry,
    /// Devices, files and requests.
    pub io: Io,
    /// Images loaded.
    pub modules: Modules,
    /// Memory of drivers.
    pub pool: Pool,
    /// Sections and views.
    pub mm: Mm,
    /// Threads for the work drivers queue.
    pub workers: WorkerPool,
    /// What drivers print.
    pub log: Log,
    /// What sees the calls of drivers, if they are verified.
    pub verifier: Option<Verifier>,
}

impl Kernel {
    /// Boots a machine: the System process exists, nothing is loaded.
    pub fn boot(config: Config) -> Arc<Kernel> {
        let objects = Arc::new(Census::default());
        let clock = Clock::new(config.time);
        let boot_time = config.boot_time.unwrap_or_else(|| clock.now());
        Arc::new(Kernel {
            ps: Ps::new(&objects, boot_time, config.boot_number.unwrap_or(1)),
            clock,
            objects,
            ob: Callbacks::default(),
            registry: Registry::default(),
            io: Io::default(),
            modules: Modules::new(config.verify),
            pool: match config.verify {
                true => Pool::special(),
                false => Pool::default(),
            },
            mm: Mm::default(),
            workers: WorkerPool::default(),
            log: Log::default(),
            verifier: config.verify.then(Verifier::new),
        })
    }

    /// Runs `body` as a new thread of `process`, at PASSIVE_LEVEL.
    ///
    /// Calls nest: the thread that was current before is current again afterwards.
    pub fn enter<R>(self: &Arc<Self>, process: &ObjectRef<Process>, body: impl FnOnce() -> R) -> R {
        let thread = self.ps.create_thread(process);
        self.enter_thread(&thread, body)
    }

    /// Runs `body` as a thread of `process`: as the current one if it is of that process, otherwise
    /// as [`Self::enter`] does.
    pub fn act_as<R>(
        self: &Arc<Self>,
        process: &ObjectRef<Process>,
        body: impl FnOnce() -> R,
    ) -> R {
        let is_current =
            Current::exists() && Current::with(|current| current.thread.process == *process);
        match is_current {
            true => body(),
            false => self.enter(process, body),
        }
    }

    /// Runs `body` as `thread`. One host thread at a time may be a given modelled thread.
    pub fn enter_thread<R>(
        self: &Arc<Self>,
        thread: &ObjectRef<Thread>,
        body: impl FnOnce() -> R,
    ) -> R {
        struct Restore(*const Current);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
                pageable::follow(match Current::exists() {
                    true => Current::with(|current| current.thread.ke.irql()),
                    false => PASSIVE_LEVEL,
                });
            }
        }

        let current = Current {
            kernel: Arc::clone(self),
            thread: thread.clone(),
        };
        let _restore = Restore(CURRENT.replace(&current));
        pageable::follow(thread.ke.irql());
        body()
    }
}

/// The modelled thread this host thread is, and its machine.
pub struct Current {
    /// The machine.
    pub kernel: Arc<Kernel>,
    /// The thread.
    pub thread: ObjectRef<Thread>,
}

thread_local! {
    /// Points into the frame of the innermost [`Kernel::enter_thread`] of this host thread.
    static CURRENT: Cell<*const Current> = const { Cell::new(ptr::null()) };
}

impl Current {
    /// Calls `body` with the current thread.
    ///
    /// # Panics
    /// Outside of [`Kernel::enter`]: a kernel function was called from a thread that is none of
    /// any machine.
    pub fn with<R>(body: impl FnOnce(&Current) -> R) -> R {
        let current = CURRENT.get();
        // SAFETY: the pointer is null or names a `Current` in a live frame further up this very
        // thread's stack: `Restore` takes it back before that frame ends. `body` cannot keep the
        // reference, and nothing borrows the `Current` mutably.
        let current = unsafe { current.as_ref() };
        body(current.expect("a kernel function was called outside of Kernel::enter"))
    }

    /// Whether this host thread is a thread of a machine right now.
    pub fn exists() -> bool {
        !CURRENT.get().is_null()
    }
}
