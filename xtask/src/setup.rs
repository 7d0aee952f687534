//! Getting what a machine lacks: with apt on Debian and Ubuntu, else by saying how.

use std::{fs, process::Command};

use anyhow::{Result, bail};

use crate::command::{output, run};

/// What was not found.
#[derive(Default)]
pub(crate) struct Missing {
    /// The targets that there is no Rust for.
    rust: Vec<&'static str>,
    /// Packages, each with what it is for.
    packages: Vec<(&'static str, &'static str)>,
}

impl Missing {
    /// And Rust for this target, unless it is there.
    pub(crate) fn rust(mut self, target: &'static str, is_there: bool) -> Self {
        self.rust.extend((!is_there).then_some(target));
        self
    }

    /// And this package, unless what is wanted of it is there.
    pub(crate) fn package(
        mut self,
        package: &'static str,
        reason: &'static str,
        is_there: bool,
    ) -> Self {
        self.packages
            .extend((!is_there).then_some((package, reason)));
        self
    }

    /// Both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.rust.extend(other.rust);
        self.packages.extend(other.packages);
        self
    }

    fn is_empty(&self) -> bool {
        self.rust.is_empty() && self.packages.is_empty()
    }

    /// What each is for.
    fn reasons(&self) -> Vec<String> {
        let packages = self.packages.iter();
        let packages = packages.map(|(_, reason)| (*reason).to_owned());
        let rust = self.rust.iter();
        let rust = rust.map(|target| format!("Rust's libraries for {target}"));
        packages.chain(rust).collect()
    }

    /// What installs them.
    fn commands(&self, system: System) -> Vec<Vec<&'static str>> {
        let mut packages: Vec<_> = self.packages.iter().map(|(package, _)| *package).collect();
        let mut rustup = Vec::new();
        match system {
            System::Debian if self.rust.is_empty() => {}
            System::Debian => packages.extend(DEBIAN_RUST),
            _ => {
                let targets = self.rust.iter();
                rustup.extend(targets.map(|target| vec!["rustup", "target", "add", target]));
            }
        }
        let mut commands = Vec::new();
        if !packages.is_empty() {
            commands.extend(apt(&packages));
        }
        commands.extend(rustup);
        commands
    }
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

/// What tests run besides, and is not there.
pub(crate) fn test_tools() -> Missing {
    let is_there =
        |[program, version]: [&str; 2]| output(Command::new(program).arg(version)).is_ok();
    let tools = TEST_TOOLS.iter();
    tools.fold(Missing::default(), |missing, (command, package, reason)| {
        missing.package(package, reason, is_there(*command))
    })
}

/// Installs what is missing, or fails with the commands that do.
pub(crate) fn install(missing: impl Fn() -> Missing) -> Result<()> {
    let lacks = missing();
    if lacks.is_empty() {
        return Ok(());
    }
    carry_out(&lacks.reasons(), &lacks.commands(system()))?;
    let lacks = missing();
    if !lacks.is_empty() {
        let reasons = lacks.reasons().join("; ");
        bail!("still missing, though it was installed: {reasons}");
    }
    Ok(())
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
fn apt<'a>(packages: &[&'a str]) -> [Vec<&'a str>; 2] {
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

    /// What lacks Rust for the driver, and a package for each of its tools that is not there.
    fn lacks(clang: bool, lld: bool) -> Missing {
        Missing::default()
            .package("clang-19", "clang", clang)
            .package("lld-19", "lld", lld)
            .rust(TARGET, false)
    }

    #[test]
    fn on_debian_everything_comes_from_apt_at_once() {
        let both = lacks(false, false).and(Missing::default().rust("another", false));
        assert_eq!(both.reasons().len(), 4);
        let commands = both.commands(System::Debian);
        let programs: Vec<_> = commands.iter().map(|command| command[0]).collect();
        assert_eq!(programs, ["apt-get", "apt-get"]);
        for package in ["clang-19", "lld-19", "rustc-web", "rust-web-src"] {
            let times = commands[1].iter().filter(|word| **word == package);
            assert_eq!(times.count(), 1, "{package}");
        }
    }

    #[test]
    fn where_debians_rust_is_not_to_be_had_rustup_adds_the_target() {
        let commands = lacks(false, false).commands(System::Ubuntu);
        assert_eq!(commands[2], ["rustup", "target", "add", TARGET]);
        assert!(!commands[1].contains(&"rustc-web"));
    }

    #[test]
    fn what_is_there_is_not_installed_again() {
        let one = lacks(false, true);
        assert_eq!(one.reasons().len(), 2);
        let install = [
            "apt-get",
            "install",
            "--yes",
            "--no-install-recommends",
            "clang-19",
        ];
        assert_eq!(one.commands(System::Ubuntu)[1], install);
        assert!(Missing::default().commands(System::Debian).is_empty());
    }
}
