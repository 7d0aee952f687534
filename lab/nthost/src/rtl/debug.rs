//! Debug output of drivers.

use std::arch::naked_asm;
use std::collections::VecDeque;
use std::ffi::{CStr, c_char};
use std::sync::Mutex;

use super::format::format;
use crate::Current;
use crate::exports::exports;

exports! {
    HIGH_LEVEL: DbgPrint, DbgPrintEx;
}

/// Lines that are kept.
const KEPT: usize = 1000;

type Sink = Box<dyn Fn(&str) + Send>;

/// The debug output of one machine: the last lines, and each as it comes.
#[derive(Default)]
pub struct Log(Mutex<State>);

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    unfinished: String,
    sink: Option<Sink>,
}

impl Log {
    /// Passes every further line to `sink` as well.
    pub fn forward(&self, sink: impl Fn(&str) + Send + 'static) {
        self.0.lock().unwrap().sink = Some(Box::new(sink));
    }

    /// The last 1,000 lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().lines.iter().cloned().collect()
    }

    /// Adds debug output. A line ends with a newline, which may come later.
    pub fn print(&self, text: &str) {
        let mut state = self.0.lock().unwrap();
        state.unfinished.push_str(text);
        while let Some(end) = state.unfinished.find('\n') {
            let line: String = state.unfinished.drain(..=end).collect();
            let line = line.trim_end();
            if let Some(sink) = &state.sink {
                sink(line);
            }
            if state.lines.len() == KEPT {
                state.lines.pop_front();
            }
            state.lines.push_back(line.to_owned());
        }
    }
}

/// # Safety
/// `format` is a format string and `arguments` are what it asks for.
unsafe extern "win64" fn print(pattern: *const c_char, arguments: *const u64) -> u32 {
    // SAFETY: the driver passes a string that ends with NUL.
    let pattern = unsafe { CStr::from_ptr(pattern) };
    // SAFETY: the caller's promise.
    let text = unsafe { format(pattern.to_bytes(), arguments) };
    Current::with(|current| current.kernel.log.print(&text));
    0
}

/// `DbgPrint(Format, ...)`, any IRQL. Spills the register arguments beside those on the stack,
/// which makes all of them an array.
#[unsafe(naked)]
unsafe extern "win64" fn DbgPrint(_format: *const c_char) -> u32 {
    naked_asm!(
        "mov [rsp + 0x10], rdx",
        "mov [rsp + 0x18], r8",
        "mov [rsp + 0x20], r9",
        "lea rdx, [rsp + 0x10]",
        "sub rsp, 0x28",
        "call {print}",
        "add rsp, 0x28",
        "ret",
        print = sym print,
    )
}

/// `DbgPrintEx(ComponentId, Level, Format, ...)`, any IRQL. Every level is printed.
#[unsafe(naked)]
unsafe extern "win64" fn DbgPrintEx(_component: u32, _level: u32, _format: *const c_char) -> u32 {
    naked_asm!(
        "mov [rsp + 0x20], r9",
        "mov rcx, r8",
        "lea rdx, [rsp + 0x20]",
        "sub rsp, 0x28",
        "call {print}",
        "add rsp, 0x28",
        "ret",
        print = sym print,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Kernel};

    #[test]
    fn arguments_in_registers_and_on_the_stack_are_printed() {
        type Print = unsafe extern "win64" fn(*const c_char, u64, u64, u64, u64, u64) -> u32;
        type PrintEx = unsafe extern "win64" fn(u32, u32, *const c_char, u64, u64, u64) -> u32;
        // SAFETY: how a caller passes variable arguments: the first four in registers.
        let print = unsafe { std::mem::transmute::<*const (), Print>(DbgPrint as *const ()) };
        // SAFETY: as above.
        let print_ex =
            unsafe { std::mem::transmute::<*const (), PrintEx>(DbgPrintEx as *const ()) };
        let kernel = Kernel::boot(Config::default());
        kernel.enter(&kernel.ps.system, || {
            // SAFETY: five numbers for five conversions.
            unsafe { print(c"%d %d %d %d %d\n".as_ptr(), 1, 2, 3, 4, 5) };
            // SAFETY: three numbers for three conversions.
            unsafe { print_ex(0, 0, c"%d %d %d\nand ".as_ptr(), 6, 7, 8) };
            // SAFETY: the format asks for nothing.
            unsafe { print(c"so on\n".as_ptr(), 0, 0, 0, 0, 0) };
        });
        assert_eq!(kernel.log.lines(), ["1 2 3 4 5", "6 7 8", "and so on"]);
    }
}
