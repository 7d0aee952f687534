//! Ctrl+C, and a console that is closed.
//!
//! N.B. Wine 8 has no Ctrl+Break, and tells no program that its console is closed: `hand.exe` does both
//! as Windows does.

use ntwatch_wine_check::{Driver, Folder, Wine, text, wait};
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_getpipe_size;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An event of each kind.
const KINDS: &str = include_str!("../../../../../client/tests/common/kinds.jsonl");

/// Has the hand do what it waits with.
fn go(folder: &Folder) {
    let go = folder.here().join("go");
    fs::write(&go, "").expect("a file in a folder of ours");
    wait("the hand does nothing", || !go.exists());
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().expect("Wine and `script` start")
}

/// Writes a recording that does not end, until nobody reads it any more; `then` once, when some of it
/// was written again.
fn feed(mut to: impl Write, growing: &Path, then: impl FnOnce()) {
    let (host, events) = KINDS.split_once('\n').expect("lines");
    writeln!(to, "{host}").expect("somebody reads");
    wait("nothing is written", || {
        let fed = to.write_all(events.repeat(20).as_bytes());
        fed.expect("somebody reads");
        growing.metadata().is_ok_and(|file| file.len() > 0)
    });
    then();
    wait("it goes on", || to.write_all(events.as_bytes()).is_err());
}

/// Checks that nothing is left of a recording that was given up, and that it was said.
fn assert_given_up(folder: &Folder, code: Option<i32>, said: &str) {
    assert_eq!(code, Some(1), "{said}");
    let why = "interrupted; no recording was made";
    assert!(said.contains(why), "{said}");
    let left = fs::read_dir(folder.here()).expect("a folder of ours");
    assert_eq!(left.count(), 0, "{said}");
}

#[test]
fn ctrl_c_ctrl_break_or_a_closed_console_leave_nothing_half_done() {
    let wine = Wine::get();
    for keys in ["ctrl-c", "ctrl-break", "close"] {
        let folder = wine.folder(keys);
        let (gesture, file) = (folder.there("go"), folder.there("x.jsonl"));
        let mut command = wine.by_hand(
            &["press", keys, &gesture],
            &["convert", "--from", "jsonl", "-", &file],
        );
        let mut child = spawn(command.stdin(Stdio::piped()).stderr(Stdio::piped()));
        let to = child.stdin.take().expect("it is piped");
        feed(to, &folder.here().join("x.jsonl.growing"), || go(&folder));
        let output = child.wait_with_output().expect("a child of ours");
        assert_given_up(&folder, output.status.code(), text(&output.stderr));
    }
}

#[test]
fn a_session_that_is_recorded_ends_as_its_file_does() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    for keys in ["ctrl-c", "ctrl-break", "close"] {
        let folder = wine.folder(&format!("recorded by {keys}"));
        let (gesture, file) = (folder.there("go"), folder.there("x.jsonl"));
        let mut command = wine.by_hand(
            &["press", keys, &gesture],
            &["record", "--events", "process_start", &file],
        );
        let child = spawn(command.stdin(Stdio::null()).stderr(Stdio::piped()));
        let growing = folder.here().join("x.jsonl.growing");
        wait("nothing is recorded", || {
            growing.metadata().is_ok_and(|file| file.len() > 0)
        });
        go(&folder);
        let output = child.wait_with_output().expect("a child of ours");
        let said = text(&output.stderr);
        // Who closes a console does not wait for its programs' exit codes.
        assert!(output.status.success() || keys == "close", "{keys}: {said}");
        assert!(said.contains("The account balances"), "{keys}: {said}");
        assert!(!growing.exists(), "{keys}: {said}");
        let recorded = fs::read_to_string(folder.here().join("x.jsonl"));
        let recorded = recorded.expect("it is whole");
        assert!(recorded.contains("process_running"), "{recorded}");
    }
}

#[test]
fn ctrl_c_may_be_typed() {
    let wine = Wine::get();
    let folder = wine.folder("typed");
    let apart = tempfile::tempdir().expect("a folder of ours");
    let pipe = apart.path().join("recording");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).expect("a pipe");
    let words = format!(
        "convert --from jsonl - '{}' < '{}'",
        folder.there("x.jsonl"),
        pipe.display()
    );
    let mut command = wine.on_terminal(100, &words);
    let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut keyboard = child.stdin.take().expect("it is piped");
    let to = fs::OpenOptions::new().write(true).open(&pipe);
    let growing = folder.here().join("x.jsonl.growing");
    feed(to.expect("a pipe"), &growing, || {
        keyboard.write_all(b"\x03").expect("a keyboard");
    });
    let output = child.wait_with_output().expect("a child of ours");
    // The screen: words may be apart there by what moves the cursor.
    let said = text(&output.stdout).replace("\u{1b}[?25h", "");
    assert_given_up(&folder, output.status.code(), &said);
}

#[test]
fn the_second_ctrl_c_ends_a_program_that_is_stuck() {
    let wine = Wine::get();
    let folder = wine.folder("stuck");
    let (host, events) = KINDS.split_once('\n').expect("lines");
    let recording = format!("{host}\n{}", events.repeat(200));
    fs::write(folder.here().join("many.jsonl"), recording).expect("a file in a folder of ours");
    let mut command = wine.by_hand(
        &["press", "ctrl-c-again", &folder.there("go")],
        &["convert", &folder.there("many.jsonl"), "-"],
    );
    let mut child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    let unread = child.stdout.take().expect("it is piped");
    let size = fcntl_getpipe_size(&unread).expect("a pipe") as u64;
    wait("the pipe is not full", || {
        ioctl_fionread(&unread).expect("a pipe") == size
    });
    go(&folder);
    let mut code = None;
    wait("it does not end", || {
        code = child.try_wait().expect("a child of ours");
        code.is_some()
    });
    assert_eq!(code.and_then(|status| status.code()), Some(130));
}
