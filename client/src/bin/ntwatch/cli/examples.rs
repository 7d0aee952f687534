//! What each command's `--help` shows at its end: commands as people type them.

use super::exit;

/// Of `ntwatch` itself; the exit codes are those of every command.
pub(super) fn ntwatch() -> String {
    format!("{NTWATCH}\n\n{}", exit::sentence())
}

const NTWATCH: &str = "\
Examples:
  # Is the driver there?
  ntwatch status

  # All that happens on this machine, until Ctrl+C
  ntwatch watch

  # What can be said about a command
  ntwatch help watch";

/// Of `watch`.
pub(super) const WATCH: &str = r"Examples:
  # Starts of processes, for ten seconds
  ntwatch watch --events process_start --for 10s

  # A process and all that descend from it
  ntwatch watch --pid 4711 --tree

  # Programs that are run from a folder for downloads, with the hashes of their files
  ntwatch watch --events process_start --image 'C:\Users\*\Downloads\*' --hash sha256

  # Who opens lsass.exe to read its memory, and those who were let
  ntwatch watch --events handle_open --image lsass.exe --access vm-read
  ntwatch watch --where 'target.image ~ lsass.exe and access.granted has vm_read'

  # Threads that one process starts in another
  ntwatch watch --events thread_start --remote-threads

  # Drivers and libraries, but for those of one program
  ntwatch watch --events image_load --exclude-image svchost.exe

  # For other programs, with exit code 4 if anything is missing
  ntwatch watch --format jsonl --fail-on-loss";

/// Of `record`.
pub(super) const RECORD: &str = r"Examples:
  # Starts and exits, until Ctrl+C
  ntwatch record night.parquet --events process_start,process_exit

  # Programs that run from a folder for downloads, with the hashes of their files
  ntwatch record night.jsonl --where 'process.image ~ *\Downloads\*' --hash sha256

  # An hour of everything, in files of a quarter of an hour
  ntwatch record all.parquet --for 1h --rotate 15min";

/// Of `show`.
pub(super) const SHOW: &str = "\
Examples:
  # As `ntwatch watch` would have shown it
  ntwatch show night.parquet

  # What ran with high integrity, and from where
  ntwatch show night.parquet --where 'process.integrity == high' --fields time,process.image

  # The parts of a recording as one, as Sysmon would have told it
  ntwatch show all-000001.parquet all-000002.parquet --format sysmon

  # Three facts of the first hundred processes
  ntwatch show night.jsonl --fields time,process.image,process.user --count 100";

/// Of `convert`.
pub(super) const CONVERT: &str = "\
Examples:
  # For DuckDB, Polars or Spark
  ntwatch convert night.jsonl night.parquet

  # For a spreadsheet
  ntwatch convert night.jsonl night.csv

  # The parts of a recording in one file
  ntwatch convert all-000001.jsonl all-000002.jsonl all.jsonl";

/// Of `stats`.
pub(super) const STATS: &str = "\
Examples:
  # What became of the events so far
  ntwatch stats

  # The same, for programs
  ntwatch stats --format jsonl

  # Can the ring be mapped? Exit code 3 if not
  ntwatch stats --transport mapped";

/// Of `status`.
pub(super) const STATUS: &str = r"Examples:
  # Is the driver there, and which version?
  ntwatch status

  # The same of a machine of the lab
  ntwatch --device unix:/tmp/n.sock status";

/// Of `protect add`.
pub(super) const PROTECT_ADD: &str = "\
Examples:
  # Nobody terminates it or writes to its memory, until Ctrl+C
  ntwatch protect add 4711 --deny terminate,vm-write

  # For five minutes, all rights that can be denied
  ntwatch protect add 4711 --deny all-access --for 5min";

/// Of `protect list`.
pub(super) const PROTECT_LIST: &str = "\
Examples:
  # Which processes are protected, and from what
  ntwatch protect list";

/// Of `protect remove`.
pub(super) const PROTECT_REMOVE: &str = "\
Examples:
  # Whoever protects it, it is no longer protected
  ntwatch protect remove 4711";

/// Of `install`.
#[cfg(windows)]
pub(super) const INSTALL: &str = r"Examples:
  # In a console of an administrator's; the driver lies beside ntwatch.exe
  ntwatch install

  # A package that lies elsewhere
  ntwatch install --package D:\ntwatch\ntwatch.inf

  # The driver's file alone
  ntwatch install --driver D:\ntwatch\ntwatch.sys";

/// Of `uninstall`.
#[cfg(windows)]
pub(super) const UNINSTALL: &str = "\
Examples:
  # Leaves no service, nothing in the registry, no package and no file
  ntwatch uninstall";

/// Of `start`.
#[cfg(windows)]
pub(super) const START: &str = "\
Examples:
  # After `ntwatch install`, in a console of an administrator's
  ntwatch start";

/// Of `stop`.
#[cfg(windows)]
pub(super) const STOP: &str = "\
Examples:
  # Clients that watch end with their account
  ntwatch stop";

/// Of `completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  # For bash, from the next shell on
  ntwatch completions bash > ~/.local/share/bash-completion/completions/ntwatch

  # For PowerShell, in this one
  ntwatch completions powershell | Out-String | Invoke-Expression";

/// Of `man`.
pub(super) const MAN: &str = "\
Examples:
  # Read it
  ntwatch man watch | man -l -

  # Install it
  ntwatch man > /usr/local/share/man/man1/ntwatch.1";

#[cfg(test)]
mod tests {
    use crate::cli::Cli;
    use clap::{Command, CommandFactory, Parser};

    const README: &str = include_str!("../../../../../README.md");

    /// The commands of `ntwatch` in a text, each a line behind a prompt or an indent, as a shell
    /// would split them.
    fn commands(text: &str) -> Vec<Vec<String>> {
        let prompts = ["$ ", "> ", "  "];
        text.lines()
            .filter_map(|line| prompts.iter().find_map(|prompt| line.strip_prefix(prompt)))
            .filter(|line| line.starts_with("ntwatch "))
            .map(|line| {
                let words = shlex::split(line).unwrap_or_else(|| panic!("no shell splits {line}"));
                let of_shell = |word: &String| ["|", ">", "&"].contains(&word.as_str());
                words
                    .into_iter()
                    .take_while(|word| !of_shell(word))
                    .collect()
            })
            .collect()
    }

    fn assert_understood(words: &[String]) {
        if let Err(error) = Cli::try_parse_from(words) {
            let asks = error.exit_code() == 0;
            assert!(asks, "{words:?} is not understood: {error}");
        }
    }

    fn assert_has_examples(command: &Command, name: &str) {
        let shown = command.get_after_long_help().map(ToString::to_string);
        let examples = commands(&shown.unwrap_or_default());
        examples.iter().for_each(|words| assert_understood(words));
        if command.has_subcommands() {
            for below in command.get_subcommands() {
                assert_has_examples(below, &format!("{name} {}", below.get_name()));
            }
        } else {
            let of_it =
                |words: &Vec<String>| name.split(' ').all(|word| words.iter().any(|w| w == word));
            assert!(
                examples.iter().any(of_it),
                "`{name} --help` shows no example"
            );
        }
    }

    #[test]
    fn every_command_has_examples_and_understands_them() {
        assert_has_examples(&Cli::command(), "ntwatch");
    }

    #[test]
    fn what_the_readme_shows_is_understood() {
        let commands = commands(README);
        assert!(commands.len() > 10, "{commands:?}");
        let of_windows = ["install", "uninstall", "start", "stop"];
        commands
            .iter()
            .filter(|words| cfg!(windows) || !of_windows.contains(&words[1].as_str()))
            .for_each(|words| assert_understood(words));
    }
}
