//! What it costs a client to come by its events: by READ_EVENTS, or in its mapped ring.
//!
//! `cargo xtask bench`, or with a lab built: `cargo bench -p ntwatch-benches --bench transports`
//!
//! The shipped driver runs in a modelled kernel in this process; the client is the library, in a
//! process of its own on the lab's socket, and does no more than look at each record. Both ways see
//! the same events, in turn, in one run. What a read brings crosses that socket, which Windows does
//! not have: there the driver copies it to the client once. So the second table has the same
//! without it: the requests of a client inside this process, against the same ring.

mod client;
mod direct;
mod inside;
mod opens;
mod outside;
mod usage;

use ntwatch_client::Way;
use std::time::Duration;
use usage::Usage;

/// Events of a run.
const EVENTS: u64 = 2_000_000;
/// Runs of each way, in turn.
const RUNS: usize = 2;
const WAYS: [Way; 2] = [Way::Read, Way::Mapped];

/// What a run comes to.
struct Run {
    /// Events that reached the client, and those that were lost.
    events: u64,
    lost: u64,
    /// From the first to the last.
    elapsed: Duration,
    /// What the client's process used meanwhile, if it has one of its own.
    client: Option<Usage>,
    /// CPU of all that ran, the source of the events among them.
    all_cpu: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, device, way] = &arguments[..]
        && role == client::ROLE
    {
        return client::run(device, way);
    }
    println!("transports: {EVENTS} opens of handles a run; CPU per event, waits per thousand\n");
    print("client on the lab's socket", outside::run);
    print("client in the kernel's process", inside::run);
}

fn print(title: &str, run: impl Fn(Way) -> Run) {
    println!(
        "{title:<34}{:>12}{:>12}{:>12}{:>12}{:>8}",
        "events/s", "client, ns", "all, ns", "waits/1000", "lost"
    );
    for way in [WAYS; RUNS].concat() {
        let run = run(way);
        let events = run.events as f64;
        let each = |cpu: Duration| format!("{:.1}", cpu.as_nanos() as f64 / events);
        let waits = |client: Usage| format!("{:.2}", 1000.0 * client.waits as f64 / events);
        println!(
            "{:<34}{:>12.0}{:>12}{:>12}{:>12}{:>8}",
            name(way),
            events / run.elapsed.as_secs_f64(),
            run.client.map_or("".into(), |client| each(client.cpu)),
            each(run.all_cpu),
            run.client.map_or("".into(), waits),
            run.lost,
        );
    }
    println!();
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Mapped => "mapped",
        _ => "read",
    }
}
