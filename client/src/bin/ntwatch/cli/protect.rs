//! The words of `ntwatch protect`.

use super::{Format, examples};
use clap::{Args, Subcommand};
use ntwatch_client::Rights;
use ntwatch_client::error::RuleError;
use ntwatch_client::rights::UnknownRight;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum ProtectCommand {
    /// Protects a process for as long as this runs.
    ///
    /// Nobody but the process itself and the kernel gets a handle with the denied rights. Handles
    /// from before keep theirs. The rule ends with this command (Ctrl+C, or --for), when the
    /// process exits, and by `ntwatch protect remove`.
    #[command(after_long_help = examples::PROTECT_ADD)]
    Add(AddOptions),
    /// Shows which processes are protected.
    #[command(after_long_help = examples::PROTECT_LIST)]
    List(ListOptions),
    /// Ends the protection of a process, whoever began it.
    #[command(after_long_help = examples::PROTECT_REMOVE)]
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
