//! A machine that verifies, on which the shipped driver runs beside sessions that mind their own business.

use mutatis::Mutate;
use nthost::Kernel;
use nthost::io::Service;
use nthost::ob::ObjectRef;
use nthost::ps::{NewImage, NewProcess, NewThread, Open, Process};
use ntwatch_protocol::configure::MIN_RING_SIZE;
use ntwatch_protocol::reader::Records;
use ntwatch_tests::account::{Tally, assert_accounts_for, assert_counts, assert_counts_every_open};
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{everything, live_and_die, load, settled, stats, unload};
use ntwatch_tests::verify::boot;
use ntwatch_tests::watcher::{Transport, Watcher};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that the driver tells of.
#[derive(Clone, Debug, Serialize, Deserialize, Mutate)]
pub enum Happening {
    /// A process comes and goes.
    Process,
    /// A thread comes and goes.
    Thread,
    /// An image is mapped.
    Image,
    /// A handle to a process is made and closed.
    Open { access: u32 },
}

/// The machine, and on it a process that runs and two sessions that see everything: one by each
/// transport.
pub(super) struct Machine {
    pub(super) kernel: Arc<Kernel>,
    pub(super) process: ObjectRef<Process>,
    service: Service,
    honest: [Watcher; 2],
}

impl Machine {
    pub(super) fn boot() -> Self {
        let kernel = boot();
        let service = load(&kernel, &Lab::get());
        let process = kernel.add_process(NewProcess::default());
        let all = everything(MIN_RING_SIZE);
        let honest = Transport::ALL.map(|way| Watcher::begin(&kernel, way, MIN_RING_SIZE, &all));
        Self {
            kernel,
            process,
            service,
            honest,
        }
    }

    /// Lets it happen, in this thread.
    pub(super) fn happen(&self, happening: &Happening) {
        let (kernel, process) = (&self.kernel, &self.process);
        match *happening {
            Happening::Process => live_and_die(kernel),
            Happening::Thread => kernel.enter(process, || {
                let thread = kernel.start_thread(process, NewThread::default());
                kernel.exit_thread(&thread, 0);
            }),
            Happening::Image => kernel.enter(process, || {
                let image = NewImage {
                    name: Some(r"\Device\HarddiskVolume3\Windows\System32\ntdll.dll".to_owned()),
                    ..NewImage::default()
                };
                kernel.load_image(Some(process), image);
            }),
            Happening::Open { access } => kernel.enter(&kernel.ps.system, || {
                let handle = kernel.open_process(process, Open::access(access));
                kernel.close_handle(handle.expect("there is room for a handle"));
            }),
        }
    }

    /// Once all others have closed the device.
    ///
    /// # Panics
    /// When the honest sessions have not seen all there was, each once, in order and without loss,
    /// unless the driver was shut down; and when the account is wrong or the driver leaves
    /// something behind.
    pub(super) fn end(self, shut_down: bool) {
        let Self {
            kernel,
            service,
            honest,
            ..
        } = self;
        let mut last = None;
        for mut watcher in honest {
            let before = settled(&watcher.handle);
            let (tally, in_order) = tally(&watcher.rest());
            let account = stats(&watcher.handle);
            assert_accounts_for(&account, &tally);
            if !shut_down {
                assert_counts(&before, &kernel);
                assert_counts_every_open(&before, &kernel);
                assert!(in_order, "events are missing, or out of order");
                assert_eq!(account.delivered, account.offered, "events were lost");
            }
            // A process that dies takes its session with it.
            last = Some(watcher.leave());
        }
        unload(service, last.expect("there are two"));
    }
}

/// What is in these records, and are they without a gap?
fn tally(records: &[u8]) -> (Tally, bool) {
    let mut tally = Tally::default();
    let mut seqs = Vec::new();
    for record in Records::new(records) {
        let record = record.expect("the driver writes records");
        seqs.push(record.header().seq);
        tally.add(&record);
    }
    (tally, seqs.windows(2).all(|pair| pair[1] == pair[0] + 1))
}
