//! A filter in the driver's terms: drives turned to devices, pids to processes.

use super::{Filter, Select, pattern};
use crate::error::FilterError;
use crate::snapshot::{Snapshot, identity};
use crate::time::Time;
use crate::transport::RunningProcess;
use crate::volumes::Volumes;
use ntwatch_protocol::configure::{
    AccessMasks, Clause, ConfigureHeader, MAX_CLAUSES, MAX_CONFIGURE_SIZE, MAX_PATTERN_UNITS,
    MAX_PATTERN_UNITS_IN_ALL, MAX_RING_SIZE, MIN_RING_SIZE, Selector, selector,
};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use zerocopy::IntoBytes;

/// A [`Filter`], on a machine.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// What the user has named comes first, then descendants that run already.
    selectors: Vec<Selector>,
    named: usize,
    /// How many of them the driver knows: it follows their families itself.
    followed: usize,
    images: Vec<String>,
    excluded_images: Vec<String>,
    filter: Filter,
}

impl Filter {
    /// The filter as the driver gets it, with those for pids who bear them in `running`.
    pub(crate) fn resolve(
        &self,
        volumes: &Volumes,
        running: &Snapshot,
    ) -> Result<Resolved, FilterError> {
        let ring = self.ring_size;
        if ring != 0 && !(ring.is_power_of_two() && (MIN_RING_SIZE..=MAX_RING_SIZE).contains(&ring))
        {
            return Err(FilterError::RingSize(ring));
        }
        let device_patterns = |patterns: &[String]| -> Result<Vec<String>, FilterError> {
            let resolved = patterns.iter().map(|text| device_pattern(text, volumes));
            resolved.collect()
        };
        let selector = |select: &Select, exclude| Selector {
            pid: select.pid,
            flags: if select.descendants {
                exclude | selector::DESCENDANTS
            } else {
                exclude
            },
            key: match running.bearer(select.pid) {
                Some(bearer) if !select.any_bearer => bearer.key,
                _ => 0,
            },
        };
        let included = self.included.iter().map(|select| selector(select, 0));
        let excluded = self.excluded.iter();
        let excluded = excluded.map(|select| selector(select, selector::EXCLUDE));
        let selectors: Vec<_> = included.chain(excluded).collect();
        let images = device_patterns(&self.images)?;
        let excluded_images = device_patterns(&self.excluded_images)?;
        let patterns = images.iter().chain(&excluded_images);
        let units = patterns.map(|text| units(text)).sum();
        if units > MAX_PATTERN_UNITS_IN_ALL {
            return Err(FilterError::LongPatterns(units));
        }
        let mut resolved = Resolved {
            named: selectors.len(),
            followed: 0,
            selectors,
            images,
            excluded_images,
            filter: self.clone(),
        };
        resolved.follow(running, None);
        // Nobody was told yet, and whoever begins until then is missed.
        resolved.followed = 0;
        Ok(resolved)
    }
}

/// The pattern for the driver, which knows no drives.
fn device_pattern(pattern: &str, volumes: &Volumes) -> Result<String, FilterError> {
    if pattern.is_empty() {
        return Err(FilterError::EmptyPattern);
    }
    let resolved = volumes
        .nt_pattern(pattern)
        .ok_or_else(|| FilterError::NoSuchDrive(pattern.into()))?;
    if units(&resolved) > MAX_PATTERN_UNITS {
        return Err(FilterError::LongPattern(pattern.into()));
    }
    Ok(resolved.into_owned())
}

impl Resolved {
    /// Names the descendants that run already, of those that may have begun by a time: the driver
    /// knows only those that start under its eyes. From the second time on, it has seen all starts
    /// but those by processes that were found the last time. Was one not named before?
    pub(crate) fn follow(&mut self, running: &Snapshot, by: Option<Time>) -> bool {
        let began = |process: &&RunningProcess| {
            let late = process.create_time.zip(by).is_some_and(|(at, by)| at > by);
            !late
        };
        let before = self.selectors.len();
        for nth in self.followed..before {
            let root = self.selectors[nth];
            if root.flags & selector::DESCENDANTS == 0 {
                continue;
            }
            let key = match root.key {
                0 => running.bearer(root.pid).map(|bearer| bearer.key),
                key => Some(key),
            };
            let Some(key) = key else { continue };
            let family = running.descendants((root.pid, key));
            for (pid, key) in running.processes().iter().filter(began).map(identity) {
                let flags = root.flags;
                let descendant = Selector { pid, flags, key };
                if family.contains(&(pid, key)) && !self.selectors.contains(&descendant) {
                    self.selectors.push(descendant);
                }
            }
        }
        self.followed = before;
        self.selectors.len() > before
    }

    /// Bytes of the ring that the driver is asked for; 0 for its default.
    pub(crate) const fn ring_size(&self) -> u32 {
        self.filter.ring_size
    }

    /// The kinds that the driver is asked for.
    pub(crate) const fn mask(&self) -> u32 {
        self.filter.shown() | Kind::PROCESS_EVENTS
    }

    /// The input of CONFIGURE.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, FilterError> {
        let mut clauses = Clauses::default();
        for selector in &self.selectors {
            clauses.add(&Clause::Process(*selector));
        }
        for image in &self.images {
            clauses.add(&Clause::Image(Wide::new(utf16(image).as_bytes())));
        }
        for image in &self.excluded_images {
            clauses.add(&Clause::ExcludeImage(Wide::new(utf16(image).as_bytes())));
        }
        if let Some(rights) = self.filter.access {
            let (process, thread) = (rights.process, rights.thread);
            clauses.add(&Clause::Access(AccessMasks { process, thread }));
        }
        if self.filter.remote_threads {
            clauses.add(&Clause::RemoteThreads);
        }
        if self.filter.user_images {
            clauses.add(&Clause::UserImages);
        }
        let size = size_of::<ConfigureHeader>() + clauses.bytes.len();
        if clauses.count > MAX_CLAUSES || size > MAX_CONFIGURE_SIZE {
            return Err(match self.selectors.len() - self.named {
                0 => FilterError::TooLarge,
                descendants => FilterError::TooManyDescendants(descendants),
            });
        }
        let header = ConfigureHeader {
            size: size as u32,
            event_mask: self.mask(),
            ring_size: self.filter.ring_size,
            clauses: clauses.count,
        };
        Ok([header.as_bytes(), &clauses.bytes].concat())
    }

    /// Would the driver let an event about this process through?
    pub(crate) fn passes(&self, process: &RunningProcess) -> bool {
        let mentioned = |exclude| {
            let mut selectors = self.selectors_of(exclude);
            selectors.any(|named| {
                named.pid == process.pid && (named.key == 0 || named.key == process.key)
            })
        };
        let depicted = |patterns: &[String]| {
            let image = process.image.as_deref();
            image.is_some_and(|image| patterns.iter().any(|text| pattern::names(text, image)))
        };
        (self.selectors_of(0).next().is_none() || mentioned(0))
            && !mentioned(selector::EXCLUDE)
            && (self.images.is_empty() || depicted(&self.images))
            && !depicted(&self.excluded_images)
    }

    /// Those that include (0), or those that exclude.
    fn selectors_of(&self, exclude: u32) -> impl Iterator<Item = &Selector> {
        let selectors = self.selectors.iter();
        selectors.filter(move |named| named.flags & selector::EXCLUDE == exclude)
    }
}

/// The clauses of a CONFIGURE, one after another.
#[derive(Default)]
struct Clauses {
    bytes: Vec<u8>,
    count: u32,
}

impl Clauses {
    fn add(&mut self, clause: &Clause<'_>) {
        clause.write(&mut self.bytes);
        self.count += 1;
    }
}

/// UTF-16 units of a text.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

#[cfg(test)]
mod tests;
