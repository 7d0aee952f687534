//! A machine for clients in other processes: `nthost serve`.
//!
//! [`Server`] boots a machine, loads the driver and listens on a Unix socket; each connection is
//! a process of the machine (`connection`), which asks the driver for what it wants and the
//! machine for what Windows tells any process (`answer`) and does for it (`objects`).

mod answer;
mod connection;
mod objects;

use crate::io::{Client, FileHandle, Service, ServiceConfig, StartError, Stop};
use crate::ob::ObjectRef;
use crate::ps::NewProcess;
use crate::se::Token;
use crate::source::{Host, Sessions, Source, Stage};
use crate::{Config, Kernel, LeakReport};
use ntwatch_protocol::ioctl::SHUTDOWN;
use std::collections::HashMap;
use std::net::Shutdown;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::{fs, io, iter, thread};

/// What a server is made from.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The driver.
    pub driver: PathBuf,
    /// The framework's loader, unless it lies beside the driver.
    pub wdfldr: Option<PathBuf>,
    /// Where clients connect.
    pub socket: PathBuf,
    /// What the clients' processes are made from.
    pub client: NewProcess,
    /// End when the source has no more and every client has read everything.
    pub exit_when_done: bool,
    /// Verify what the driver calls.
    pub verify: bool,
}

/// Why a server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The driver does not run.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Somebody serves there already.
    #[error("{} is served by another nthost; choose another --socket or end that one", .0.display())]
    InUse(PathBuf),
    /// The socket cannot be made.
    #[error("cannot listen on {}: {source}; choose a --socket in a directory you can write to", .path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The driver could not be unloaded.
    #[error("the driver was not unloaded: {0}")]
    Stuck(String),
}

/// How a machine ended.
#[derive(Debug)]
pub struct Ended {
    /// What the driver left behind.
    pub leaks: LeakReport,
    /// What the source has to say, a fact a line.
    pub summary: Vec<String>,
}

/// What can end a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody asked for it.
    Asked,
    /// The source has no more.
    Done,
}

/// Ends a server from elsewhere, such as a signal handler.
#[derive(Clone)]
pub struct Stopper(Sender<End>);

impl Stopper {
    /// Asks for an orderly end.
    pub fn stop(&self) {
        // A server that has ended needs no asking.
        let _ = self.0.send(End::Asked);
    }
}

/// A machine with a driver, and a socket.
pub struct Server {
    config: ServeConfig,
    shared: Arc<Shared>,
    service: Service,
    listener: UnixListener,
    source: Box<dyn Source>,
    end: (Sender<End>, Receiver<End>),
}

/// What all connections have in common.
struct Shared {
    kernel: Arc<Kernel>,
    host: Host,
    /// What the clients' processes are made from.
    client: NewProcess,
    sessions: Sessions,
    /// The clients that are connected, by number.
    connections: Mutex<HashMap<u64, UnixStream>>,
    one_closed: Condvar,
    /// Replies on their way to clients.
    unsent: AtomicUsize,
}

/// How long clients may take to leave after the driver said that it ends.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often to look meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Server {
    /// Boots a machine for `source`, loads the driver, and listens. `log` gets each line that
    /// the driver and the machine have to say.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left behind then.
    pub fn start(
        config: ServeConfig,
        mut source: Box<dyn Source>,
        log: impl Fn(&str) + Send + 'static,
    ) -> Result<Server, ServeError> {
        let kernel = Kernel::boot(Config {
            verify: config.verify,
            ..source.config()
        });
        kernel.log.forward(log);
        source.populate(&kernel);
        let service = kernel.start_service(&ServiceConfig {
            libraries: config.wdfldr.iter().cloned().collect(),
            ..ServiceConfig::new(&config.driver)
        })?;
        let listener = match listen(&config.socket) {
            Ok(listener) => listener,
            Err(e) => {
                service.stop();
                return Err(e);
            }
        };
        let shared = Shared {
            host: source.host(),
            client: config.client.clone(),
            kernel,
            sessions: Sessions::default(),
            connections: Mutex::default(),
            one_closed: Condvar::new(),
            unsent: AtomicUsize::new(0),
        };
        Ok(Server {
            config,
            shared: Arc::new(shared),
            service,
            listener,
            source,
            end: channel(),
        })
    }

    /// Ends the server from elsewhere.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.end.0.clone())
    }

    /// Serves until asked to stop, or until the source and the clients are done.
    ///
    /// # Errors
    /// When the driver cannot be unloaded.
    pub fn run(self) -> Result<Ended, ServeError> {
        let Server {
            config,
            shared,
            service,
            listener,
            mut source,
            end,
        } = self;
        let stop = AtomicBool::new(false);
        let end_reason = thread::scope(|scope| {
            scope.spawn(|| {
                let streams = (0..).zip(accept_until(&listener, &stop));
                streams.for_each(|(number, stream)| shared.serve(number, stream));
            });
            scope.spawn(|| {
                let stage = Stage {
                    kernel: &shared.kernel,
                    sessions: &shared.sessions,
                    once: config.exit_when_done,
                    stop: &stop,
                };
                source.run(&stage);
                if config.exit_when_done && !stage.stopped() {
                    shared.sessions.wait_for_one(|| stage.stopped());
                    shared.sessions.wait_until_read(|| stage.stopped());
                    // The receiver lives as long as this server.
                    let _ = end.0.send(End::Done);
                }
            });
            // A sender lives beside it.
            let reason = end.1.recv().unwrap_or(End::Asked);
            stop.store(true, Ordering::Relaxed);
            wake(&listener);
            reason
        });
        let _ = fs::remove_file(&config.socket);
        shared.say_farewell(|| end_reason == End::Asked || end.1.try_recv().is_ok());
        let leaks = unload(&service)?;
        Ok(Ended {
            leaks,
            summary: source.summary(),
        })
    }
}

/// Unloads the driver, which no client holds any more. As on Windows, a request may hold its file
/// for a moment after its client was told of the end.
fn unload(service: &Service) -> Result<LeakReport, ServeError> {
    let mut patience = FAREWELL;
    loop {
        match service.stop() {
            Stop::Stopped(leaks) => return Ok(leaks),
            Stop::Refused => return Err(ServeError::Stuck("it has no unload routine".into())),
            Stop::Pending { files } if patience.is_zero() => {
                let held = format!("{files} files are still open on its devices");
                return Err(ServeError::Stuck(held));
            }
            Stop::Pending { .. } => {
                thread::sleep(LOOK_AGAIN);
                patience = patience.saturating_sub(LOOK_AGAIN);
            }
        }
    }
}

/// Listens on `path`. A socket that nobody answers on is left from a server that was killed.
///
/// The socket appears there by renaming, so that who sees it can connect: between `bind` and
/// `listen` connections are refused.
fn listen(path: &Path) -> Result<UnixListener, ServeError> {
    if UnixStream::connect(path).is_ok() {
        return Err(ServeError::InUse(path.into()));
    }
    let failed = |source| ServeError::Listen {
        path: path.into(),
        source,
    };
    let is_other = |file: fs::Metadata| !file.file_type().is_socket();
    if fs::symlink_metadata(path).is_ok_and(is_other) {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let mut unready = path.as_os_str().to_owned();
    unready.push("~");
    // If this fails, binding fails and says why.
    let _ = fs::remove_file(&unready);
    let listener = UnixListener::bind(&unready).map_err(failed)?;
    fs::rename(&unready, path).map_err(failed)?;
    Ok(listener)
}

/// Those who connect, until `stop` is set and [`wake`] is called.
fn accept_until(listener: &UnixListener, stop: &AtomicBool) -> impl Iterator<Item = UnixStream> {
    let next = || loop {
        let accepted = listener.accept();
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        match accepted {
            Ok((stream, _)) => return Some(stream),
            // Who connects meanwhile waits until there is a descriptor left for him.
            Err(_) => thread::sleep(LOOK_AGAIN),
        }
    };
    iter::from_fn(next)
}

/// Has who accepts look up: nobody can connect any more. That holds when the socket's file is gone,
/// too.
fn wake(listener: &UnixListener) {
    let shut_down = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
    debug_assert!(shut_down.is_ok(), "{shut_down:?}");
}

impl Shared {
    /// A new process of the machine, in a thread of its own.
    fn serve(self: &Arc<Self>, number: u64, stream: UnixStream) {
        let Ok(kept) = stream.try_clone() else { return };
        self.connections.lock().unwrap().insert(number, kept);
        let shared = Arc::clone(self);
        thread::spawn(move || {
            connection::serve(&shared, &stream);
            shared.connections.lock().unwrap().remove(&number);
            shared.one_closed.notify_all();
        });
    }

    /// Has the driver end all reads. A driver that ends already, or is another one, has no need of
    /// this.
    fn shut_down(&self) {
        const GENERIC_READ_WRITE: u32 = 0xc000_0000;
        let token = ObjectRef::new(&self.kernel.objects, Token::system());
        let system = Client::new(&self.kernel, self.kernel.ps.create_process(token));
        if let Ok(handle) = system.open(r"\??\ntwatch", GENERIC_READ_WRITE) {
            handle.ioctl(SHUTDOWN, &[], 0);
            return;
        }
        // There may be as many sessions as there can be: any of them can ask.
        let asked = |handle: Arc<FileHandle>| handle.ioctl(SHUTDOWN, &[], 0).status >= 0;
        self.sessions.handles().into_iter().any(asked);
    }

    /// Has the driver end all reads, waits for the clients to leave, and then ends those that
    /// do not. What is on its way to them arrives first, unless it is `urgent`.
    fn say_farewell(&self, mut urgent: impl FnMut() -> bool) {
        self.shut_down();
        let mut connections = self.connections.lock().unwrap();
        let mut patience = FAREWELL;
        while !connections.is_empty() && !patience.is_zero() {
            connections = self
                .one_closed
                .wait_timeout(connections, LOOK_AGAIN)
                .unwrap()
                .0;
            if urgent() || self.unsent.load(Ordering::Relaxed) == 0 {
                patience = patience.saturating_sub(LOOK_AGAIN);
            }
        }
        for stream in connections.values() {
            // It may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let some_open = |connections: &mut HashMap<_, _>| !connections.is_empty();
        drop(self.one_closed.wait_while(connections, some_open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Quiet;
    use std::{env, process};

    /// A machine without a driver, whose clients have this token.
    pub(super) fn machine(token: Token) -> Arc<Shared> {
        Arc::new(Shared {
            host: Quiet.host(),
            client: NewProcess {
                token,
                ..NewProcess::default()
            },
            kernel: Kernel::boot(crate::Config::default()),
            sessions: Sessions::default(),
            connections: Mutex::default(),
            one_closed: Condvar::new(),
            unsent: AtomicUsize::new(0),
        })
    }

    #[test]
    fn a_server_ends_although_its_socket_is_gone() {
        let path = env::temp_dir().join(format!("nthost-test-{}.sock", process::id()));
        let listener = listen(&path).unwrap();
        let stop = AtomicBool::new(false);
        let (accepted, connected) = channel();
        thread::scope(|scope| {
            let accepting = scope.spawn(|| {
                accept_until(&listener, &stop).for_each(|stream| accepted.send(stream).unwrap());
            });
            let _client = UnixStream::connect(&path).unwrap();
            connected.recv().unwrap();
            fs::remove_file(&path).unwrap();
            stop.store(true, Ordering::Relaxed);
            wake(&listener);
            accepting.join().unwrap();
        });
    }
}
