//! Which basic blocks of a driver have run: of the shipped file, with nothing built into it.
//!
//! Where [`VARIABLE`] names a directory, an image `NAME` for which there is `NAME.blocks` (the
//! offset of each block in hexadecimal, one a line) has a breakpoint put on each. Who runs into one
//! has the byte put back and goes on there, and the offset is added to `NAME.hits`. So each block
//! costs one signal in a process, and any number of processes may run at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::{env, ptr};

/// The variable of the environment that names the directory.
const VARIABLE: &str = "NTWATCH_COVERAGE";

const INT3: u8 = 0xcc;

/// What is wanted of all images of one name in this process.
#[derive(Debug)]
struct Blocks {
    /// The offsets of those that have not run.
    left: Mutex<BTreeSet<u32>>,
    hits: File,
}

/// An image with breakpoints in it.
#[derive(Debug)]
struct Armed {
    base: usize,
    /// What was at the offsets where breakpoints were put. N.B. it stays when they are gone:
    /// another thread may have run into one that this moment was taken away.
    bytes: BTreeMap<u32, u8>,
    blocks: Arc<Blocks>,
}

static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());

/// This process' memory, writable whatever its protection says.
static MEMORY: LazyLock<File> = LazyLock::new(|| {
    let memory = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/proc/self/mem");
    memory.expect("Linux has /proc")
});

/// Breakpoints in an image. Dropped before the image goes.
#[derive(Debug)]
pub(crate) struct Breakpoints {
    base: usize,
}

impl Drop for Breakpoints {
    fn drop(&mut self) {
        let mut armed = ARMED.lock().unwrap();
        armed.retain(|image| image.base != self.base);
    }
}

/// Puts breakpoints into the image `name`, `size` bytes at `base`, if the environment asks for that.
/// It must not run yet.
///
/// # Panics
/// When the blocks are not this image's, or a file cannot be read or written.
pub(crate) fn watch(name: &str, base: usize, size: usize) -> Option<Breakpoints> {
    static DIRECTORY: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os(VARIABLE).map(PathBuf::from));
    static KNOWN: Mutex<BTreeMap<String, Option<Arc<Blocks>>>> = Mutex::new(BTreeMap::new());

    let directory = DIRECTORY.as_ref()?;
    let mut known = KNOWN.lock().unwrap();
    let blocks = known.entry(name.to_owned()).or_insert_with(|| {
        Blocks::read(directory, name)
            .unwrap_or_else(|error| panic!("{}: blocks of {name}: {error}", directory.display()))
            .map(Arc::new)
    });
    let blocks = Arc::clone(blocks.as_ref()?);
    Some(arm(blocks, base, size))
}

impl Blocks {
    /// Those of the image `name`, if the directory has any.
    fn read(directory: &Path, name: &str) -> io::Result<Option<Blocks>> {
        let path = directory.join(format!("{name}.blocks"));
        if !path.exists() {
            return Ok(None);
        }
        let offset = |line| {
            u32::from_str_radix(line, 16)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        };
        let left = fs::read_to_string(path)?
            .lines()
            .map(offset)
            .collect::<Result<_, _>>()?;
        let mut hits = OpenOptions::new();
        Ok(Some(Blocks {
            left: Mutex::new(left),
            hits: hits
                .create(true)
                .append(true)
                .open(directory.join(format!("{name}.hits")))?,
        }))
    }

    fn ran(&self, offset: u32) {
        if self.left.lock().unwrap().remove(&offset) {
            // One write at the file's end, so that processes do not get into each other's lines.
            let line = format!("{offset:x}\n");
            (&self.hits)
                .write_all(line.as_bytes())
                .expect("hits can be written");
        }
    }
}

fn arm(blocks: Arc<Blocks>, base: usize, size: usize) -> Breakpoints {
    handle_traps();
    let mut image = vec![0; size];
    MEMORY
        .read_exact_at(&mut image, base as u64)
        .expect("a driver's image can be read");
    let mut bytes = BTreeMap::new();
    for &offset in blocks.left.lock().unwrap().iter() {
        let byte = image.get_mut(offset as usize);
        let byte = byte.expect("the blocks are this image's");
        bytes.insert(offset, mem::replace(byte, INT3));
    }
    let code = match (bytes.keys().next(), bytes.keys().next_back()) {
        (Some(&first), Some(&last)) => first as usize..=last as usize,
        _ => return Breakpoints { base },
    };
    // Known before the first is there.
    ARMED.lock().unwrap().push(Armed {
        base,
        bytes,
        blocks,
    });
    put(base + code.start(), &image[code.clone()]);
    Breakpoints { base }
}

fn put(address: usize, code: &[u8]) {
    MEMORY
        .write_all_at(code, address as u64)
        .expect("a process may write its own memory");
}

/// Takes away the breakpoint at `address`, if one was put there.
fn take_away(address: usize) -> bool {
    let armed = ARMED.lock().unwrap();
    let found = armed.iter().find_map(|image| {
        let offset = address.checked_sub(image.base)?.try_into().ok()?;
        Some((image, offset, *image.bytes.get(&offset)?))
    });
    // N.B. what was an `int3` already is the driver's own, and would come back for ever.
    let Some((image, offset, byte)) = found.filter(|(.., byte)| *byte != INT3) else {
        return false;
    };
    put(address, &[byte]);
    image.blocks.ran(offset);
    true
}

/// Has breakpoints come to [`on_trap`] from now on, in the whole process.
fn handle_traps() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: an action of zeros is valid: the default one, with no flags.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the action is valid, and nothing is asked back.
        let set = unsafe { libc::sigaction(libc::SIGTRAP, &raw const action, ptr::null_mut()) };
        assert_eq!(set, 0, "SIGTRAP can be handled");
    });
}

/// Goes on at the breakpoint, which is gone. What is no breakpoint of ours ends the process, as it
/// does without us.
///
/// N.B. what it calls takes locks and memory, which a signal handler may only do because the trap
/// is one of driver code, which holds neither.
unsafe extern "C" fn on_trap(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the context is the interrupted thread's, which waits for us.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let next = &mut registers[libc::REG_RIP as usize];
    // The instruction has one byte.
    let at = *next - 1;
    if take_away(at as usize) {
        *next = at;
        return;
    }
    // SAFETY: the default action has no handler that could be wrong.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: no more than a signal, which comes when this handler is left.
    unsafe { libc::raise(signal) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
    use std::mem::transmute;
    use std::thread;

    /// `xor eax, eax; test ecx, ecx; je end; mov al, 7; end: ret`.
    const CODE: [u8; 9] = [0x31, 0xc0, 0x85, 0xc9, 0x74, 0x02, 0xb0, 0x07, 0xc3];
    const BLOCKS: &str = "0\n6\n8\n";
    const PAGE: usize = 4096;

    type Function = unsafe extern "win64" fn(u32) -> u32;

    fn call(base: usize, argument: u32) -> u32 {
        // SAFETY: `CODE` is a function of this type.
        let function = unsafe { transmute::<usize, Function>(base) };
        // SAFETY: it touches nothing but two registers.
        unsafe { function(argument) }
    }

    fn code() -> usize {
        let writable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a private mapping at an address of the system's choice replaces nothing.
        let memory = unsafe { mmap_anonymous(ptr::null_mut(), PAGE, writable, MapFlags::PRIVATE) };
        let memory = memory.unwrap();
        // SAFETY: the mapping is new, writable and longer than the code.
        unsafe { ptr::copy_nonoverlapping(CODE.as_ptr(), memory.cast(), CODE.len()) };
        let runnable = MprotectFlags::READ | MprotectFlags::EXEC;
        // SAFETY: the whole of our own mapping, which nobody else knows of.
        unsafe { mprotect(memory, PAGE, runnable) }.unwrap();
        memory.addr()
    }

    struct Room(tempfile::TempDir);

    impl Room {
        fn new() -> Room {
            let room = Room(tempfile::tempdir().unwrap());
            fs::write(room.0.path().join("code.sys.blocks"), BLOCKS).unwrap();
            room
        }

        fn blocks(&self) -> Arc<Blocks> {
            let blocks = Blocks::read(self.0.path(), "code.sys").unwrap();
            Arc::new(blocks.unwrap())
        }

        fn hits(&self) -> Vec<String> {
            let hits = fs::read_to_string(self.0.path().join("code.sys.hits")).unwrap();
            hits.lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn a_block_is_told_of_when_it_runs_first() {
        let room = Room::new();
        let base = code();
        let _breakpoints = arm(room.blocks(), base, PAGE);
        assert_eq!(call(base, 0), 0);
        assert_eq!(room.hits(), ["0", "8"]);
        assert_eq!(call(base, 1), 7);
        assert_eq!(call(base, 1), 7);
        assert_eq!(room.hits(), ["0", "8", "6"]);
    }

    #[test]
    fn threads_that_run_into_a_breakpoint_at_once_all_go_on() {
        for _ in 0..50 {
            let room = Room::new();
            let base = code();
            let _breakpoints = arm(room.blocks(), base, PAGE);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| assert_eq!(call(base, 1), 7));
                }
            });
            assert_eq!(room.hits().len(), 3);
        }
    }

    #[test]
    fn machines_of_a_process_share_what_has_run() {
        let room = Room::new();
        let blocks = room.blocks();
        let (first, second, third) = (code(), code(), code());
        let _first = arm(Arc::clone(&blocks), first, PAGE);
        let _second = arm(Arc::clone(&blocks), second, PAGE);
        assert_eq!((call(first, 1), call(second, 1)), (7, 7));
        let _third = arm(blocks, third, PAGE);
        assert_eq!(call(third, 1), 7);
        assert_eq!(room.hits(), ["0", "6", "8"]);
    }

    #[test]
    fn an_image_without_blocks_is_left_alone() {
        let room = Room::new();
        let blocks = Blocks::read(room.0.path(), "other.sys").unwrap();
        assert!(blocks.is_none());
    }
}
