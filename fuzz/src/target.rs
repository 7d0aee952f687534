//! What is fuzzed.

use crate::input::Input;

/// A part of the product or the lab that takes what others made.
pub trait Target {
    /// What it takes.
    type Input: Input;

    /// The name of its folder in the corpus.
    const NAME: &'static str;

    /// Sound inputs that are made rather than kept.
    #[must_use]
    fn seeds() -> Vec<Self::Input> {
        Vec::new()
    }

    /// Gives it an input.
    ///
    /// # Panics
    /// When it does what it must not.
    fn run(input: &Self::Input);
}
