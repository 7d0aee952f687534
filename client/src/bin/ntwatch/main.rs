//! `ntwatch`: live process events of a Windows machine, on the command line.

mod cli;
mod convert;
mod failure;
mod interrupt;
mod manual;
mod output;
mod pretty;
mod printer;
mod progress;
mod protect;
mod record;
mod report;
#[cfg(windows)]
mod service;
mod show;
mod terminal;
mod watch;

use clap::Parser;
use cli::{Cli, Command};
use failure::Failure;
use ntwatch_client::Driver;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Watch(options) => watch::run(&cli.device, options),
        Command::Record(options) => record::run(&cli.device, options),
        Command::Show(options) => show::run(options),
        Command::Convert(options) => convert::run(options),
        Command::Stats(options) => stats(&cli.device, options),
        Command::Status => status(&cli.device),
        Command::Protect(command) => protect::run(&cli.device, command),
        #[cfg(windows)]
        Command::Install(options) => service::install(options),
        #[cfg(windows)]
        Command::Uninstall => service::uninstall(&cli.device),
        #[cfg(windows)]
        Command::Start => service::start(),
        #[cfg(windows)]
        Command::Stop => service::stop(&cli.device),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { command } => manual::page(command),
    };
    done.unwrap_or_else(|failure| failure.report())
}

fn stats(device: &str, options: &cli::StatsOptions) -> Result<ExitCode, Failure> {
    let driver = Driver::open(device)?;
    let stats = driver.stats()?;
    let route = driver.route(options.transport.into())?;
    let text = match options.format {
        cli::Format::Pretty => report::stats(&stats, &route),
        cli::Format::Jsonl => report::stats_json(&stats, &route),
    };
    output::print(&text)
}

fn status(device: &str) -> Result<ExitCode, Failure> {
    let driver = Driver::open(device)?;
    let text = report::status(&driver, &driver.host()?, &driver.stats()?);
    output::print(&text)
}
