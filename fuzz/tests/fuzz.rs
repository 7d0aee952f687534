//! Each target takes what is kept of it, and what descends from that: a test for each.

use libtest_mimic::{Arguments, Failed, Trial};
use ntwatch_fuzz::Campaign;
use ntwatch_fuzz::target::Target;
use ntwatch_fuzz::targets::{
    ConfigureInput, EventFiles, Loader, MappedRing, Recordings, Records, Requests, RingWord,
};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Memory and coverage are counted for the whole program.
    arguments.test_threads = Some(1);
    let trials = vec![
        trial::<ConfigureInput>(),
        trial::<Records>(),
        trial::<MappedRing>(),
        trial::<Loader>(),
        trial::<Recordings>(),
        trial::<EventFiles>(),
        trial::<RingWord>(),
        trial::<Requests>(),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial<T: Target>() -> Trial {
    Trial::test(format!("{}_takes_anything", T::NAME), || {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let done = Campaign::from_environment().run::<T>(dir);
        println!("{}: {}", T::NAME, done.map_err(Failed::from)?);
        Ok(())
    })
}
