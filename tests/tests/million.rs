//! A million events, recorded and converted: nothing is lost on the way, and little memory needed.

use ntwatch_tests::lab::{Lab, stderr, until};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Processes of a storm in which each has one event of every kind.
const STARTS: usize = 166_667;
const MIX: &str = "threads,images,handles";
const EVENTS: usize = 6 * STARTS;

/// Bytes that `ntwatch` may take.
const MEMORY: u64 = 200_000_000;

#[test]
fn a_million_events_are_converted_to_and_fro_without_loss_in_little_memory() {
    let lab = Lab::get();
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    let (recorded, parquet, again) = (at("a.jsonl"), at("b.parquet"), at("c.jsonl"));
    record(&lab, &recorded);

    for (from, to) in [(&recorded, &parquet), (&parquet, &again)] {
        let memory = memory_of(lab.ntwatch(None, ["convert"]).args([from, to]));
        assert!(memory < MEMORY, "{memory} bytes to write {to:?}");
    }
    assert_same(&recorded, &again);
    assert_shows_progress(&lab, &again, &at("d.csv"));
    ntwatch_lab_figures::tell("to Parquet and back", EVENTS as u64, "events");
}

/// Records a storm.
fn record(lab: &Lab, file: &Path) {
    let starts = STARTS.to_string();
    let storm = ["--storm", &starts, "--mix", MIX, "--paced"];
    let machine = lab.serve(storm.into_iter().chain(["--exit-when-done"]));
    let record = lab
        .ntwatch(Some(&machine.device()), ["record", "--fail-on-loss"])
        .arg(file)
        .output()
        .expect("ntwatch runs");
    let (clean, log) = machine.finish();
    assert!(record.status.success(), "{}\n{log}", stderr(&record));
    assert!(clean, "the driver left something behind:\n{log}");
    let lines = BufReader::new(File::open(file).expect("it is there")).lines();
    let events = lines.count();
    assert!(events >= EVENTS, "{events} of {EVENTS}");
}

/// The most bytes of memory that a program was seen to have.
fn memory_of(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).spawn().expect("ntwatch runs");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = until("ntwatch's end", || {
        // N.B. Linux remembers the peak, but not of a program that has ended.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        most = most.max(kib.unwrap_or_default() * 1024);
        child.try_wait().expect("ntwatch can be waited for")
    });
    assert!(ended.success(), "{command:?}: {ended}");
    assert!(most > 0, "{command:?} was gone before it was looked at");
    most
}

fn assert_same(a: &Path, b: &Path) {
    let compared = Command::new("cmp").args([a, b]).output();
    let compared = compared.expect("cmp runs");
    let difference = String::from_utf8_lossy(&compared.stdout);
    assert!(compared.status.success(), "{difference}");
}

/// On a terminal, which `script` (of Debian's bsdutils) plays.
fn assert_shows_progress(lab: &Lab, from: &Path, to: &Path) {
    const LINE: &str = r#"stty cols 80 rows 24 && "$NTWATCH" convert "$FROM" "$TO""#;
    let script = Command::new("script")
        .args(["--quiet", "--return", "--command", LINE, "/dev/null"])
        .env("NTWATCH", &lab.ntwatch)
        .env("FROM", from)
        .env("TO", to)
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .expect("`script` is there");
    let screen = String::from_utf8_lossy(&script.stdout);
    assert!(script.status.success(), "{screen}");
    for word in ["% of ", " left: ", " events, ", " MiB"] {
        assert!(screen.contains(word), "{word:?} is not in:\n{screen}");
    }
}
