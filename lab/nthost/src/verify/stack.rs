//! Call stacks of drivers, from the unwind data in their images.
//!
//! A stack is taken as numbers and named when it is printed, so that it can be taken at every call.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use pe_unwind_info::x86_64::{Register, UnwindState, XmmRegister};

use super::call::RSP;
use crate::Current;
use crate::loader::Symbols;

/// What a stack has at most. Only one that is damaged is deeper.
const DEEPEST: usize = 64;

/// Where a thread is in a driver's code, and what its registers hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// The instruction to run next.
    pub(super) instruction: usize,
    /// The general registers by their numbers, `rsp` among them.
    pub(super) registers: [u64; 16],
    /// Whether the thread is in a call, and `instruction` is where that returns to.
    pub(super) is_calling: bool,
}

/// The calls that lead to a place in a driver, innermost first, as far as they are made by drivers
/// without the kernel between them.
///
/// Stacks of different machines compare by images' names and offsets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stack {
    frames: Box<[Frame]>,
    /// Whether the outermost was called by the kernel. Otherwise it cannot be said who did.
    is_whole: bool,
}

/// One function on a stack.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    image: Arc<Symbols>,
    /// In the image, in bytes.
    offset: usize,
    /// Whether the function has called the one before, and `offset` is where that returns to.
    is_calling: bool,
}

impl Stack {
    /// The stack of this thread, which is at `context`.
    pub(super) fn of(context: &Context) -> Stack {
        let mut unwinder = Unwinder {
            registers: context.registers,
            stack: host_stack(),
        };
        let mut frames = Vec::with_capacity(16);
        let mut next = Some(context.instruction);
        let mut is_calling = context.is_calling;
        let mut is_whole = false;
        Current::with(|current| {
            let images = current.kernel.modules.loaded();
            while let Some(at) = next
                && frames.len() < DEEPEST
            {
                let Some(image) = images.iter().find(|image| image.mapping().contains(at)) else {
                    is_whole = true;
                    break;
                };
                let offset = at - image.mapping().base();
                frames.push(Frame {
                    image: Arc::clone(image.symbols()),
                    offset,
                    is_calling,
                });
                next = image.unwind(&mut unwinder, offset as u32);
                is_calling = true;
            }
        });
        Stack {
            frames: frames.into(),
            is_whole,
        }
    }
}

/// The bytes of stack between a place in an image, at `context`, and where the image was called
/// from; `None` if that cannot be told.
pub(super) fn depth(context: &Context) -> Option<usize> {
    let mut unwinder = Unwinder {
        registers: context.registers,
        stack: host_stack(),
    };
    let find = |at| Current::with(|current| current.kernel.modules.find(at));
    let image = find(context.instruction)?;
    let mut at = context.instruction;
    for _ in 0..DEEPEST {
        at = image.unwind(&mut unwinder, (at - image.mapping().base()) as u32)?;
        if !image.mapping().contains(at) {
            let depth = unwinder.registers[RSP] - context.registers[RSP];
            return usize::try_from(depth).ok();
        }
    }
    None
}

impl fmt::Display for Stack {
    /// Ends the line, then has each function on one of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for frame in &self.frames {
            write!(f, "{frame}")?;
        }
        match self.is_whole {
            true => f.write_str("\n    nthost"),
            false => f.write_str("\n    (the rest cannot be told)"),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (image, offset) = (self.image.image(), self.offset);
        // A call may be the last that its line, or its function, does.
        let functions = self
            .image
            .functions_at(offset - usize::from(self.is_calling));
        let Some((function, inlined)) = functions.split_last() else {
            return write!(f, "\n    {image}+{offset:#x}");
        };
        // The library's own are many, and say nothing.
        let is_library = |name: &&String| name.starts_with("core::") || name.starts_with("alloc::");
        for inlined in inlined.iter().filter(|name| !is_library(name)) {
            write!(f, "\n    {image}+{offset:#x} [inline] {inlined}")?;
        }
        write!(f, "\n    {image}+{offset:#x} {function}")
    }
}

impl Frame {
    /// The function of a driver's that a call returns to at `address`.
    pub(super) fn of(address: usize) -> Option<Frame> {
        let image = Current::with(|current| current.kernel.modules.find(address))?;
        Some(Frame {
            image: Arc::clone(image.symbols()),
            offset: address - image.mapping().base(),
            is_calling: true,
        })
    }

    fn identity(&self) -> (&str, usize, bool) {
        (self.image.image(), self.offset, self.is_calling)
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Frame {}

impl Hash for Frame {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for Frame {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Frame {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

/// The registers while they are unwound, and where this thread's stack is.
struct Unwinder {
    registers: [u64; 16],
    stack: Range<usize>,
}

impl UnwindState for Unwinder {
    fn read_register(&mut self, register: Register) -> u64 {
        self.registers[usize::from(register as u8)]
    }

    fn write_register(&mut self, register: Register, value: u64) {
        self.registers[usize::from(register as u8)] = value;
    }

    fn write_xmm_register(&mut self, _: XmmRegister, _: u128) {}

    fn read_stack(&mut self, address: u64) -> Option<u64> {
        word_at(&self.stack, usize::try_from(address).ok()?).map(|word| word as u64)
    }
}

/// The word at `address` of this thread's stack, unless it is elsewhere or below what is in use.
pub(super) fn word_on_stack(address: usize) -> Option<usize> {
    word_at(&host_stack(), address)
}

fn word_at(stack: &Range<usize>, address: usize) -> Option<usize> {
    let in_use = ptr::from_ref(&address).addr()..stack.end;
    let is_inside = in_use.contains(&address) && stack.end - address >= size_of::<usize>();
    if !is_inside || !stack.contains(&in_use.start) || !address.is_multiple_of(align_of::<usize>())
    {
        return None;
    }
    // SAFETY: aligned, and between a variable of a function that runs and the end of this thread's
    // stack, all of which is mapped and belongs to this thread alone.
    Some(unsafe { ptr::with_exposed_provenance::<usize>(address).read_volatile() })
}

/// Where this thread's stack is.
fn host_stack() -> Range<usize> {
    thread_local! {
        static STACK: OnceCell<Range<usize>> = const { OnceCell::new() };
    }
    STACK.with(|stack| stack.get_or_init(ask_for_stack).clone())
}

/// As [`host_stack`], from the host; empty if it does not say.
fn ask_for_stack() -> Range<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the calling thread lives.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: `attributes` has room for what is written.
    if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
        return 0..0;
    }
    // SAFETY: the call above succeeded.
    let mut attributes = unsafe { attributes.assume_init() };
    let (mut start, mut size) = (ptr::null_mut(), 0);
    // SAFETY: the attributes are initialised, and both results have room.
    let status = unsafe {
        libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size)
    };
    // SAFETY: initialised, and not used any more.
    unsafe { libc::pthread_attr_destroy(&raw mut attributes) };
    match status {
        0 => start.addr()..start.addr() + size,
        _ => 0..0,
    }
}
