//! Sysmon recordings, replayed through the shipped driver: seen whole by the real client, and by
//! sixteen sessions at once as the filter of each says. By either transport. And told again in
//! Sysmon's own words.

mod filters;
mod sysmon;
mod whole;

use libtest_mimic::{Arguments, Failed, Trial};
use ntwatch_tests::lab::{Lab, stderr, stdout};
use ntwatch_tests::recording::{self, Event};
use ntwatch_tests::watcher::Transport;
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A recording of our own making, so that there is always one: two hosts that share pids,
/// processes that are spoken of but never start, a pid that is used again, an exit without a
/// start, and an event of another channel.
const TWO_HOSTS: &str = include_str!("../fixtures/two-hosts.json");

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let dir = tempfile::tempdir().expect("a directory for the recordings");
    let mut trials = Vec::new();
    for path in [plain(dir.path()), zipped(dir.path())] {
        let of_this = trials_of(&path);
        assert_eq!(of_this.len(), 10, "{} has two hosts", path.display());
        trials.extend(of_this);
    }
    let recordings = recording::all();
    trials.extend(recordings.iter().flat_map(|path| trials_of(path)));
    if recordings.is_empty() {
        eprintln!("recordings are absent: set NTWATCH_RECORDINGS to a folder of Sysmon recordings");
        let absent = Trial::test(
            "recordings_are_seen_whole_and_filtered (recordings absent)",
            || Ok(()),
        );
        trials.push(absent.with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn plain(dir: &Path) -> PathBuf {
    let path = dir.join("two-hosts.json");
    std::fs::write(&path, TWO_HOSTS).expect("a file");
    path
}

fn zipped(dir: &Path) -> PathBuf {
    let path = dir.join("two-hosts.zip");
    let mut zip = ZipWriter::new(File::create(&path).expect("a file"));
    zip.start_file("two-hosts.json", SimpleFileOptions::default())
        .expect("a member");
    zip.write_all(TWO_HOSTS.as_bytes()).expect("a member");
    zip.finish().expect("a zip");
    path
}

/// A test of what one host of a recording has.
type Test = fn(&Path, &str, &[Event], Transport) -> Result<(), Failed>;

/// Two for each host and transport, and one for each host.
fn trials_of(path: &Path) -> Vec<Trial> {
    let name = path.file_name().expect("a file").to_string_lossy();
    let tests: [(&str, Test); 2] = [
        ("is_seen_whole", whole::replay),
        ("is_filtered_by_sixteen_sessions_at_once", filters::replay),
    ];
    let mut trials = Vec::new();
    for (host, told) in recording::read(path) {
        let events = Arc::new(recording::events(&told));
        for ((what, test), transport) in product(tests, Transport::ALL) {
            let (path, host, events) = (path.to_owned(), host.clone(), events.clone());
            let name = format!("{name}_on_{host}_{what}_{}", transport.name());
            let trial = Trial::test(name, move || test(&path, &host, &events, transport));
            trials.push(trial);
        }
        let path = path.to_owned();
        let name = format!("{name}_on_{host}_is_told_as_sysmon_told_it");
        let trial = Trial::test(name, move || sysmon::replay(&path, &host, &told));
        trials.push(trial);
    }
    trials
}

/// What the client prints of a host's recording.
fn watched(
    path: &Path,
    host: &str,
    format: &str,
    transport: Transport,
) -> Result<Vec<Value>, Failed> {
    let lab = Lab::get();
    let path = path.to_str().ok_or("a recording's path that is no UTF-8")?;
    let machine = lab.serve([
        "--replay",
        path,
        "--host",
        host,
        "--speed",
        "max",
        "--exit-when-done",
    ]);
    let watch = ["watch", "--format", format, "--access", "all"];
    let watch = lab
        .ntwatch(Some(&machine.device()), watch)
        .args(["--fail-on-loss", "--transport", transport.name()])
        .output()
        .map_err(|e| format!("ntwatch does not run: {e}"))?;
    let (clean, log) = machine.finish();
    if !watch.status.success() || !clean {
        let (status, said) = (watch.status, stderr(&watch));
        return Err(format!("ntwatch: {status}\n{said}\nnthost:\n{log}").into());
    }
    let lines = stdout(&watch).lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

/// Each with each.
fn product<A: Copy, B: Copy>(a: [A; 2], b: [B; 2]) -> impl Iterator<Item = (A, B)> {
    a.into_iter().flat_map(move |a| b.map(|b| (a, b)))
}
