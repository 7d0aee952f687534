//! A client in the modelled kernel's own process.

use crate::direct::Direct;
use crate::{Run, client, opens};
use ntwatch_client::{Driver, Way};
use ntwatch_tests::lab::Lab;
use ntwatch_tests::machine::{boot, client as process, load, unload};
use std::sync::Arc;
use std::thread;

pub(crate) fn run(way: Way) -> Run {
    let kernel = boot();
    let service = load(&kernel, &Lab::get());
    let direct = Direct::new(process(&kernel));
    let (process, handle) = (Arc::clone(&direct.process), Arc::clone(&direct.handle));
    let report = thread::scope(|scope| {
        let driver = Driver::over("the driver", Arc::new(direct));
        let begun = || {
            scope.spawn(|| opens::open(&kernel, &handle));
        };
        let report = driver.and_then(|driver| client::watch(driver, way, begun));
        report.unwrap_or_else(|e| panic!("{e}"))
    });
    drop(handle);
    unload(service, Arc::into_inner(process).expect("nobody watches"));
    Run {
        events: report.events,
        lost: report.lost,
        elapsed: report.usage.elapsed,
        client: None,
        all_cpu: report.usage.cpu,
    }
}
