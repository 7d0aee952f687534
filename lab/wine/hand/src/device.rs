//! Requests to the driver, without the client's library.

use crate::request::Request;
use ntwatch_protocol::configure::ConfigureHeader;
use ntwatch_protocol::ioctl::{CONFIGURE, GET_STATS, GET_VERSION, READ_EVENTS, SHUTDOWN};
use ntwatch_protocol::record::{Kind, MAX_RECORD_SIZE};
use std::env;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio, exit, id};
use windows_sys::Win32::Foundation::ERROR_INTERNAL_ERROR;
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;
use zerocopy::IntoBytes;

/// Opens it so many times.
pub(crate) fn hold(count: usize, device: &str) -> io::Result<Vec<File>> {
    (0..count).map(|_| open(device)).collect()
}

/// Has a read wait and cancels it, has one end by an event, and leaves one behind.
pub(crate) fn cancel(device: &str) -> io::Result<()> {
    let device = open(device)?;
    // Wine tells of none.
    configure(&device, Kind::ImageLoad)?;
    let read = read(&device)?;
    println!("a read waits: {}", read.is_pending());
    read.cancel()?;
    println!("it ends with {}", outcome(&read.end()));
    configure(&device, Kind::ProcessExit)?;
    let read = loop {
        let read = self::read(&device)?;
        if read.is_pending() {
            break read;
        }
        // The end of a program before this one: who looks at what runs may be late.
        if read.end()?.is_empty() {
            return Err(io::Error::other("a read ended by nothing"));
        }
    };
    println!("a read waits: {}", read.is_pending());
    let child = itself(&["end", "0"])?.wait()?;
    println!("a program ends: {}", child.success());
    println!("it ends with records: {}", !read.end()?.is_empty());
    let _left = self::read(&device)?;
    // The end of the process closes the handle under it.
    exit(0)
}

/// Asks for what a client of another protocol might.
pub(crate) fn strange(device: &str) -> io::Result<()> {
    let device = open(device)?;
    let ask = |what: &str, code, input: &[u8], room| {
        let request = Request::begin(&device, code, input, room);
        println!("{what}: {}", outcome(&request.and_then(Request::end)));
    };
    let version = Request::begin(&device, GET_VERSION, &[], 1024)?.end()?;
    // Behind the size, as in every version.
    println!("protocol, with more room: {:?}", version.get(4..6));
    ask("version, with less room", GET_VERSION, &[], 8);
    ask("version, with a question", GET_VERSION, &[1], 1024);
    ask("a request that is new", SHUTDOWN + (1 << 2), &[], 1024);
    let longer = [header(24).as_bytes(), &[0; 8]].concat();
    ask("a longer header", CONFIGURE, &longer, 0);
    ask(
        "a size that is not so",
        CONFIGURE,
        header(4096).as_bytes(),
        0,
    );
    let kinds = ConfigureHeader {
        event_mask: u32::MAX,
        ..header(16)
    };
    ask("kinds that are new", CONFIGURE, kinds.as_bytes(), 0);
    ask("counters", GET_STATS, &[], 4096);
    Ok(())
}

/// Starts a program, which is this one, and says which both are.
pub(crate) fn family() -> io::Result<()> {
    let mut child = itself(&["end", "0"])?;
    println!("{} {}", id(), child.id());
    child.wait()?;
    Ok(())
}

fn itself(words: &[&str]) -> io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.args(words).stdout(Stdio::null());
    match command.spawn() {
        // N.B. What is said of a program that ended before it began: see `output` of the checks.
        Err(error) if is(&error, ERROR_INTERNAL_ERROR) => command.spawn(),
        child => child,
    }
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

fn open(device: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).share_mode(0);
    options.custom_flags(FILE_FLAG_OVERLAPPED).open(device)
}

fn header(size: u32) -> ConfigureHeader {
    ConfigureHeader {
        size,
        event_mask: Kind::ProcessExit.bit(),
        ring_size: 0,
        clauses: 0,
    }
}

fn configure(device: &File, kind: Kind) -> io::Result<()> {
    let header = ConfigureHeader {
        event_mask: kind.bit(),
        ..header(16)
    };
    Request::begin(device, CONFIGURE, header.as_bytes(), 0)?.end()?;
    Ok(())
}

fn read(device: &File) -> io::Result<Request<'_>> {
    Request::begin(device, READ_EVENTS, &[], MAX_RECORD_SIZE)
}

fn outcome(answer: &io::Result<Vec<u8>>) -> String {
    match answer {
        Ok(answer) => format!("{} bytes", answer.len()),
        Err(error) => format!("error {}", error.raw_os_error().unwrap_or(-1)),
    }
}
