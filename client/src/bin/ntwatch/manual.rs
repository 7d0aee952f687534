//! What is installed beside the program: completions for shells, and pages of the manual.

use crate::cli::{Cli, exit};
use crate::failure::Failure;
use crate::output;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;
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
    render(command, &mut page)?;
    output::print(&page)
}

/// As [`Man::render`] does, but for the last sections and the pages' common footer.
fn render(command: Command, to: &mut Vec<u8>) -> io::Result<()> {
    let help = command.get_after_long_help().map(ToString::to_string);
    let has_commands = command.has_subcommands();
    let man = Man::new(command).source(concat!("ntwatch ", env!("CARGO_PKG_VERSION")));
    man.render_title(to)?;
    man.render_name_section(to)?;
    man.render_synopsis_section(to)?;
    man.render_description_section(to)?;
    man.render_options_section(to)?;
    if has_commands {
        man.render_subcommands_section(to)?;
    }
    let mut sections = Roff::new();
    sections.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in exit::CODES {
        sections.control("TP", []);
        sections.text([bold(code.to_string())]);
        sections.text([roman(meaning)]);
    }
    if let Some(help) = help {
        // The exit codes have a section.
        let sentence = exit::sentence();
        let examples = help.strip_suffix(&sentence).unwrap_or(&help).trim_end();
        sections.control("SH", ["EXAMPLES"]);
        // Line by line, as they are typed.
        sections.control("nf", []);
        for line in examples.trim_start_matches("Examples:\n").lines() {
            sections.text([roman(line)]);
        }
        sections.control("fi", []);
    }
    sections.to_writer(to)
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
