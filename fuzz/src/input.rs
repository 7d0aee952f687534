//! What a target is fed with: something that can be kept in a file and varied.

use mutatis::DefaultMutate;
use serde::Serialize;
use serde::de::DeserializeOwned;

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

/// An input that says what is to be done, and is kept as JSON for people to read.
pub trait Script: Clone + DefaultMutate + Serialize + DeserializeOwned {}

impl<S: Script> Input for S {
    const EXTENSION: &'static str = "json";

    fn decode(file: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(file).map_err(|e| e.to_string())
    }

    fn encode(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("scripts are plain data");
        json.push(b'\n');
        json
    }
}
