//! Getting what a machine lacks: with apt on Debian and Ubuntu, else by saying how.

use std::{fs, process::Command};

use anyhow::{Result, bail};

use crate::command::{output, run};

/// The tools that were not found.
pub(crate) struct Missing {
    /// The target that there is no Rust for.
    pub(crate) rust: Option<&'static str>,
    pub(crate) lld: bool,
    pub(crate) clang: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum System {
    Debian,
    Ubuntu,
    Other,
}

/// Debian's Rust with the sources of its libraries, and its clippy.
const DEBIAN_RUST: &[&str] = &["cargo-web", "rustc-web", "rust-web-src", "rust-web-clippy"];

/// What tests run besides: a command that tells its version, the package, and what for.
const TEST_TOOLS: &[([&str; 2], &str, &str)] = &[
    (
        ["groff", "--version"],
        "groff-base",
        "groff, which sets the pages of the manual",
    ),
    (
        ["script", "--version"],
        "bsdutils",
        "script, which keeps what a terminal is sent",
    ),
    (["tmux", "-V"], "tmux", "tmux, which plays terminals"),
];

/// Installs what tests run, or fails with the commands that do.
pub(crate) fn test_tools() -> Result<()> {
    let is_missing =
        |[program, version]: [&str; 2]| output(Command::new(program).arg(version)).is_err();
    let missing = TEST_TOOLS.iter().filter(|tool| is_missing(tool.0));
    packages(missing.map(|(_, package, reason)| (*package, *reason)))
}

/// Installs packages, each with what it is for, or fails with the commands that do.
pub(crate) fn packages<'a>(missing: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let (packages, reasons): (Vec<_>, Vec<_>) = missing
        .map(|(package, reason)| (package, reason.to_owned()))
        .unzip();
    if packages.is_empty() {
        return Ok(());
    }
    carry_out(&reasons, &apt(&packages))
}

/// Installs the tools, or fails with the commands that do.
pub(crate) fn install(missing: &Missing) -> Result<()> {
    let (reasons, commands) = plan(missing, system());
    carry_out(&reasons, &commands)
}

/// Runs commands that install what `reasons` says, or fails with them.
pub(crate) fn carry_out(reasons: &[String], commands: &[Vec<&str>]) -> Result<()> {
    let system = system();
    let needs_root = commands
        .iter()
        .any(|command| command.first() == Some(&"apt-get"));
    if system == System::Other || (needs_root && !is_root()) {
        let lines = commands.iter().map(|command| {
            let sudo = if command.first() == Some(&"apt-get") {
                "sudo "
            } else {
                ""
            };
            format!("\n  {sudo}{}", command.join(" "))
        });
        bail!(
            "missing: {}. On Debian 12 this installs it; elsewhere install the like:{}",
            reasons.join("; "),
            lines.collect::<String>()
        );
    }
    for reason in reasons {
        eprintln!("xtask: installing {reason}");
    }
    for command in commands {
        eprintln!("xtask: {}", command.join(" "));
        let (program, arguments) = command.split_first().unwrap_or((&"true", &[]));
        run(Command::new(program)
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(())
}

/// What is missing and why it is needed, and the commands that install it.
fn plan(missing: &Missing, system: System) -> (Vec<String>, Vec<Vec<&'static str>>) {
    let mut reasons = Vec::new();
    let mut packages = Vec::new();
    let mut commands = Vec::new();
    if missing.clang {
        packages.push("clang-19");
        reasons.push("clang and libclang, which read the C headers of the kit".to_owned());
    }
    if missing.lld {
        packages.push("lld-19");
        reasons.push("lld, which links for Windows".to_owned());
    }
    if let Some(target) = missing.rust {
        reasons.push(format!("Rust's libraries for {target}"));
        if system == System::Debian {
            packages.extend(DEBIAN_RUST);
        } else {
            commands.push(vec!["rustup", "target", "add", target]);
        }
    }
    if !packages.is_empty() {
        commands.splice(0..0, apt(&packages));
    }
    (reasons, commands)
}

/// Installs the tools that read what a compiler with LLVM `major` has counted.
pub(crate) fn llvm(major: &str) -> Result<()> {
    let reason = format!("LLVM {major}'s tools, which read what instrumented tests have counted");
    let package = format!("llvm-{major}");
    let commands = if system() == System::Debian {
        apt(&[&package]).into()
    } else {
        vec![vec!["rustup", "component", "add", "llvm-tools"]]
    };
    carry_out(&[reason], &commands)
}

/// The commands that install packages.
pub(crate) fn apt<'a>(packages: &[&'a str]) -> [Vec<&'a str>; 2] {
    let mut install = vec!["apt-get", "install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    [vec!["apt-get", "update"], install]
}

fn system() -> System {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    match release.lines().find_map(|line| line.strip_prefix("ID=")) {
        Some("debian") => System::Debian,
        Some("ubuntu") => System::Ubuntu,
        _ => System::Other,
    }
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::TARGET;

    const EVERYTHING: Missing = Missing {
        rust: Some(TARGET),
        lld: true,
        clang: true,
    };

    #[test]
    fn on_debian_everything_comes_from_apt() {
        let (reasons, commands) = plan(&EVERYTHING, System::Debian);
        assert_eq!(reasons.len(), 3);
        let programs: Vec<_> = commands.iter().map(|command| command[0]).collect();
        assert_eq!(programs, ["apt-get", "apt-get"]);
        for package in ["clang-19", "lld-19", "rustc-web", "rust-web-src"] {
            assert!(commands[1].contains(&package), "{package}");
        }
    }

    #[test]
    fn where_debians_rust_is_not_to_be_had_rustup_adds_the_target() {
        let (_, commands) = plan(&EVERYTHING, System::Ubuntu);
        assert_eq!(commands[2], ["rustup", "target", "add", TARGET]);
        assert!(!commands[1].contains(&"rustc-web"));
    }

    #[test]
    fn what_is_there_is_not_installed_again() {
        let missing = Missing {
            rust: None,
            lld: false,
            clang: true,
        };
        let (reasons, commands) = plan(&missing, System::Debian);
        assert_eq!(reasons.len(), 1);
        let install = [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            "clang-19",
        ];
        assert_eq!(commands[1], install);
    }
}
