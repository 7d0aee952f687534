//! Feeding a target: with what is kept, then with what descends from it.

use crate::coverage;
use crate::input::Input;
use crate::running::Running;
use crate::target::Target;
use mutatis::Session;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A descendant differs from an input that is known in up to so many places.
const CHANGES: usize = 8;
/// A failure is tried to be had with less, so often.
const SHRINKS: usize = 2000;
/// And for so long.
const SHRINKING: Duration = Duration::from_secs(20);
/// No longer input is kept to descend from, in bytes.
const LONGEST_KEPT: usize = 1 << 18;

/// How long to go on, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// For each target.
    pub time: Duration,
    /// The same seed makes the same inputs from the same corpus.
    pub seed: u64,
}

impl Campaign {
    /// As `NTWATCH_FUZZ_SECONDS` and `NTWATCH_SEED` say; else short, and the same every time.
    ///
    /// # Panics
    /// When either is no number.
    #[must_use]
    pub fn from_environment() -> Self {
        let number = |name: &str, usual| match std::env::var(name) {
            Ok(text) => text
                .parse()
                .unwrap_or_else(|_| panic!("{name} is {text:?}: give it a whole number")),
            Err(_) => usual,
        };
        Self {
            time: Duration::from_secs(number("NTWATCH_FUZZ_SECONDS", 3)),
            seed: number("NTWATCH_SEED", 1),
        }
    }

    /// Feeds `T` with its corpus, its seeds and what descends from both. What is being tried lies
    /// in `dir`. Gives what was done, in words, and tells how many inputs there were.
    ///
    /// # Errors
    /// What the target did to an input, and where that input is.
    pub fn run<T: Target>(&self, dir: &Path) -> Result<String, String> {
        let mut known = corpus::<T>()?;
        known.extend(T::seeds());
        let mut trial = Trial::<T>::new(dir);
        coverage::forget();
        for input in &known {
            trial.run(input)?;
        }
        coverage::is_new();
        let kept = known.len();
        let mut session = Session::new().seed(self.seed);
        let mut tried = 0_u64;
        let began = Instant::now();
        while began.elapsed() < self.time {
            let mut input = known[below(&mut session, known.len())].clone();
            for _ in 0..=below(&mut session, CHANGES) {
                // An input that cannot be changed is tried as it is.
                let _ = session.mutate(&mut input);
            }
            trial.run(&input)?;
            tried += 1;
            if coverage::is_new() && trial.running.len() <= LONGEST_KEPT {
                known.push(input);
            }
        }
        let inputs = format!("hostile inputs: {}", T::NAME);
        ntwatch_lab_figures::tell(&inputs, kept as u64 + tried, "inputs");
        let found = known.len() - kept;
        let seed = self.seed;
        Ok(match coverage::reached() {
            Some(edges) => format!(
                "{kept} inputs kept, {tried} made from them with seed {seed}; \
                 {found} of these reached what no other had, all together {edges} edges"
            ),
            None => format!("{kept} inputs kept, {tried} made from them with seed {seed}"),
        })
    }
}

/// The inputs that are kept in the repository.
fn corpus<T: Target>() -> Result<Vec<T::Input>, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(T::NAME);
    let cannot = |path: &Path, why: String| format!("cannot read {}: {why}", path.display());
    let entries = std::fs::read_dir(&dir).map_err(|e| cannot(&dir, e.to_string()))?;
    let mut files = entries
        .map(|entry| Ok(entry.map_err(|e| cannot(&dir, e.to_string()))?.path()))
        .collect::<Result<Vec<PathBuf>, String>>()?;
    // Folders have no order, and the same seed is to make the same inputs.
    files.sort();
    let read = |path: &PathBuf| {
        let file = std::fs::read(path).map_err(|e| cannot(path, e.to_string()))?;
        T::Input::decode(&file).map_err(|e| cannot(path, e))
    };
    files.iter().map(read).collect()
}

fn below(session: &mut Session, count: usize) -> usize {
    let number: u32 = session.generate().expect("numbers can be made");
    number as usize % count.max(1)
}

/// Runs one input after another.
struct Trial<T> {
    running: Running,
    target: std::marker::PhantomData<T>,
}

impl<T: Target> Trial<T> {
    fn new(dir: &Path) -> Self {
        let name = format!("{}.{}", T::NAME, T::Input::EXTENSION);
        Self {
            running: Running::new(&dir.join(name)),
            target: std::marker::PhantomData,
        }
    }

    fn run(&mut self, input: &T::Input) -> Result<(), String> {
        let Err(why) = self.fails(input) else {
            return Ok(());
        };
        let smaller = self.shrink(input.clone());
        self.running.begin(&smaller.encode());
        Err(format!(
            "{why}\nThe input is in {}; once that is mended, keep it in fuzz/corpus/{} under a name \
             that says what it is.",
            self.running.path().display(),
            T::NAME
        ))
    }

    fn fails(&mut self, input: &T::Input) -> Result<(), String> {
        self.running.begin(&input.encode());
        let run = catch_unwind(AssertUnwindSafe(|| T::run(input)));
        self.running.end();
        run.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            text.unwrap_or_default()
        })
    }

    /// The least that still fails.
    fn shrink(&mut self, mut least: T::Input) -> T::Input {
        let mut session = Session::new().seed(0).shrink(true);
        let began = Instant::now();
        for _ in 0..SHRINKS {
            let mut less = least.clone();
            let exhausted = session.mutate(&mut less).is_err();
            if exhausted || began.elapsed() > SHRINKING {
                break;
            }
            if self.fails(&less).is_err() {
                least = less;
            }
        }
        least
    }
}
