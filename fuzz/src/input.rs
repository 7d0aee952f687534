//! What a target is fed with: something that can be kept in a file and varied.

use mutatis::DefaultMutate;

/// An input of a target.
pub trait Input: Clone + DefaultMutate {
    /// What its files' names end in.
    const EXTENSION: &'static str;

    /// From a file of the corpus.
    ///
    /// # Errors
    /// Why the file holds none.
    fn decode(file: &[u8]) -> Result<Self, String>;

    /// As a file of the corpus.
    fn encode(&self) -> Vec<u8>;
}
