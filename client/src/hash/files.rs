//! Threads that hash files, and what they remember.

use file_id::FileId;
use lru::LruCache;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Files that are read at once. More would take turns at one disk.
const THREADS: usize = 4;
/// Files whose hashes are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(8192).unwrap();
/// Files that may wait to be read.
const MOST_ASKED: usize = super::MOST_WAITING;
/// Bytes of a read. Between two of them it is looked whether anybody still wants the hash.
const BLOCK: usize = 256 * 1024;
/// File systems note times so coarsely: of a file that was written to a moment ago, another write
/// may not show.
const SETTLED: Duration = Duration::from_secs(2);

/// Where a hash will be, or that there is none. Lower case hexadecimal.
pub(super) type Ticket = Arc<OnceLock<Option<Arc<str>>>>;

type Locate = dyn Fn(&str) -> Option<PathBuf> + Send + Sync;

/// Hashes files, off the caller's path. The threads end with it, each behind the read that it is
/// in: nobody waits for that.
pub(super) struct Files(Arc<Shared>);

struct Shared {
    /// Where a file is, by its path as events have it.
    locate: Box<Locate>,
    desk: Mutex<Desk>,
    /// A file was asked for, or nobody will ask.
    asked: Condvar,
    /// A ticket was filled.
    answered: Condvar,
}

struct Desk {
    /// Files to be read.
    queue: VecDeque<Arc<str>>,
    /// The tickets of those and of the ones that are being read.
    open: HashMap<Arc<str>, Ticket>,
    known: LruCache<Identity, Arc<str>>,
    closed: bool,
}

/// What tells a file from others, and from what it was before it was written to: its number on its
/// volume, its size, and when it was last written to and last changed at all. Of these times whoever
/// writes to the file may set the first back, but that is a change, too.
///
/// N.B. On Windows both can be set, and on FAT there is no time of the change. Who goes that far has
/// the hash of the file as it was told, unless the client sees it for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    file: FileId,
    size: u64,
    modified: SystemTime,
    changed: SystemTime,
}

impl Identity {
    /// `None` for what is no file that can be read to its end.
    fn of(path: &Path) -> Option<Self> {
        let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            file: file_id::get_file_id(path).ok()?,
            size: about.len(),
            modified: about.modified().ok()?,
            changed: changed(path, &about)?,
        })
    }

    /// Would a later write show?
    fn is_settled(&self) -> bool {
        let times = [self.modified, self.changed];
        times
            .iter()
            .all(|time| time.elapsed().is_ok_and(|age| age > SETTLED))
    }
}

/// When anything of a file was changed, its times among that (`st_ctime`).
#[cfg(unix)]
fn changed(_path: &Path, about: &fs::Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = Duration::from_secs(about.ctime().try_into().ok()?);
    let rest = Duration::from_nanos(about.ctime_nsec().try_into().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(seconds + rest)
}

#[cfg(windows)]
fn changed(path: &Path, _about: &fs::Metadata) -> Option<SystemTime> {
    crate::transport::windows::changed(path)
}

impl Files {
    /// Of the files that `locate` finds, which may take its time.
    pub(super) fn new(locate: impl Fn(&str) -> Option<PathBuf> + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            locate: Box::new(locate),
            desk: Mutex::new(Desk {
                queue: VecDeque::new(),
                open: HashMap::new(),
                known: LruCache::new(REMEMBERED),
                closed: false,
            }),
            asked: Condvar::new(),
            answered: Condvar::new(),
        });
        for _ in 0..THREADS {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.work());
        }
        Self(shared)
    }

    /// Asks for the hash of the file at `path`, a path as events have it. Who asks while it is
    /// being looked for gets the same ticket. If too many are asked for, it stays empty.
    pub(super) fn ask(&self, path: &Arc<str>) -> Ticket {
        let mut desk = self.0.desk();
        if let Some(ticket) = desk.open.get(path) {
            return Arc::clone(ticket);
        }
        let ticket = Ticket::default();
        if desk.queue.len() < MOST_ASKED {
            desk.open.insert(Arc::clone(path), Arc::clone(&ticket));
            desk.queue.push_back(Arc::clone(path));
            self.0.asked.notify_one();
        }
        ticket
    }

    /// Waits until the ticket is filled, or it is too late for that.
    pub(super) fn wait(&self, ticket: &Ticket, until: Instant) {
        let time = until.saturating_duration_since(Instant::now());
        let empty = |_: &mut Desk| ticket.get().is_none();
        drop(
            self.0
                .answered
                .wait_timeout_while(self.0.desk(), time, empty),
        );
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.0.desk().closed = true;
        self.0.asked.notify_all();
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(path) = self.next() {
            let hash = self.look(&path);
            let mut desk = self.desk();
            if let Some(ticket) = desk.open.remove(&path) {
                // Nobody else fills it.
                let _ = ticket.set(hash);
            }
            drop(desk);
            self.answered.notify_all();
        }
    }

    /// Waits for a file to read. `None` once there will be no other.
    fn next(&self) -> Option<Arc<str>> {
        let idle = |desk: &mut Desk| desk.queue.is_empty() && !desk.closed;
        let desk = self.asked.wait_while(self.desk(), idle);
        let mut desk = desk.unwrap_or_else(PoisonError::into_inner);
        if desk.closed {
            return None;
        }
        desk.queue.pop_front()
    }

    /// The hash of the file at `path`, from memory if the file is the same.
    fn look(&self, path: &str) -> Option<Arc<str>> {
        let path = (self.locate)(path)?;
        let identity = Identity::of(&path)?;
        if let Some(hash) = self.desk().known.get(&identity) {
            return Some(Arc::clone(hash));
        }
        let hash: Arc<str> = self.read(&path)?.into();
        // Else what was read is neither what it was nor what it is.
        if Identity::of(&path)? != identity {
            return None;
        }
        if identity.is_settled() {
            self.desk().known.put(identity, Arc::clone(&hash));
        }
        Some(hash)
    }

    fn read(&self, path: &Path) -> Option<String> {
        let mut file = File::open(path).ok()?;
        let (mut sha256, mut block) = (Sha256::new(), vec![0; BLOCK]);
        while !self.desk().closed {
            match file.read(&mut block) {
                Ok(0) => return Some(hexadecimal(&sha256.finalize())),
                Ok(len) => sha256.update(&block[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        None
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    /// Files below a directory, by their names.
    fn below(dir: &tempfile::TempDir) -> Files {
        let dir = dir.path().to_owned();
        Files::new(move |name| Some(dir.join(name)))
    }

    fn hash(files: &Files, name: &str) -> Option<Arc<str>> {
        let ticket = files.ask(&name.into());
        files.wait(&ticket, Instant::now() + Duration::from_secs(60));
        ticket.get().expect("an answer").clone()
    }

    /// Writes a file, and has it look as if that were long ago.
    fn write(path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn a_hash_is_what_sha256sum_says() {
        let dir = tempfile::tempdir().unwrap();
        let files = below(&dir);
        for len in [0, 1, BLOCK, 2 * BLOCK + 1] {
            let path = dir.path().join("file");
            fs::write(&path, vec![0x4d; len]).unwrap();
            let said = Command::new("sha256sum")
                .arg(&path)
                .output()
                .unwrap()
                .stdout;
            let said = std::str::from_utf8(&said).unwrap().split(' ').next();
            assert_eq!(hash(&files, "file").as_deref(), said, "{len} bytes");
        }
    }

    #[test]
    fn what_is_no_file_has_no_hash() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = Command::new("mkfifo").arg(dir.path().join("fifo")).status();
        assert!(fifo.unwrap().success());
        let files = below(&dir);
        for name in ["missing", "fifo", ".", "/dev/zero"] {
            assert_eq!(hash(&files, name), None, "{name}");
        }
    }

    fn remember(files: &Files, path: &Path) -> Identity {
        let identity = Identity::of(path).unwrap();
        files.0.desk().known.put(identity, "remembered".into());
        identity
    }

    #[test]
    fn a_file_is_read_again_only_if_it_looks_changed() {
        let dir = tempfile::tempdir().unwrap();
        let files = below(&dir);
        let path = dir.path().join("file");
        write(&path, b"one");
        let before = remember(&files, &path);
        assert_eq!(hash(&files, "file").as_deref(), Some("remembered"));

        // In place, of the same size, and with the time of before. File systems note times coarsely.
        while Identity::of(&path).unwrap() == before {
            write(&path, b"two");
        }
        let after = Identity::of(&path).unwrap();
        assert_eq!((after.size, after.modified), (before.size, before.modified));
        let two = hash(&files, "file");
        assert_ne!(two.as_deref(), Some("remembered"));

        let other = dir.path().join("other");
        write(&other, b"three");
        let three = hash(&files, "other");
        remember(&files, &path);
        fs::rename(&other, &path).unwrap();
        assert_eq!(hash(&files, "file"), three);
        assert!(three.is_some() && three != two);
    }

    #[test]
    fn a_file_that_was_written_just_now_is_read_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let files = below(&dir);
        let path = dir.path().join("file");
        let hashes = ["one", "two"].map(|text| {
            write(&path, text.as_bytes());
            hash(&files, "file").expect("a hash")
        });
        assert_ne!(hashes[0], hashes[1]);
    }

    #[test]
    fn a_file_that_takes_long_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "file").unwrap();
        let door = Arc::new(Mutex::new(()));
        let files = {
            let (dir, door) = (dir.path().to_owned(), Arc::clone(&door));
            Files::new(move |name| {
                if name == "slow" {
                    drop(door.lock());
                }
                Some(dir.join("file"))
            })
        };
        let closed = door.lock().unwrap();
        let slow = files.ask(&"slow".into());
        let again = files.ask(&"slow".into());
        assert!(Arc::ptr_eq(&slow, &again), "it is looked for once");
        let quick = hash(&files, "quick");
        assert!(quick.is_some());
        assert_eq!(slow.get(), None);
        drop(closed);
        assert_eq!(hash(&files, "slow"), quick);
    }
}
