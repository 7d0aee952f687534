//! The words that `ntwatch` understands.

mod condition;
mod examples;
pub(crate) mod exit;
mod output;
mod protect;
mod recording;
mod session;

pub(crate) use condition::ConditionOptions;
pub(crate) use output::{OutputOptions, Shape};
pub(crate) use protect::{AddOptions, ProtectCommand};
pub(crate) use recording::{ConvertOptions, RecordOptions, ShowOptions};
pub(crate) use session::SessionOptions;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ntwatch_client::{DEFAULT_DEVICE, Way};

/// Shows, live and without losing count, what every process on a Windows machine does.
#[derive(Debug, Parser)]
#[command(name = "ntwatch", version, after_long_help = examples::ntwatch())]
pub(crate) struct Cli {
    /// The driver's device; `unix:PATH` is a machine of the lab.
    #[arg(long, global = true, value_name = "NAME", default_value = DEFAULT_DEVICE)]
    pub(crate) device: String,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows events as they happen, after the processes that run already.
    ///
    /// Ends with Ctrl+C. The account of all events, by kind, is then on standard error.
    #[command(after_long_help = examples::WATCH)]
    Watch(Box<WatchOptions>),
    /// Records events in a file, as JSON Lines, comma-separated values or Parquet.
    ///
    /// Ends with Ctrl+C. The account of all events, by kind, is then on standard error.
    #[command(after_long_help = examples::RECORD)]
    Record(Box<RecordOptions>),
    /// Shows what was recorded, in any shape that `watch` has.
    #[command(after_long_help = examples::SHOW)]
    Show(Box<ShowOptions>),
    /// Makes a recording of another format of one, or one of many.
    #[command(after_long_help = examples::CONVERT)]
    Convert(Box<ConvertOptions>),
    /// Shows what became of the events since the driver was loaded, by kind.
    #[command(after_long_help = examples::STATS)]
    Stats(StatsOptions),
    /// Says whether the driver is there, and which one.
    #[command(after_long_help = examples::STATUS)]
    Status,
    /// Keeps rights to a process from all others: their handles are made without them.
    #[command(subcommand)]
    Protect(ProtectCommand),
    /// Installs the driver as a service, which `start` starts.
    ///
    /// By its package, an INF with a signed catalogue, or by the driver's file alone, of which the
    /// service control manager makes a service. It says which of the two, and why.
    #[cfg(windows)]
    #[command(after_long_help = examples::INSTALL)]
    Install(InstallOptions),
    /// Stops the driver, and removes the service with all that `install` brought.
    #[cfg(windows)]
    #[command(after_long_help = examples::UNINSTALL)]
    Uninstall,
    /// Loads the driver.
    #[cfg(windows)]
    #[command(after_long_help = examples::START)]
    Start,
    /// Ends the sessions of all clients, and unloads the driver.
    #[cfg(windows)]
    #[command(after_long_help = examples::STOP)]
    Stop,
    /// Prints what has a shell complete `ntwatch`'s words.
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Prints a page of the manual, in roff.
    #[command(after_long_help = examples::MAN)]
    Man {
        /// The command that it is about, such as `watch` or `protect add`; `ntwatch` itself if none
        /// is named.
        command: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WatchOptions {
    #[command(flatten)]
    pub(crate) output: OutputOptions,

    #[command(flatten)]
    pub(crate) session: SessionOptions,
}

#[cfg(windows)]
#[derive(Debug, Args)]
pub(crate) struct InstallOptions {
    /// The INF of the driver's package; if nothing is named, the `ntwatch.inf` that lies beside this
    /// program.
    #[arg(long, value_name = "INF", conflicts_with = "driver")]
    pub(crate) package: Option<std::path::PathBuf>,

    /// The driver's file, without a package; if nothing is named and no `ntwatch.inf` lies beside
    /// this program, the `ntwatch.sys` that does.
    #[arg(long, value_name = "FILE")]
    pub(crate) driver: Option<std::path::PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StatsOptions {
    /// How to show the counters.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// How events would come from the driver: with `mapped`, fails if they cannot come so.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transport: Transport,
}

/// What `--transport` can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// From the mapped ring if it can be had, else by reads.
    #[default]
    Auto,
    /// By READ_EVENTS requests, which copy them.
    Read,
    /// From the ring, mapped, without requests.
    Mapped,
}

impl From<Transport> for Way {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Auto => Self::Auto,
            Transport::Read => Self::Read,
            Transport::Mapped => Self::Mapped,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people.
    #[default]
    Pretty,
    /// One JSON object a line, for programs.
    Jsonl,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
