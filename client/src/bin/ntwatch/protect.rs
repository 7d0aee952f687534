//! `ntwatch protect`.

use crate::cli::{AddOptions, Format, ProtectCommand};
use crate::failure::{Failure, warn};
use crate::interrupt::on_interrupt;
use crate::output;
use ntwatch_client::event::Hex;
use ntwatch_client::protect::Listed;
use ntwatch_client::rights::{self, Rights};
use ntwatch_client::transport::Fault;
use ntwatch_client::{Driver, Error, Rule};
use serde::Serialize;
use std::fmt::Write;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often the rule is looked for: it can end without this command.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn run(device: &str, command: &ProtectCommand) -> Result<ExitCode, Failure> {
    let driver = Driver::open(device)?;
    match command {
        ProtectCommand::Add(options) => add(&driver, options),
        ProtectCommand::List(options) => list(&driver, options.format),
        ProtectCommand::Remove { pid } => remove(&driver, *pid),
    }
}

fn add(driver: &Driver, options: &AddOptions) -> Result<ExitCode, Failure> {
    let pid = options.pid;
    let process = driver.process(pid)?.ok_or(Error::NoProcess { pid })?;
    let rule = Rule {
        pid: process.pid,
        key: process.key,
        deny: options.deny(),
    };
    let name = name(driver, &rule)?;
    let (stop, stopped) = channel();
    on_interrupt(move || {
        // Nobody listens any more if it has ended already.
        let _ = stop.send(());
    })?;
    driver.protect(&rule)?;
    warn(format_args!(
        "{name} is protected: nobody gets {}. Handles from before keep their rights. The rule ends \
         with this command (Ctrl+C).",
        denied(rule.deny)
    ));
    let (code, end) = match stay(driver, &rule, options.time, &stopped)? {
        End::Stopped => (ExitCode::SUCCESS, "is no longer protected"),
        End::Exited => (ExitCode::SUCCESS, "has ended, and its rule with it"),
        End::Removed => (
            ExitCode::FAILURE,
            "is no longer protected: somebody else has ended the rule",
        ),
        End::DriverShutdown => (
            ExitCode::FAILURE,
            "is no longer protected: the driver is shutting down",
        ),
    };
    warn(format_args!("{name} {end}."));
    Ok(code)
}

/// Why a rule ended.
enum End {
    /// Ctrl+C, or the time is over.
    Stopped,
    /// The process has ended.
    Exited,
    /// By another client.
    Removed,
    /// With the driver, which waits for this command to close it.
    DriverShutdown,
}

/// Waits until the rule is to end, or has ended.
fn stay(
    driver: &Driver,
    rule: &Rule,
    time: Option<Duration>,
    stopped: &Receiver<()>,
) -> Result<End, Failure> {
    let end = time.and_then(|time| Instant::now().checked_add(time));
    loop {
        let is_it = |listed: &Listed| listed.own && listed.rule == *rule;
        let rules = match driver.protections() {
            Err(Error::Request {
                fault: Fault::ShuttingDown,
                ..
            }) => return Ok(End::DriverShutdown),
            rules => rules?,
        };
        if !rules.iter().any(is_it) {
            let bearer = driver.process(rule.pid)?;
            let runs = bearer.is_some_and(|process| process.key == rule.key);
            return Ok(if runs { End::Removed } else { End::Exited });
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        match stopped.recv_timeout(left.map_or(LOOK, |left| left.min(LOOK))) {
            Err(RecvTimeoutError::Timeout) if left.is_none_or(|left| left > LOOK) => {}
            _ => return Ok(End::Stopped),
        }
    }
}

fn list(driver: &Driver, format: Format) -> Result<ExitCode, Failure> {
    let mut text = String::new();
    let rules = driver.protections()?;
    if rules.is_empty() && format == Format::Pretty {
        text.push_str("No process is protected.\n");
    }
    for Listed { rule, .. } in rules {
        let line = match format {
            Format::Pretty => format!("{}: {}", name(driver, &rule)?, denied(rule.deny)),
            Format::Jsonl => json(driver, &rule)?,
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    }
    output::print(&text)
}

fn json(driver: &Driver, rule: &Rule) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Line {
        pid: u32,
        key: Hex,
        image: Option<Arc<str>>,
        deny: Rights,
    }
    let line = Line {
        pid: rule.pid,
        key: Hex(rule.key),
        image: driver.image(rule.pid, rule.key)?,
        deny: rule.deny,
    };
    Ok(serde_json::to_string(&line).map_err(io::Error::from)?)
}

fn remove(driver: &Driver, pid: u32) -> Result<ExitCode, Failure> {
    let rules = driver.protections()?;
    // The process that `add` would find by this pid.
    let meant = driver.process(pid)?.map_or(pid, |process| process.pid);
    let rule = rules.iter().find(|listed| listed.rule.pid == meant);
    let rule = rule.ok_or(Error::NoRule { pid })?.rule;
    driver.unprotect(rule.pid, rule.key)?;
    let name = name(driver, &rule)?;
    output::print(format!("{name} is no longer protected.\n"))
}

/// `C:\Windows\System32\lsass.exe (672)`
fn name(driver: &Driver, rule: &Rule) -> Result<String, Failure> {
    let image = driver.image(rule.pid, rule.key)?;
    Ok(match image {
        Some(image) => format!("{image} ({})", rule.pid),
        None => format!("process {}", rule.pid),
    })
}

/// `TERMINATE|VM_WRITE to it, TERMINATE to its threads`
fn denied(deny: Rights) -> String {
    let process = format!("{} to it", rights::of_process(deny.process));
    let thread = format!("{} to its threads", rights::of_thread(deny.thread));
    match (deny.process, deny.thread) {
        (_, 0) => process,
        (0, _) => thread,
        _ => format!("{process}, {thread}"),
    }
}
