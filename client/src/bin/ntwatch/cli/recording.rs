//! The words for recordings.

use super::session::kinds;
use super::{ConditionOptions, OutputOptions, SessionOptions};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, value_parser};
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::recording::{Format, Rotation};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct RecordOptions {
    /// The file. Its name ends in .jsonl, .csv or .parquet; until it is whole, in .growing behind
    /// that. `-` is standard output.
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) target: TargetOptions,

    /// Begin another file after so long, such as `10min`, or when this one has so much, such as
    /// `256MiB`. They are called FILE-000001 and so on. Can be given twice: whichever comes first.
    #[arg(long, value_name = "TIME|SIZE", value_parser = limit)]
    rotate: Vec<Limit>,

    #[command(flatten)]
    pub(crate) session: SessionOptions,
}

/// What is written, and over what.
#[derive(Debug, Args)]
pub(crate) struct TargetOptions {
    /// The format of the file, if it is not to be known by its name.
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    pub(crate) format: Option<Format>,

    /// Write over a file of that name.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowOptions {
    /// The files, in this order; the parts of a recording are shown as one. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The format of the files, if it cannot be known by their names.
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    pub(crate) from: Option<Format>,

    #[command(flatten)]
    pub(crate) output: OutputOptions,

    /// Only these kinds of event, with commas between. Running processes are shown with
    /// `process_start` alone.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kinds())]
    pub(crate) events: Vec<Kind>,

    #[command(flatten)]
    pub(crate) condition: ConditionOptions,

    /// End after so many of the driver's events; running processes are not counted.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertOptions {
    /// The files to read, in this order; the parts of a recording become one. `-` is standard
    /// input.
    #[arg(required = true, value_name = "IN")]
    pub(crate) from_files: Vec<PathBuf>,

    /// The file to write. `-` is standard output.
    #[arg(value_name = "OUT")]
    pub(crate) file: PathBuf,

    /// The format of the files that are read, if it cannot be known by their names.
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    pub(crate) from: Option<Format>,

    #[command(flatten)]
    pub(crate) target: TargetOptions,

    #[command(flatten)]
    pub(crate) condition: ConditionOptions,
}

impl RecordOptions {
    /// When another file begins.
    pub(crate) fn rotation(&self) -> Rotation {
        let mut rotation = Rotation::default();
        for limit in &self.rotate {
            match limit {
                Limit::Time(time) => {
                    rotation.time = Some(rotation.time.map_or(*time, |other| other.min(*time)));
                }
                Limit::Bytes(bytes) => {
                    rotation.bytes = Some(rotation.bytes.map_or(*bytes, |other| other.min(*bytes)));
                }
            }
        }
        rotation
    }
}

/// How much goes into one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Time(Duration),
    Bytes(u64),
}

fn limit(word: &str) -> Result<Limit, String> {
    const UNITS: [(&str, u32); 3] = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let size = UNITS.iter().find_map(|(unit, shift)| {
        let number: u64 = word.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(1 << shift)
    });
    let time = || humantime::parse_duration(word).ok().map(Limit::Time);
    let limit = size.map(Limit::Bytes).or_else(time);
    let nothing = [Limit::Bytes(0), Limit::Time(Duration::ZERO)];
    limit
        .filter(|limit| !nothing.contains(limit))
        .ok_or_else(|| "neither a time such as `10min` nor a size such as `256MiB`".to_owned())
}

fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::extension)).try_map(|word| {
        let mut all = Format::ALL.into_iter();
        let format = all.find(|format| format.extension() == word);
        format.ok_or("not a format of recordings")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_limited_in_time_or_in_size() {
        let minutes = Limit::Time(Duration::from_secs(600));
        assert_eq!(limit("10min"), Ok(minutes));
        assert_eq!(limit("256MiB"), Ok(Limit::Bytes(256 << 20)));
        for word in ["", "0s", "0KiB", "256", "1e3MiB", "-1s", "99999999999GiB"] {
            assert!(limit(word).is_err(), "{word}");
        }
    }
}
