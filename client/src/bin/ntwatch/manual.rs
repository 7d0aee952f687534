//! What is installed beside the program: completions for shells, and pages of the manual.

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::process::ExitCode;

/// `ntwatch completions`.
pub(crate) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ntwatch", &mut script);
    output::print(&script)
}

/// `ntwatch man`: the page of one command, named word by word.
pub(crate) fn page(words: &[String]) -> Result<ExitCode, Failure> {
    let mut cli = Cli::command();
    cli.build();
    let command = words.iter().try_fold(&cli, |command, word| {
        command.find_subcommand(word).ok_or((command, word))
    });
    let command = match command {
        Ok(command) => command.clone(),
        Err((command, word)) => unknown(command, word).exit(),
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    output::print(&page)
}

fn unknown(command: &Command, word: &str) -> clap::Error {
    let known: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
    let message = match known.is_empty() {
        true => format!("`{}` has no command `{word}`", command.get_name()),
        false => format!(
            "there is no command `{word}`; there is {}",
            known.join(", ")
        ),
    };
    command.clone().error(ErrorKind::InvalidSubcommand, message)
}
