//! The input that runs, in a file that outlives the program: a driver that stops the machine, or a
//! fault, leaves no time to write one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// An input that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The file.
pub(crate) struct Running {
    path: PathBuf,
    file: File,
    len: usize,
    /// Counts up when an input begins and when it ends: odd while one runs.
    count: Arc<AtomicU64>,
}

impl Running {
    /// Uses the file at `path`.
    pub(crate) fn new(path: &Path) -> Self {
        let file =
            File::create(path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        let count = Arc::new(AtomicU64::new(0));
        watch(Arc::downgrade(&count), path.to_owned());
        eprintln!("should this program die, {} is why", path.display());
        Self {
            path: path.to_owned(),
            file,
            len: 0,
            count,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the input.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn begin(&mut self, input: &[u8]) {
        let write = || {
            self.file.write_all_at(input, 0)?;
            self.file.set_len(input.len() as u64)
        };
        write().unwrap_or_else(|e| panic!("cannot write {}: {e}", self.path.display()));
        self.len = input.len();
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ends the program when an input does not end.
fn watch(count: Weak<AtomicU64>, path: PathBuf) {
    thread::spawn(move || {
        let mut last = 0;
        while let Some(count) = count.upgrade() {
            let now = count.load(Ordering::Relaxed);
            if now == last && now % 2 == 1 {
                eprintln!("{} takes more than {PATIENCE:?}", path.display());
                std::process::abort();
            }
            last = now;
            drop(count);
            thread::sleep(PATIENCE);
        }
    });
}
