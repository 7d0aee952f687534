//! The words for a session: what it is to have, and how that comes.

use super::{ConditionOptions, Transport};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueEnum, value_parser};
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::rights::UnknownRight;
use ntwatch_client::{Delivery, Filter, FilterError, Rights, Select};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("roots").args(["pid", "exclude_pid"]).multiple(true)))]
pub(crate) struct SessionOptions {
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
    /// for every handle. If it is not said, `default`, or what --where asks for. It is held against
    /// the rights asked for: who wants others that may be given the same, adds `maximum-allowed` and
    /// the generic ones, or has `--where 'access.granted has …'` do it.
    #[arg(long, value_name = "RIGHTS", value_parser = access)]
    access: Vec<Rights>,

    /// Of threads, only the starts of those that another process started, or may have.
    #[arg(long)]
    remote_threads: bool,

    /// Of images, only those mapped into a process, not the kernel's.
    #[arg(long)]
    user_images: bool,

    /// Tell the hashes of the files that are run and mapped, as `process.sha256` and
    /// `image.sha256`. Events that name a file wait for its hash, for two seconds at most. Files on
    /// other machines are not opened, and have none.
    #[arg(long, value_enum, value_name = "HASH")]
    pub(crate) hash: Option<Hash>,

    #[command(flatten)]
    pub(crate) condition: ConditionOptions,

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

    /// End with exit code 4 if any event was lost.
    #[arg(long)]
    pub(crate) fail_on_loss: bool,
}

/// What `--hash` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hash {
    /// SHA-256.
    Sha256,
}

impl SessionOptions {
    /// How events are to come.
    pub(crate) fn delivery(&self) -> Delivery {
        let delivery = Delivery::by(self.transport.into());
        delivery
            .linger(self.linger.unwrap_or_default())
            .linger_until(self.linger_until.map_or(0, |kib| kib << 10))
    }

    /// What to ask the driver for.
    pub(crate) fn filter(&self) -> Result<Filter, FilterError> {
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
        match &self.condition.condition {
            Some(condition) => condition.narrow(filter),
            None => Ok(filter),
        }
    }
}

fn access(words: &str) -> Result<Rights, UnknownRight> {
    Rights::of_words(words, |word| match word {
        "all" => Ok(Rights::EVERY_OPEN),
        "default" => Ok(Rights::MORE_THAN_QUERY),
        name => name.parse(),
    })
}

pub(super) fn kinds() -> impl TypedValueParser<Value = Kind> {
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
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use ntwatch_client::Way;

    fn session(words: &str) -> SessionOptions {
        let Command::Watch(options) = Cli::parse_from(words.split_whitespace()).command else {
            panic!("{words} is not understood");
        };
        options.session
    }

    #[test]
    fn every_condition_that_can_be_written_is_asked_for() {
        let words = "ntwatch watch --events thread_start,handle_open --pid 8,12 --exclude-pid 16 \
                     --tree --image a.exe --exclude-image b.exe --access vm-read|0x1 \
                     --remote-threads --user-images --ring-size 2";
        let options = session(words);
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
        assert_eq!(options.filter(), Ok(expected));
    }

    #[test]
    fn a_condition_narrows_what_is_asked_for_by_other_words() {
        let watch = |words: &[&str]| {
            let words = [&["ntwatch", "watch"], words].concat();
            let Command::Watch(options) = Cli::parse_from(words).command else {
                panic!("this is not understood");
            };
            options.session.filter()
        };
        let filter = || Filter::new().ring_size(16 << 20);
        let open = "event == handle_open and access.granted exists";
        let every = Rights::EVERY_OPEN;
        assert_eq!(
            watch(&["--where", open, "--pid", "8"]),
            Ok(filter().event(Kind::HandleOpen).process(8).access(every))
        );
        assert_eq!(
            watch(&["--where", open, "--access", "default"]),
            Ok(filter()
                .event(Kind::HandleOpen)
                .access(Rights::MORE_THAN_QUERY))
        );
        assert_eq!(
            watch(&["--where", open, "--events", "process_start"]),
            Err(FilterError::NoEvents)
        );
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
            let options = session(&format!("ntwatch watch {words}"));
            assert_eq!(options.delivery(), expected, "{words}");
        }
    }
}
