//! The names of files, users and processes, as people know them.

use crate::sid;
use crate::table::Identity;
use crate::transport::{Fault, Transport};
use crate::volumes::Volumes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Turns paths and SIDs, and asks Windows about each new one once.
pub(crate) struct Names {
    transport: Arc<dyn Transport>,
    volumes: Volumes,
    /// Devices that no drive stands for.
    unmapped: HashSet<Box<str>>,
    users: HashMap<Box<[u8]>, Option<Arc<str>>>,
}

impl Names {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Result<Self, Fault> {
        Ok(Self {
            volumes: Volumes::new(transport.volumes()?),
            transport,
            unmapped: HashSet::new(),
            users: HashMap::new(),
        })
    }

    pub(crate) const fn volumes(&self) -> &Volumes {
        &self.volumes
    }

    /// The DOS path, where a drive stands for the volume. A volume that was not there before is
    /// looked for once: disks come while one watches.
    pub(crate) fn path(&mut self, nt_path: &str) -> Option<Arc<str>> {
        if nt_path.is_empty() {
            return None;
        }
        let path = self.volumes.dos_path(nt_path);
        if let Some(device) = disk(&path)
            && self.unmapped.insert(device.into())
            && let Ok(volumes) = self.transport.volumes()
        {
            self.volumes = Volumes::new(volumes);
            return Some(self.volumes.dos_path(nt_path).as_ref().into());
        }
        Some(path.as_ref().into())
    }

    /// What a process is called, if it runs and Windows tells.
    pub(crate) fn of_process(&mut self, (pid, key): Identity) -> Option<Arc<str>> {
        let process = self.transport.process(pid).ok()??;
        self.path(&process.image.filter(|_| process.key == key)?)
    }

    /// The account that bears the SID, else the SID as text.
    pub(crate) fn user(&mut self, sid: &[u8]) -> Option<Arc<str>> {
        if let Some(user) = self.users.get(sid) {
            return user.clone();
        }
        let text = sid::to_text(sid);
        let user = text.map(|text| self.transport.account(sid).unwrap_or(text).into());
        self.users.insert(sid.into(), user.clone());
        user
    }
}

/// The disk device that a path begins with, if it is one that could get a drive.
fn disk(path: &str) -> Option<&str> {
    const DISK: &str = r"\Device\HarddiskVolume";
    let rest = path.strip_prefix(DISK)?;
    let end = rest.find('\\').unwrap_or(rest.len());
    Some(&path[..DISK.len() + end])
}
