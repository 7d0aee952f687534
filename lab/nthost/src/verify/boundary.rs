//! The way from a driver's import to the function, by way of the verifier.
//!
//! Each function that is exported, and each of the framework's, has a stub, made once for the
//! process: it pushes the function's number and goes on in [`cross`], which saves every register
//! that a caller counts on, asks [`enter`], restores them and goes where it was told.

use std::arch::naked_asm;
use std::ptr;
use std::sync::LazyLock;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};

use super::call::{Call, Registers};
use super::{Decision, framework};
use crate::Current;
use crate::exports::{self, Export};

/// What a driver's import of `export` is bound to on a machine that verifies: its stub, or itself
/// if it is a variable.
///
/// # Panics
/// When the host has no memory for the stubs, the first time.
pub(crate) fn address(export: &Export) -> usize {
    static STUBS: LazyLock<Stubs> = LazyLock::new(Stubs::new);
    STUBS.of(export)
}

/// What a driver's import of the function `name` leads to.
#[cfg(test)]
pub(crate) fn import(name: &str) -> usize {
    address(exports::find(name).expect("it is exported"))
}

/// The functions that have a stub, by number: the kernel's, then the framework's.
static FUNCTIONS: LazyLock<Vec<&Export>> =
    LazyLock::new(|| kernel().chain(framework::functions()).collect());

/// How many of them are the kernel's.
static KERNEL: LazyLock<usize> = LazyLock::new(|| kernel().count());

fn kernel() -> impl Iterator<Item = &'static Export> {
    exports::all().filter(|export| !export.variable)
}

/// What [`cross`] has on the stack: what it saved, the stub's number, and what the call pushed.
#[repr(C)]
struct Frame {
    registers: Registers,
    /// The function's number on the way in; where to go on, on the way out.
    next: usize,
    return_address: usize,
}

/// Decides about a call: says where it goes on, and what is in `rax` there.
unsafe extern "win64" fn enter(frame: *mut Frame) {
    // SAFETY: `cross` passes what it has just saved on this thread's stack, and goes on with it
    // only when this function has returned.
    let frame = unsafe { &mut *frame };
    let number = frame.next;
    let call = Call {
        export: FUNCTIONS[number],
        return_address: frame.return_address,
        stack: (&raw const frame.return_address).addr() + size_of::<usize>(),
        registers: &frame.registers,
    };
    call.remember();
    let (decision, function) = Current::with(|current| {
        let verifier = current.kernel.verifier.as_ref();
        let decision = verifier.map_or(Decision::Call, |verifier| verifier.enter(&call));
        let function = match (number.checked_sub(*KERNEL), verifier) {
            (Some(index), Some(verifier)) => {
                let [globals, ..] = call.arguments();
                verifier.frameworks.function(globals, index, call.export)
            }
            _ => call.export.address as usize,
        };
        (decision, function)
    });
    match decision {
        Decision::Call => frame.next = function,
        Decision::Return(value) => {
            frame.registers.rax = value;
            frame.next = answered as *const () as usize;
        }
    }
}

/// Where every stub goes on. `rax` is kept too, and the registers that nobody has to keep:
/// `__chkstk` counts on all of them.
#[unsafe(naked)]
unsafe extern "win64" fn cross() {
    naked_asm!(
        "push r15",
        "push r14",
        "push r13",
        "push r12",
        "push r11",
        "push r10",
        "push r9",
        "push r8",
        "push rdi",
        "push rsi",
        "push rbp",
        "push rbx",
        "push rdx",
        "push rcx",
        "push rax",
        // Six registers, the callee's home space, and what aligns the stack.
        "sub rsp, 0x88",
        "movups [rsp + 0x20], xmm0",
        "movups [rsp + 0x30], xmm1",
        "movups [rsp + 0x40], xmm2",
        "movups [rsp + 0x50], xmm3",
        "movups [rsp + 0x60], xmm4",
        "movups [rsp + 0x70], xmm5",
        "lea rcx, [rsp + 0x88]",
        "call {enter}",
        "movups xmm0, [rsp + 0x20]",
        "movups xmm1, [rsp + 0x30]",
        "movups xmm2, [rsp + 0x40]",
        "movups xmm3, [rsp + 0x50]",
        "movups xmm4, [rsp + 0x60]",
        "movups xmm5, [rsp + 0x70]",
        "add rsp, 0x88",
        "pop rax",
        "pop rcx",
        "pop rdx",
        "pop rbx",
        "pop rbp",
        "pop rsi",
        "pop rdi",
        "pop r8",
        "pop r9",
        "pop r10",
        "pop r11",
        "pop r12",
        "pop r13",
        "pop r14",
        "pop r15",
        // To `Frame::next`.
        "ret",
        enter = sym enter,
    )
}

/// What is called in place of a function that was answered for.
#[unsafe(naked)]
unsafe extern "win64" fn answered() {
    naked_asm!("ret")
}

/// The stubs, in memory that is never writable and executable at once.
struct Stubs(usize);

impl Stubs {
    /// The bytes that a stub takes.
    const SIZE: usize = 16;

    fn new() -> Stubs {
        // The address of `cross` first, then the stubs.
        let mut code = (cross as *const () as usize).to_le_bytes().to_vec();
        code.resize(Self::SIZE, 0);
        for number in 0..FUNCTIONS.len() as u32 {
            // push number; jmp [rip - what lies between]
            code.push(0x68);
            code.extend(number.to_le_bytes());
            code.extend([0xff, 0x25]);
            code.extend((-(code.len() as i32 + 4)).to_le_bytes());
            code.resize(code.len().next_multiple_of(Self::SIZE), 0xcc);
        }
        Stubs(executable(&code).expect("the host has a page of memory"))
    }

    fn of(&self, export: &Export) -> usize {
        let is_it = |function: &&Export| ptr::eq(*function, export);
        match FUNCTIONS.iter().position(is_it) {
            Some(number) => self.0 + Self::SIZE * (1 + number),
            None => export.address as usize,
        }
    }
}

/// The address of a copy of `code` that can be run, for as long as the process lives.
fn executable(code: &[u8]) -> rustix::io::Result<usize> {
    let writable = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a private mapping at an address of the system's choice replaces nothing.
    let memory =
        unsafe { mmap_anonymous(ptr::null_mut(), code.len(), writable, MapFlags::PRIVATE) }?;
    // SAFETY: the mapping is new, writable and at least as long as `code`.
    unsafe { ptr::copy_nonoverlapping(code.as_ptr(), memory.cast(), code.len()) };
    let runnable = MprotectFlags::READ | MprotectFlags::EXEC;
    // SAFETY: the whole of our own mapping, which nobody else knows of.
    unsafe { mprotect(memory, code.len(), runnable) }?;
    Ok(memory.addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Watch;
    use crate::{Config, Kernel};
    use std::arch::asm;
    use std::mem::transmute;
    use std::sync::{Arc, Mutex};

    /// Answers calls of `function` with 7, and keeps the arguments.
    struct Answers {
        function: &'static str,
        seen: Mutex<Vec<[u64; 4]>>,
    }

    impl Watch for Answers {
        fn enter(&self, call: &Call<'_>) -> Decision {
            if call.export.name != self.function {
                return Decision::Call;
            }
            self.seen.lock().unwrap().push(call.arguments());
            Decision::Return(7)
        }
    }

    fn watched(function: &'static str) -> (Arc<Kernel>, Arc<Answers>) {
        let kernel = Kernel::boot(Config {
            verify: true,
            ..Config::default()
        });
        let seen = Mutex::default();
        let answers = Arc::new(Answers { function, seen });
        kernel.verifier.as_ref().unwrap().add(answers.clone());
        (kernel, answers)
    }

    #[test]
    fn a_call_reaches_the_function_with_all_its_arguments() {
        type Print = unsafe extern "win64" fn(*const i8, u64, u64, u64, u64, u64) -> u32;
        // SAFETY: how a caller passes variable arguments: the first four in registers.
        let print = unsafe { transmute::<usize, Print>(import("DbgPrint")) };
        let (kernel, _) = watched("none");
        kernel.enter(&kernel.ps.system, || {
            // SAFETY: five numbers for five conversions.
            unsafe { print(c"%d %d %d %d %d\n".as_ptr(), 1, 2, 3, 4, 5) };
        });
        assert_eq!(kernel.log.lines(), ["1 2 3 4 5"]);
    }

    #[test]
    fn a_watch_sees_the_arguments_and_may_answer_in_the_functions_place() {
        type Wait = unsafe extern "win64" fn(usize, u32, i8, u8, *const i64) -> i32;
        // SAFETY: the function's type.
        let wait = unsafe { transmute::<usize, Wait>(import("KeWaitForSingleObject")) };
        let (kernel, answers) = watched("KeWaitForSingleObject");
        kernel.enter(&kernel.ps.system, || {
            // SAFETY: the call is answered before anybody looks at what is passed.
            assert_eq!(unsafe { wait(1, 2, 3, 4, ptr::null()) }, 7);
        });
        let seen = answers.seen.lock().unwrap();
        let [object, reason, mode, alertable] = seen[0];
        assert_eq!(
            (object, reason as u32, mode as u8, alertable as u8),
            (1, 2, 3, 4)
        );
    }

    #[test]
    fn registers_that_callers_count_on_are_kept() {
        let (kernel, _) = watched("none");
        let probe = import("__chkstk");
        let mut size = 64_u64;
        kernel.enter(&kernel.ps.system, || {
            // SAFETY: `__chkstk` touches so many bytes of stack, and changes r10 and r11 alone.
            unsafe {
                asm!(
                    "call {probe}",
                    probe = in(reg) probe,
                    inout("rax") size,
                    out("r10") _,
                    out("r11") _,
                )
            };
        });
        assert_eq!(size, 64);
    }

    #[test]
    fn variables_have_no_stub() {
        let process_type = exports::find("PsProcessType").expect("it is exported");
        assert_eq!(address(process_type), process_type.address as usize);
    }
}
