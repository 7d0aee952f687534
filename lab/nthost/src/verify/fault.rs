//! Faults: a driver that touches memory which is not there stops the machine.

use std::mem::{MaybeUninit, zeroed};
use std::ptr;
use std::sync::OnceLock;

use super::Whereabouts;
use super::pageable::{self, Touch};
use super::stack::Context;
use crate::Current;
use crate::ex::pool::Fault;
use crate::ke::bug_check;

/// What handled the signal before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Looks at every fault from now on, in the whole process.
pub(super) fn watch() {
    BEFORE.get_or_init(|| {
        // SAFETY: an action of zeros is valid: the default one, with no flags.
        let mut action: libc::sigaction = unsafe { zeroed() };
        action.sa_sigaction = on_fault as *const () as usize;
        // N.B. on the thread's own stack: an alternate one is too small to print from.
        action.sa_flags = libc::SA_SIGINFO;
        let mut before = MaybeUninit::uninit();
        // SAFETY: the action is valid, and `before` has room for one.
        let set = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, before.as_mut_ptr()) };
        assert_eq!(set, 0, "SIGSEGV can be handled");
        // SAFETY: a call that succeeds fills it.
        unsafe { before.assume_init() }
    });
}

/// Stops the machine if special pool knows the address, or if it is of pageable memory and the
/// thread's IRQL too high for that. What was paged out is brought in, and any other fault left to
/// the handler before; then the touch happens again.
///
/// N.B. what it calls takes memory and waits for locks, which a signal handler may do if the code
/// that it interrupts has neither half taken. Driver code has not. A fault of our own comes here,
/// too; the locks of pool are no more than tried, so at worst that bug hangs instead of crashing.
unsafe extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system passes what is known of the signal.
    let info = unsafe { &*info };
    // SAFETY: a fault has an address.
    let address = unsafe { info.si_addr() }.addr();
    // SAFETY: with SA_SIGINFO the context is the interrupted thread's.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let interrupted = || Whereabouts::interrupted(context_of(registers));
    match pageable::touch(address) {
        Touch::Again => return,
        Touch::TooHigh => {
            interrupted();
            too_high(address)
        }
        Touch::Elsewhere => {}
    }
    match known(address) {
        Some(Fault::Freed(what)) => {
            interrupted();
            bug_check!(
                DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL,
                "the driver touches {what}"
            )
        }
        Some(Fault::Beside(what)) => {
            interrupted();
            bug_check!(
                DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION,
                "the driver touches {what}"
            )
        }
        None => {}
    }
    let Some(before) = BEFORE.get() else { return };
    // SAFETY: what the system said was the action.
    unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
}

/// What special pool knows of `address`.
fn known(address: usize) -> Option<Fault> {
    match Current::exists() {
        true => Current::with(|current| current.kernel.pool.fault(address)),
        false => None,
    }
}

/// Stops the machine: what is at `address` may be paged out, and the thread could not wait for it.
fn too_high(address: usize) -> ! {
    let what = match known(address) {
        Some(Fault::Beside(what) | Fault::Freed(what)) => what,
        None => elsewhere(address),
    };
    let irql = Current::with(|current| current.thread.ke.irql());
    bug_check!(
        IRQL_NOT_LESS_OR_EQUAL,
        "the driver touches pageable memory at IRQL {irql}: {what}"
    );
}

/// Pageable memory that is no pool, for people.
fn elsewhere(address: usize) -> String {
    let view = Current::with(|current| current.kernel.mm.describe(address));
    view.unwrap_or_else(|| format!("{address:#x}"))
}

/// What a signal interrupted.
fn context_of(registers: &[libc::greg_t; 23]) -> Context {
    use libc::{
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RAX, REG_RBP,
        REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RIP, REG_RSI, REG_RSP,
    };
    let by_number = [
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9,
        REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
    ];
    Context {
        instruction: registers[REG_RIP as usize] as usize,
        registers: by_number.map(|register| registers[register as usize].cast_unsigned()),
        is_calling: false,
    }
}

#[cfg(test)]
mod tests {
    use crate::ex::pool::POOL_FLAG_PAGED;
    use crate::verify::boundary::import;
    use crate::verify::death;
    use crate::{Current, LeakReport};
    use std::mem::transmute;

    type Allocate = unsafe extern "win64" fn(u64, usize, u32) -> *mut u8;
    type Free = unsafe extern "win64" fn(*mut u8, u32);

    const TAG: u32 = u32::from_le_bytes(*b"Ntw1");

    fn allocate(size: usize) -> *mut u8 {
        // SAFETY: the function's type.
        let allocate = unsafe { transmute::<usize, Allocate>(import("ExAllocatePool2")) };
        // SAFETY: whatever is asked for, it is refused or given.
        unsafe { allocate(POOL_FLAG_PAGED, size, TAG) }
    }

    fn free(block: *mut u8) {
        // SAFETY: the function's type.
        let free = unsafe { transmute::<usize, Free>(import("ExFreePoolWithTag")) };
        // SAFETY: a block of pool, or a breach that is stopped.
        unsafe { free(block, TAG) };
    }

    #[test]
    fn a_write_past_the_end_of_a_block_stops_the_machine() {
        let printed = death::of(|| {
            let block = allocate(48);
            // SAFETY: it is not: this is the breach.
            unsafe { block.wrapping_add(48).write_volatile(1) };
        });
        let named = "the driver touches offset 48 of 48 bytes of pool tagged 'Ntw1', allocated by";
        assert!(printed.contains("BEYOND_END_OF_ALLOCATION"), "{printed}");
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn a_read_of_a_block_that_was_freed_stops_the_machine() {
        let printed = death::of(|| {
            let block = allocate(48);
            free(block);
            // SAFETY: it is not: this is the breach.
            unsafe { block.wrapping_add(8).read_volatile() };
        });
        assert!(printed.contains("IN_FREED_SPECIAL_POOL"), "{printed}");
        assert!(printed.contains("offset 8 of 48 bytes"), "{printed}");
        assert!(printed.contains("freed by"), "{printed}");
    }

    #[test]
    fn a_write_before_the_start_of_a_block_shows_when_it_is_freed() {
        let printed = death::of(|| {
            let block = allocate(48);
            // SAFETY: it is not: this is the breach.
            unsafe { block.wrapping_sub(1).write_volatile(1) };
            free(block);
        });
        assert!(
            printed.contains("SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION"),
            "{printed}"
        );
        assert!(printed.contains("offset -1 of 48 bytes"), "{printed}");
    }

    #[test]
    fn a_write_beside_a_block_that_is_never_freed_shows_when_leaks_are_counted() {
        let printed = death::of(|| {
            // SAFETY: it is not: this is the breach.
            unsafe { allocate(40).wrapping_add(40).write_volatile(1) };
            let leaks = Current::with(|current| LeakReport::of(&current.kernel));
            panic!("{leaks}");
        });
        let named = "something was written at offset 40 of 40 bytes of pool tagged 'Ntw1'";
        assert!(printed.contains(named), "{printed}");
    }

    #[test]
    fn a_second_free_names_the_first() {
        let printed = death::of(|| {
            let block = allocate(48);
            free(block);
            free(block);
        });
        assert!(printed.contains("BAD_POOL_CALLER"), "{printed}");
        assert!(printed.contains("freed by"), "{printed}");
    }
}
