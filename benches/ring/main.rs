//! The capture ring beside other queues and the floors of this machine, all in one run.
//!
//! `cargo bench -p ntwatch-benches --bench ring`
//!
//! The contenders take turns in short rounds, and each shows its best round: what disturbs a round
//! is not the contender.

mod floors;
mod others;
mod ours;
mod queue;

use queue::{Producer, Queue};
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

/// Rounds of each measurement.
const ROUNDS: usize = 400;
/// Records pushed between two looks at the clock; they fit into every queue.
const BURST: u32 = 1000;
/// Rounds of the measurements with threads, and records of each producer in one of them.
const RACES: usize = 12;
const RACE: u32 = 300_000;

fn main() {
    println!("one producer, same core: ns a push, best of {ROUNDS} rounds of {BURST}\n");
    println!("{:<34}{:>8}{:>8}{:>8}", "bytes", 64, 128, 512);
    let columns = [same_core::<64>(), same_core::<128>(), same_core::<512>()];
    for (row, (name, _)) in columns[0].iter().enumerate() {
        let [a, b, c] = columns.each_ref().map(|column| column[row].1);
        println!("{name:<34}{a:>8.1}{b:>8.1}{c:>8.1}");
    }

    println!("\nthreads, 128 bytes: million records a second, best of {RACES} rounds\n");
    println!("{:<34}{:>12}{:>12}", "", "1 producer", "2 producers");
    for (name, one, two) in threads::<128>() {
        let two = two.map_or("-".into(), |rate| format!("{rate:.1}"));
        println!("{name:<34}{one:>12.1}{two:>12}");
    }
}

/// Runs `$measure::<Q, N>()` for each contender, in an array.
macro_rules! each {
    ($measure:ident, $n:ident) => {
        [
            $measure::<ours::Capture, $n>(),
            $measure::<others::Logbuf, $n>(),
            $measure::<others::Aeron, $n>(),
            $measure::<others::Array, $n>(),
            $measure::<ours::Session, $n>(),
            $measure::<others::Rtrb, $n>(),
            $measure::<others::Ringbuf, $n>(),
        ]
    };
}

/// Name and ns, the floors first.
fn same_core<const N: usize>() -> Vec<(&'static str, f64)> {
    let mut contenders = floors::rounds::<N>();
    contenders.extend(each!(round, N));
    let mut best = vec![Duration::MAX; contenders.len()];
    for _ in 0..ROUNDS {
        for (best, (_, round)) in best.iter_mut().zip(&mut contenders) {
            *best = round().min(*best);
        }
    }
    let names = contenders.iter().map(|(name, _)| *name);
    let ns = best
        .iter()
        .map(|best| best.as_nanos() as f64 / f64::from(BURST));
    names.zip(ns).collect()
}

/// What a contender does in its turn: pushes a burst, and reads it back off the clock.
fn round<Q: Queue<N> + 'static, const N: usize>() -> queue::Round {
    let (mut producer, mut consumer) = Q::new();
    let record = queue::record::<N>(0);
    let round = move || {
        let started = Instant::now();
        for _ in 0..BURST {
            assert!(producer.push(black_box(&record)), "{} is full", Q::NAME);
        }
        let took = started.elapsed();
        let mut taken = 0;
        while taken < BURST {
            taken += Q::drain(&mut consumer);
        }
        took
    };
    (Q::NAME, Box::new(round))
}

/// Name, and millions of records a second with one and two producers beside the consumer.
fn threads<const N: usize>() -> Vec<(&'static str, f64, Option<f64>)> {
    let contenders = each!(races, N);
    let mut best = [(0.0f64, None::<f64>); 7];
    for _ in 0..RACES {
        for ((one, two), (_, race)) in best.iter_mut().zip(&contenders) {
            *one = race(1).unwrap_or(0.0).max(*one);
            *two = race(2).map(|rate| rate.max(two.unwrap_or(0.0)));
        }
    }
    let names = contenders.iter().map(|(name, _)| *name);
    names
        .zip(best)
        .map(|(name, (one, two))| (name, one, two))
        .collect()
}

/// Millions of records a second with so many producers, if there can be so many.
type Race = fn(usize) -> Option<f64>;

fn races<Q: Queue<N>, const N: usize>() -> (&'static str, Race) {
    (Q::NAME, race::<Q, N>)
}

fn race<Q: Queue<N>, const N: usize>(count: usize) -> Option<f64> {
    let (producer, mut consumer) = Q::new();
    let mut producers = Vec::new();
    while producers.len() + 1 < count {
        producers.push(Q::another(&producer)?);
    }
    producers.push(producer);

    let started = Instant::now();
    thread::scope(|scope| {
        for mut producer in producers {
            scope.spawn(move || {
                let record = queue::record::<N>(1);
                for _ in 0..RACE {
                    while !producer.push(black_box(&record)) {
                        thread::yield_now();
                    }
                }
            });
        }
        let mut taken = 0;
        while taken < RACE * count as u32 {
            match Q::drain(&mut consumer) {
                0 => thread::yield_now(),
                more => taken += more,
            }
        }
    });
    Some(f64::from(RACE) * count as f64 / started.elapsed().as_secs_f64() / 1e6)
}
