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
    /// they are the columns. `process` stands for all that are called `process.…`.
    #[arg(long, value_name = "FIELD", value_delimiter = ',', value_parser = facts)]
    fields: Vec<Facts>,

    /// Do not cut lines to the width of the terminal.
    #[arg(long)]
    pub(crate) wide: bool,
}

impl OutputOptions {
    /// The facts that were chosen, each once; none if all are to be shown.
    pub(crate) fn fields(&self) -> Vec<&'static Field> {
        let mut fields = Vec::new();
        for field in self.fields.iter().flat_map(|Facts(fields)| fields) {
            if !fields.contains(field) {
                fields.push(*field);
            }
        }
        fields
    }

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

/// What a word of `--fields` stands for.
#[derive(Clone, Debug)]
struct Facts(Vec<&'static Field>);

fn facts(name: &str) -> Result<Facts, String> {
    let of_group = |field: &&Field| {
        let fact = field.name.strip_prefix(name);
        fact.is_some_and(|fact| fact.starts_with('.'))
    };
    let fields: Vec<_> = match Field::named(name) {
        Some(field) => vec![field],
        None => Field::all().iter().filter(of_group).collect(),
    };
    match (fields.is_empty(), Field::like(name).as_slice()) {
        (false, _) => Ok(Facts(fields)),
        (true, []) => Err("no event has such a fact; `--help` lists them, of --where".to_owned()),
        (true, like) => Err(format!(
            "no event has such a fact; there is {}",
            like.join(", ")
        )),
    }
}

impl fmt::Display for Shape {
    /// As on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", PossibleValue::get_name))
    }
}
