//! The command `nthost`: a modelled NT kernel for clients on this machine.

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use nthost::ps::NewProcess;
use nthost::se::Token;
use nthost::serve::{ServeConfig, ServeError, Server};
use nthost::source::live::{Guise, Live};
use nthost::source::replay::{Player, Recording, ReplayError, Speed};
use nthost::source::storm::{Activity, Storm};
use nthost::source::{Quiet, Source};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs ntwatch.sys on a modelled NT kernel, in a Linux process.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Loads a driver and lets clients use it: `ntwatch --device unix:SOCKET …`
    Serve(Box<Serve>),
}

#[derive(Args)]
#[command(group(ArgGroup::new("source").args(["live", "replay", "storm"])))]
struct Serve {
    /// The driver, as `cargo xtask build` makes it
    #[arg(long, value_name = "FILE")]
    driver: PathBuf,
    /// The framework's loader [default: wdfldr.sys beside the driver]
    #[arg(long, value_name = "FILE")]
    wdfldr: Option<PathBuf>,
    /// Where clients connect
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// This machine's own processes and threads, shown as Windows' own or as WSL's; Linux tells of
    /// no images and of no handles
    #[arg(
        long,
        value_name = "AS",
        num_args = 0..=1,
        default_missing_value = "win32",
    )]
    live: Option<LiveAs>,
    /// A Sysmon recording: .evtx, JSON lines, or a .zip of these
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Which host of the recording
    #[arg(long, value_name = "NAME", requires = "replay")]
    host: Option<String>,
    /// How many times as fast as recorded, or max: as fast as clients read (a client that reads
    /// nothing for 5 s holds up the others no longer)
    #[arg(long, value_name = "N|max", default_value = "1", requires = "replay")]
    speed: Speed,
    /// So many processes that start and exit as fast as they can
    #[arg(long, value_name = "N")]
    storm: Option<u64>,
    /// What each process of the storm does besides
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',', requires = "storm")]
    mix: Vec<StormMix>,
    /// Let the storm wait for the clients, so that nothing is lost
    #[arg(long, requires = "storm")]
    paced: bool,
    /// Whose processes the clients are
    #[arg(long, value_name = "WHO", default_value = "admin")]
    client_token: ClientToken,
    /// The clients are 32-bit processes
    #[arg(long)]
    wow64_clients: bool,
    /// End when there is no more activity and every client has read everything
    #[arg(long)]
    exit_when_done: bool,
    /// Verify what the driver calls: a breach of the documented rules stops the machine, and names
    /// the function, the rule and the place
    #[arg(long)]
    verify: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum LiveAs {
    /// Processes of Windows
    Win32,
    /// Processes of the Windows Subsystem for Linux
    Wsl,
}

#[derive(Clone, Copy, ValueEnum)]
enum StormMix {
    /// A thread that starts and exits
    Threads,
    /// An image that is mapped
    Images,
    /// A handle that is opened to it
    Handles,
}

#[derive(Clone, Copy, ValueEnum)]
enum ClientToken {
    /// An administrator
    Admin,
    /// A user without special rights
    User,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot handle signals: {0}")]
    Signals(#[from] ctrlc::Error),
}

fn main() -> ExitCode {
    let Command::Serve(serve) = Cli::parse().command;
    match run(*serve) {
        Ok(code) => code,
        Err(e) => {
            say(&format!("error: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// The one place that prints.
fn say(line: &str) {
    // Nobody may be reading; the machine does not end for that.
    let _ = writeln!(std::io::stderr().lock(), "nthost: {line}");
}

fn source(serve: &Serve) -> Result<Box<dyn Source>, ReplayError> {
    if let Some(path) = &serve.replay {
        let recording = Recording::open(path, serve.host.as_deref())?;
        return Ok(Box::new(Player::new(recording, serve.speed)));
    }
    if let Some(processes) = serve.storm {
        let activity = |mix: &StormMix| match mix {
            StormMix::Threads => Activity::Threads,
            StormMix::Images => Activity::Images,
            StormMix::Handles => Activity::Handles,
        };
        return Ok(Box::new(Storm {
            processes,
            mix: serve.mix.iter().map(activity).collect(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            paced: serve.paced,
        }));
    }
    let guise = match serve.live {
        Some(LiveAs::Win32) => Guise::Win32,
        Some(LiveAs::Wsl) => Guise::Wsl,
        None => return Ok(Box::new(Quiet)),
    };
    let live = Live::new(guise);
    if let Some(why) = live.polls_because() {
        say(&format!(
            "/proc is polled, very short-lived processes and threads will be missed: {why}"
        ));
    }
    Ok(Box::new(live))
}

fn run(serve: Serve) -> Result<ExitCode, Failure> {
    let source = source(&serve)?;
    let config = ServeConfig {
        driver: serve.driver,
        wdfldr: serve.wdfldr,
        socket: serve.socket,
        client: NewProcess {
            token: match serve.client_token {
                ClientToken::Admin => Token::administrator(),
                ClientToken::User => Token::standard_user(),
            },
            wow64: Some(serve.wow64_clients),
            ..NewProcess::default()
        },
        exit_when_done: serve.exit_when_done,
        verify: serve.verify,
    };
    let socket = config.socket.clone();
    let server = Server::start(config, source, say)?;
    let stopper = server.stopper();
    ctrlc::set_handler(move || stopper.stop())?;
    say(&format!("serving on {}", socket.display()));
    let ended = server.run()?;
    ended.summary.iter().for_each(|line| say(line));
    say(&format!("the driver is unloaded; {}", ended.leaks));
    Ok(match ended.leaks.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
