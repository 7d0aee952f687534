//! A client in a process of its own, on the socket of a server in this one.

use crate::client;
use crate::opens::Opens;
use crate::usage::Look;
use crate::{Run, name};
use nthost::ps::NewProcess;
use nthost::se::Token;
use nthost::serve::{ServeConfig, Server};
use ntwatch_client::Way;
use ntwatch_tests::lab::Lab;
use std::process::{Command, Stdio};
use std::thread;

pub(crate) fn run(way: Way) -> Run {
    let lab = Lab::get();
    let directory = tempfile::tempdir().expect("a directory for the socket");
    let socket = directory.path().join("n.sock");
    let device = format!("unix:{}", socket.display());
    let config = ServeConfig {
        driver: lab.driver,
        wdfldr: Some(lab.wdfldr),
        socket,
        client: NewProcess {
            token: Token::administrator(),
            ..NewProcess::default()
        },
        exit_when_done: true,
        verify: false,
    };
    let server = Server::start(config, Box::new(Opens), |_| {}).unwrap_or_else(|e| panic!("{e}"));
    let before = Look::now();
    let server = thread::spawn(move || server.run());
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args([client::ROLE, &device, name(way)])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program can be run");
    let report = String::from_utf8_lossy(&output.stdout);
    let report = client::Report::parse(&report)
        .unwrap_or_else(|| panic!("{}: the client said {report:?}", output.status));
    let ended = server.join().expect("the server does not panic");
    let used = before.usage();
    let ended = ended.unwrap_or_else(|e| panic!("{e}"));
    assert!(ended.leaks.is_empty(), "{}", ended.leaks);
    Run {
        events: report.events,
        lost: report.lost,
        elapsed: report.usage.elapsed,
        all_cpu: used.cpu + report.usage.cpu,
        client: Some(report.usage),
    }
}
