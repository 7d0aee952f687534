//! The words that `ntwatch` understands.

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, value_parser};
use ntwatch_client::error::RuleError;
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::rights::UnknownRight;
use ntwatch_client::{DEFAULT_DEVICE, Delivery, Filter, Rights, Select, Way};
use std::time::Duration;

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong words on the command line, 3 the driver is not there or \
refused, 4 events were lost (with --fail-on-loss).";

/// Shows, live and without losing count, what every process on a Windows machine does.
#[derive(Debug, Parser)]
#[command(name = "ntwatch", version, after_help = EXIT_CODES)]
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
    Watch(WatchOptions),
    /// Shows what became of the events since the driver was loaded, by kind.
    Stats(StatsOptions),
    /// Says whether the driver is there, and which one.
    Status,
    /// Keeps rights to a process from all others: their handles are made without them.
    #[command(subcommand)]
    Protect(ProtectCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProtectCommand {
    /// Protects a process for as long as this runs.
    ///
    /// Nobody but the process itself and the kernel gets a handle with the denied rights. Handles
    /// from before keep theirs. The rule ends with this command (Ctrl+C, or --for), when the
    /// process exits, and by `ntwatch protect remove`.
    Add(AddOptions),
    /// Shows which processes are protected.
    List(ListOptions),
    /// Ends the protection of a process, whoever began it.
    Remove {
        /// The protected process.
        pid: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    /// The process to protect.
    pub(crate) pid: u32,

    /// The rights that nobody is to get to it, and where threads have them to its threads, such as
    /// `terminate,vm-write`; `all-access` for every right that can be denied. Reading its memory
    /// cannot be.
    #[arg(long, value_name = "RIGHTS", required = true, value_parser = deny)]
    deny: Vec<Rights>,

    /// End after so long, such as `10s` or `5min`.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<Duration>,
}

impl AddOptions {
    /// All that is to be denied.
    pub(crate) fn deny(&self) -> Rights {
        let deny = self.deny.iter().copied();
        deny.fold(Rights::default(), Rights::or)
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// How to show the rules.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("roots").args(["pid", "exclude_pid"]).multiple(true)))]
pub(crate) struct WatchOptions {
    /// How to show events.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Only these kinds of event, with commas between. Running processes are shown with
    /// `process_start` alone.
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kinds())]
    events: Vec<Kind>,

    /// Only events about this process, as far as it takes part: a handle is about who opens and
    /// who is opened, a thread about who starts it, too. Can be given several times.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<u32>,

    /// No events about this process; can be given several times.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    exclude_pid: Vec<u32>,

    /// With --pid and --exclude-pid: and about their descendants.
    #[arg(long, requires = "roots")]
    tree: bool,

    /// Only events about processes with such an image; can be given several times. `*` and `?`
    /// stand for any text and any character, case does not count; without a separator the pattern
    /// is held against the file name alone.
    #[arg(long, value_name = "PATTERN", value_parser = NonEmptyStringValueParser::new())]
    image: Vec<String>,

    /// No events about processes with such an image; can be given several times.
    #[arg(long, value_name = "PATTERN", value_parser = NonEmptyStringValueParser::new())]
    exclude_image: Vec<String>,

    /// Of handles, those that ask for one of these rights, to a process or a thread, such as
    /// `vm-read,terminate` or `0x10`. `default` stands for all that can do more than look, `all`
    /// for every handle.
    #[arg(long, value_name = "RIGHTS", default_value = "default", value_parser = access)]
    access: Vec<Rights>,

    /// Of threads, only the starts of those that another process started, or may have.
    #[arg(long)]
    remote_threads: bool,

    /// Of images, only those mapped into a process, not the kernel's.
    #[arg(long)]
    user_images: bool,

    /// End after so many of the driver's events; running processes are not counted.
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// End after so long, such as `10s` or `5min`.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<Duration>,

    /// How much may wait in the driver to be read, in MiB: 1, 2, 4, … 64.
    #[arg(long, value_name = "MIB", default_value = "16", value_parser = ring_sizes())]
    ring_size: u32,

    /// How events come from the driver.
    #[arg(long, value_enum, default_value_t)]
    transport: Transport,

    /// Let an event that follows on a pause wait for others, up to this time, such as `20ms`, or
    /// until a quarter of the ring is full: fewer wake-ups. Of the mapped ring only.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    linger: Option<Duration>,

    /// With --linger: until there are so many KiB of them, in place of a quarter of the ring; at
    /// most half of it.
    #[arg(long, value_name = "KIB", requires = "linger", value_parser = value_parser!(u32).range(1..=32768))]
    linger_until: Option<u32>,

    /// Do not cut lines to the width of the terminal.
    #[arg(long)]
    pub(crate) wide: bool,

    /// End with exit code 4 if any event was lost.
    #[arg(long)]
    pub(crate) fail_on_loss: bool,
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

impl WatchOptions {
    /// How events are to come.
    pub(crate) fn delivery(&self) -> Delivery {
        let delivery = Delivery::by(self.transport.into());
        delivery
            .linger(self.linger.unwrap_or_default())
            .linger_until(self.linger_until.map_or(0, |kib| kib << 10))
    }

    /// What to ask the driver for.
    pub(crate) fn filter(&self) -> Filter {
        let select = |pid: &u32| {
            let process = Select::pid(*pid);
            if self.tree {
                process.with_descendants()
            } else {
                process
            }
        };
        let mut filter = Filter::new().ring_size(self.ring_size << 20);
        filter = self.events.iter().copied().fold(filter, Filter::event);
        filter = self.pid.iter().map(select).fold(filter, Filter::process);
        filter = self
            .exclude_pid
            .iter()
            .map(select)
            .fold(filter, Filter::exclude);
        filter = self.image.iter().fold(filter, Filter::image);
        filter = self
            .exclude_image
            .iter()
            .fold(filter, Filter::exclude_image);
        filter = self.access.iter().copied().fold(filter, Filter::access);
        if self.remote_threads {
            filter = filter.remote_threads_only();
        }
        if self.user_images {
            filter = filter.user_images_only();
        }
        filter
    }
}

fn access(words: &str) -> Result<Rights, UnknownRight> {
    Rights::of_words(words, |word| match word {
        "all" => Ok(Rights::EVERY_OPEN),
        "default" => Ok(Rights::MORE_THAN_QUERY),
        name => name.parse(),
    })
}

/// Of a name, the rights that can be denied; a number must be of such rights alone.
fn deny(words: &str) -> Result<Rights, String> {
    Rights::of_words(words, |word| {
        let rights: Rights = word
            .parse()
            .map_err(|error: UnknownRight| error.to_string())?;
        let deniable = rights.and(Rights::DENIABLE);
        if deniable.is_empty() || (word.starts_with("0x") && deniable != rights) {
            return Err(RuleError::NotDeniable(rights).to_string());
        }
        Ok(deniable)
    })
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::EVENTS.map(Kind::name)).try_map(|word| {
        let kind = Kind::EVENTS.into_iter().find(|kind| kind.name() == word);
        kind.ok_or("not a kind of event")
    })
}

fn ring_sizes() -> impl TypedValueParser<Value = u32> {
    PossibleValuesParser::new(["1", "2", "4", "8", "16", "32", "64"])
        .try_map(|word| word.parse::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_condition_that_can_be_written_is_asked_for() {
        let words = "ntwatch watch --events thread_start,handle_open --pid 8,12 --exclude-pid 16 \
                     --tree --image a.exe --exclude-image b.exe --access vm-read|0x1 \
                     --remote-threads --user-images --ring-size 2";
        let Command::Watch(options) = Cli::parse_from(words.split_whitespace()).command else {
            panic!("{words} is not understood");
        };
        let (process, thread) = (0x11, 0x01);
        let expected = Filter::new()
            .event(Kind::ThreadStart)
            .event(Kind::HandleOpen)
            .process(Select::pid(8).with_descendants())
            .process(Select::pid(12).with_descendants())
            .exclude(Select::pid(16).with_descendants())
            .image("a.exe")
            .exclude_image("b.exe")
            .access(Rights { process, thread })
            .remote_threads_only()
            .user_images_only()
            .ring_size(2 << 20);
        assert_eq!(options.filter(), expected);
    }

    #[test]
    fn every_way_that_can_be_written_is_wished_for() {
        for (words, expected) in [
            ("", Delivery::default()),
            ("--transport read", Delivery::by(Way::Read)),
            (
                "--transport mapped --linger 20ms",
                Delivery::by(Way::Mapped).linger(Duration::from_millis(20)),
            ),
            (
                "--linger 1s --linger-until 64",
                Delivery::default()
                    .linger(Duration::from_secs(1))
                    .linger_until(64 << 10),
            ),
        ] {
            let words = format!("ntwatch watch {words}");
            let Command::Watch(options) = Cli::parse_from(words.split_whitespace()).command else {
                panic!("{words} is not understood");
            };
            assert_eq!(options.delivery(), expected, "{words}");
        }
    }
}
