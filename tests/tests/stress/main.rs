//! Threads that race for the driver, round by round. A round is chosen by its seed, and is named
//! by it when it fails; `NTWATCH_SEED=…` is that round alone. `NTWATCH_STRESS_MINUTES=…` goes on
//! from there for so long, and for as many rounds as have to meet every race;
//! `NTWATCH_STRESS_ROUNDS=…` without either is how many rounds there are.

use ntwatch_lab_figures::tell;
use ntwatch_tests::lab::Lab;
use ntwatch_tests::races::{Race, Races};
use ntwatch_tests::turmoil::{Trouble, round};
use ntwatch_tests::watchdog::watched;
use std::array;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// As many as have to meet every race so often.
const ROUNDS: u64 = 2000;
const AT_LEAST: u64 = 20;
/// So many machines have a round at once: their threads get in each other's way as well.
const AT_ONCE: usize = 2;

#[test]
fn threads_that_race_leave_the_account_right_and_nothing_behind() {
    let first = number("NTWATCH_SEED");
    let mut tally = Tally::default();
    if let Some(minutes) = number("NTWATCH_STRESS_MINUTES") {
        let end = Instant::now() + Duration::from_secs(60 * minutes);
        let first = first.unwrap_or(0);
        let seeds = first..;
        tally.run(seeds.take_while(|seed| seed - first < ROUNDS || Instant::now() < end));
    } else if let Some(seed) = first {
        tally.run(seed..=seed);
    } else {
        tally.run(0..number("NTWATCH_STRESS_ROUNDS").unwrap_or(ROUNDS));
    }
    tally.tell();
    if tally.rounds >= ROUNDS {
        tally.assert_complete();
    }
}

/// What some rounds have met.
#[derive(Default)]
struct Tally {
    rounds: u64,
    met: [u64; Race::ALL.len()],
}

impl Tally {
    fn run(&mut self, seeds: impl Iterator<Item = u64> + Send) {
        let lab = Lab::get();
        let seeds = Mutex::new(seeds);
        let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
        let one_after_another = || {
            let mut tally = Self::default();
            while let Some(seed) = next() {
                tally.add(&watched(format!("NTWATCH_SEED={seed}"), || {
                    round(&lab, seed, Trouble::Delays)
                }));
            }
            tally
        };
        thread::scope(|scope| {
            let running = [(); AT_ONCE].map(|()| scope.spawn(one_after_another));
            for thread in running {
                let Self { rounds, met } = thread.join().expect("every round ends well");
                self.rounds += rounds;
                self.met = array::from_fn(|race| self.met[race] + met[race]);
            }
        });
    }

    fn add(&mut self, races: &Races) {
        self.rounds += 1;
        for race in Race::ALL {
            self.met[race as usize] += races.met.times(race);
        }
    }

    fn tell(&self) {
        tell("rounds of racing threads", self.rounds, "rounds");
        // Past what the test harness keeps of a test that passes.
        let mut table = format!("\n{:8} rounds\n", self.rounds);
        for race in Race::ALL {
            let times = self.met[race as usize];
            tell(&format!("race: {}", race.name()), times, "times met");
            table += &format!("{times:8} {}\n", race.name());
        }
        let _ = std::io::stdout().write_all(table.as_bytes());
    }

    fn assert_complete(&self) {
        let rare = Race::ALL
            .into_iter()
            .filter(|race| self.met[*race as usize] < AT_LEAST);
        let rare: Vec<_> = rare.map(Race::name).collect();
        assert!(
            rare.is_empty(),
            "met less than {AT_LEAST} times in {} rounds: {rare:?}",
            self.rounds
        );
    }
}

/// The number that a variable of the environment is.
fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}
