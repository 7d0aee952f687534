//! How a session begins.

use crate::delivery::Delivery;
use crate::driver::Driver;
use crate::error::Error;
use crate::filter::{Filter, Resolved};
use crate::names::Names;
use crate::records::Records;
use crate::snapshot::Snapshot;
use crate::transport::Host;
use ntwatch_protocol::ioctl::{self, Stats};
use std::sync::Arc;

/// A session that has begun, and what was found on the way.
pub(crate) struct Session {
    pub(crate) records: Records,
    pub(crate) names: Names,
    /// Before it began.
    pub(crate) host: Host,
    /// What ran before it began, and when its filter was complete.
    pub(crate) before: Snapshot,
    pub(crate) after: Snapshot,
    /// What the driver was asked for.
    pub(crate) resolved: Resolved,
    /// The driver's counters when it began.
    pub(crate) at_start: Stats,
}

impl Session {
    pub(crate) fn begin(
        driver: Driver,
        filter: &Filter,
        delivery: Delivery,
    ) -> Result<Self, Error> {
        let transport = Arc::clone(driver.transport());
        let names = Names::new(Arc::clone(&transport)).map_err(driver.cannot("ask for volumes"))?;
        let no_snapshot = driver.cannot("ask which processes run");
        let snapshot = || {
            let processes = transport.processes().map(Snapshot::new);
            processes.map_err(&no_snapshot)
        };
        let not_begun = driver.cannot("begin a session");
        let configure = |resolved: &Resolved| {
            let configured = transport.control(ioctl::CONFIGURE, &resolved.to_bytes()?, &mut []);
            configured.map_err(&not_begun)
        };
        let host = driver.host()?;
        let before = snapshot()?;
        let mut resolved = filter.resolve(names.volumes(), &before)?;

        let mut records = Records::choose(driver, resolved.ring_size(), delivery)?;
        configure(&resolved)?;
        let at_start = records.driver().stats()?;
        // From here on the driver's ring fills; the snapshot may take its time.
        records.begin();
        let after = loop {
            // Of whoever begins later, the driver sees the start.
            let told_at = records.driver().host()?.now;
            let running = snapshot()?;
            if !resolved.follow(&running, Some(told_at)) {
                break running;
            }
            // Events up to here are as the filter before said. Each round is about the offspring
            // of those found in the one before, so there are few.
            configure(&resolved)?;
        };
        Ok(Self {
            records,
            names,
            host,
            before,
            after,
            resolved,
            at_start,
        })
    }
}
