//! Calls that fail, though the driver does everything right: one that is named, or as chance has it.
//!
//! A call is named by its [`Site`] and its number among the calls from there, which is the same in
//! every run that does the same in the same order.

use super::failures::failure;
use super::{Call, Decision, Stack, Watch};
use fastrand::Rng;
use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

/// Where a driver makes a call: in different machines the same if it is the same code of the same
/// images.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// What it calls.
    pub function: &'static str,
    /// Who calls.
    pub stack: Stack,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, called by{}", self.function, self.stack)
    }
}

impl Site {
    fn of(call: &Call<'_>) -> Site {
        Site {
            function: call.export.name,
            stack: call.stack(),
        }
    }
}

/// A call that can fail.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Where it is made.
    pub site: Site,
    /// Which of the calls from there it is, from 1.
    pub number: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {} of {}", self.number, self.site)
    }
}

/// A [`Watch`] that has calls fail.
#[derive(Debug)]
pub struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    plan: Plan,
    /// So many calls there were from each site.
    numbers: HashMap<Site, u32>,
    made: Vec<Fault>,
    struck: usize,
}

#[derive(Debug)]
enum Plan {
    /// These fail.
    Strike(Vec<Fault>),
    /// One in so many of those that need memory.
    Storm { one_in: u32, rng: Rng },
    /// None any more, and none is written down.
    Over,
}

impl Faults {
    /// Has no call fail, and writes down those that could.
    #[must_use]
    pub fn observe() -> Faults {
        Faults::strike(Vec::new())
    }

    /// Has these calls fail, each once, and writes down those that could.
    #[must_use]
    pub fn strike(faults: Vec<Fault>) -> Faults {
        Faults::of(Plan::Strike(faults))
    }

    /// Has one in `one_in` of the calls fail that need memory, by a chance that `seed` decides.
    #[must_use]
    pub fn storm(one_in: u32, seed: u64) -> Faults {
        let rng = Rng::with_seed(seed);
        Faults::of(Plan::Storm { one_in, rng })
    }

    fn of(plan: Plan) -> Faults {
        Faults(Mutex::new(State {
            plan,
            numbers: HashMap::new(),
            made: Vec::new(),
            struck: 0,
        }))
    }

    /// From here on no call fails.
    pub fn stop(&self) {
        self.0.lock().unwrap().plan = Plan::Over;
    }

    /// The calls that could fail, in order; none of them in a storm.
    #[must_use]
    pub fn made(&self) -> Vec<Fault> {
        self.0.lock().unwrap().made.clone()
    }

    /// How many did fail.
    #[must_use]
    pub fn struck(&self) -> usize {
        self.0.lock().unwrap().struck
    }
}

impl Watch for Faults {
    fn enter(&self, call: &Call<'_>) -> Decision {
        let Some((result, needs_memory)) = failure(call) else {
            return Decision::Call;
        };
        let state = &mut *self.0.lock().unwrap();
        let strikes = match &mut state.plan {
            Plan::Strike(faults) => {
                let site = Site::of(call);
                let number = state.numbers.entry(site.clone()).or_default();
                *number += 1;
                let number = *number;
                let fault = Fault { site, number };
                let is_named = faults.contains(&fault);
                state.made.push(fault);
                is_named
            }
            Plan::Storm { one_in, rng } => needs_memory && rng.u32(0..*one_in) == 0,
            Plan::Over => false,
        };
        if !strikes {
            return Decision::Call;
        }
        state.struck += 1;
        Decision::Return(result)
    }
}
