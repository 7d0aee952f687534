//! The words for conditions.

use clap::Args;
use ntwatch_client::{Condition, Event, Field};

#[derive(Debug, Args)]
pub(crate) struct ConditionOptions {
    /// Only events that fulfil this condition, such as `process.image ~ powershell.exe and
    /// process.command_line contains '-enc'`; --help says more.
    #[arg(long = "where", value_name = "CONDITION", long_help = help())]
    #[arg(value_parser = Condition::parse)]
    pub(crate) condition: Option<Condition>,
}

impl ConditionOptions {
    /// Is this event to be passed on?
    pub(crate) fn lets_through(&self, event: &Event) -> bool {
        let condition = self.condition.as_ref();
        condition.is_none_or(|condition| condition.lets_through(event))
    }
}

/// A line that ends in `\` goes on: paragraphs are broken where the terminal is.
const LANGUAGE: &str = "\
Only events that fulfil this condition, such as `event == handle_open and target.image ~ \
lsass.exe and access.granted has vm_read`. It compares facts, with `not`, `and`, `or` and \
parentheses between:

  == != < <= > >=     numbers (4711, 0x1f), times, text, true, false
  ~ !~                patterns, as with --image: `*` is any text, `?`
                      any character; without `\\` in it, one is held
                      against the last part of a path
  contains TEXT       text with this in it
  in (A, B, C)        one of these
  has vm_read|0x20    one of these rights; with `&` between, all
  exists              known at all

Text with blanks or signs in it is quoted, by ' or \". A backslash is itself, and case does not \
count. Times are written as they are shown: 2026-11-22T03:03:27Z. A fact that an event has not \
fulfils no comparison, not even `!=`: `not (process.user == x)` takes whom nothing is known of, \
`process.user != x` does not.

Of live events the driver filters as far as it can; --events, --pid and their like hold besides. \
If --access is not given, a condition about `access` takes its place. What is said of the stream \
itself, `session` and `lost`, always comes.

Facts: ";

/// The long help of `--where`.
fn help() -> String {
    let names: Vec<_> = Field::all().iter().map(|field| field.name).collect();
    LANGUAGE.to_owned() + &names.join(", ")
}
