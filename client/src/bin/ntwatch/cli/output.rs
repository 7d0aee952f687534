//! The words for how events are shown.

use crate::failure::Failure;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use ntwatch_client::Field;
use std::fmt;

#[derive(Debug, Args)]
pub(crate) struct OutputOptions {
    /// How to show events.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Shape,

    /// Only these facts of each event, with commas between, such as `time,process.image`. Of `pretty`
    /// they are the columns.
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = field)]
    pub(crate) fields: Vec<&'static Field>,

    /// Do not cut lines to the width of the terminal.
    #[arg(long)]
    pub(crate) wide: bool,
}

impl OutputOptions {
    /// Fails if fields were chosen for a shape that has its own.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let has_own = match self.format {
            Shape::Pretty | Shape::Jsonl | Shape::Csv => false,
            Shape::Ecs | Shape::Ocsf | Shape::Sysmon => true,
        };
        match has_own && !self.fields.is_empty() {
            true => Err(Failure::Fields(self.format)),
            false => Ok(()),
        }
    }
}

/// The shapes of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Columns, for people.
    #[default]
    Pretty,
    /// One JSON object a line, for programs.
    Jsonl,
    /// Comma-separated values, with a header.
    Csv,
    /// Elastic Common Schema, a JSON object a line.
    Ecs,
    /// Open Cybersecurity Schema Framework, a JSON object a line.
    Ocsf,
    /// Sysmon's events, as flat JSON.
    Sysmon,
}

fn field(name: &str) -> Result<&'static Field, String> {
    Field::named(name).ok_or_else(|| {
        let dot = |name: &str| name.split('.').next().map(str::to_owned);
        let like: Vec<_> = Field::all()
            .iter()
            .map(|field| field.name)
            .filter(|known| known.rsplit('.').next() == Some(name) || dot(known) == dot(name))
            .collect();
        match like.is_empty() {
            true => "no event has such a fact; `ntwatch watch --help` names some".to_owned(),
            false => format!("no event has such a fact; there is {}", like.join(", ")),
        }
    })
}

impl fmt::Display for Shape {
    /// As on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", PossibleValue::get_name))
    }
}
