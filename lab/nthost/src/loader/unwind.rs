//! The way from a function to its caller, by an image's unwind data (page "x64 exception handling",
//! section "Unwind procedure").

use std::ops::ControlFlow;

use pe_unwind_info::x86_64::{
    FunctionTableEntries, Register, UnwindInfo, UnwindInfoTrailer, UnwindState,
};

/// The pieces that a function may be in. Only damaged data has more.
const MOST_PIECES: usize = 32;

/// Leaves the function that has the instruction at `offset` of an image: `state` becomes its
/// caller's. Returns the address in the caller; `None` if the unwind data or the stack does not tell.
///
/// `table` is the image's table of functions, and `bytes_from` gives what the image has at an offset
/// and behind it.
///
/// N.B. epilogs are not looked for: who calls, or touches what it may not, is in none. The crate's
/// own procedure takes every jump for the end of one.
pub(super) fn unwind<'a>(
    table: &'a [u8],
    bytes_from: impl Fn(u32) -> Option<&'a [u8]>,
    state: &mut impl UnwindState,
    offset: u32,
) -> Option<u64> {
    let mut next = FunctionTableEntries::parse(table).lookup(offset);
    // How much of the prolog has run, in bytes.
    let mut reached = next.map_or(0, |function| offset - function.begin_address.get());
    for _ in 0..MOST_PIECES {
        let Some(function) = next else {
            // That was all, or a leaf, which has not touched the stack.
            let stack = state.read_register(Register::RSP);
            state.write_register(Register::RSP, stack.wrapping_add(8));
            return state.read_stack(stack);
        };
        let info = UnwindInfo::parse(bytes_from(function.unwind_info_address.get())?)?;
        for (at, operation) in info.unwind_operations() {
            if u32::from(at) > reached {
                continue;
            }
            if let ControlFlow::Break(caller) = info.resolve_operation(state, &operation)? {
                return Some(caller);
            }
        }
        next = match info.trailer() {
            Some(UnwindInfoTrailer::ChainedUnwindInfo { chained }) => Some(chained),
            _ => None,
        };
        reached = u32::MAX;
    }
    None
}
