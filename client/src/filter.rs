//! What a session wants to see.

use crate::error::FilterError;
use crate::transport::RunningProcess;
use crate::volumes::Volumes;
use ntwatch_protocol::configure::{
    Clause, ConfigureHeader, MAX_CLAUSES, MAX_CONFIGURE_SIZE, MAX_PATTERN_UNITS, MAX_RING_SIZE,
    MIN_RING_SIZE, Selector,
};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use zerocopy::IntoBytes;

/// Which events a session gets: all of them, unless told otherwise. Conditions of one kind widen
/// each other, those of different kinds narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    events: u32,
    pids: Vec<u32>,
    images: Vec<String>,
    ring_size: u32,
}

impl Filter {
    /// Everything, through a ring of the driver's default size.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Events of this kind, and of those named before or after.
    #[must_use]
    pub fn event(mut self, kind: Kind) -> Self {
        self.events |= kind.bit();
        self
    }

    /// Events about this process.
    #[must_use]
    pub fn pid(mut self, pid: u32) -> Self {
        self.pids.push(pid);
        self
    }

    /// Events about processes with such an image: `*` stands for any text, `?` for one character,
    /// case does not count. A pattern without a separator is held against the last part of the
    /// path. One that begins with a drive or with `\\server` is turned to its device.
    #[must_use]
    pub fn image(mut self, pattern: impl Into<String>) -> Self {
        self.images.push(pattern.into());
        self
    }

    /// The size of the session's ring in bytes, a power of two: how much may wait to be read.
    #[must_use]
    pub const fn ring_size(mut self, bytes: u32) -> Self {
        self.ring_size = bytes;
        self
    }

    /// Is `kind` asked for?
    pub(crate) const fn wants(&self, kind: Kind) -> bool {
        self.events == 0 || self.events & kind.bit() != 0
    }

    /// The filter as the driver gets it, with drives turned to devices.
    pub(crate) fn resolve(&self, volumes: &Volumes) -> Result<Resolved, FilterError> {
        let ring = self.ring_size;
        if ring != 0 && !(ring.is_power_of_two() && (MIN_RING_SIZE..=MAX_RING_SIZE).contains(&ring))
        {
            return Err(FilterError::RingSize(ring));
        }
        let images = self
            .images
            .iter()
            .map(|pattern| resolve_pattern(pattern, volumes))
            .collect::<Result<_, _>>()?;
        Ok(Resolved {
            events: if self.events == 0 {
                Kind::ALL_EVENTS
            } else {
                self.events
            },
            pids: self.pids.clone(),
            images,
            ring_size: ring,
        })
    }
}

fn resolve_pattern(pattern: &str, volumes: &Volumes) -> Result<String, FilterError> {
    if pattern.is_empty() {
        return Err(FilterError::EmptyPattern);
    }
    let resolved = volumes
        .nt_pattern(pattern)
        .ok_or_else(|| FilterError::NoSuchDrive(pattern.into()))?;
    if resolved.encode_utf16().count() > MAX_PATTERN_UNITS {
        return Err(FilterError::LongPattern(pattern.into()));
    }
    Ok(resolved.into_owned())
}

/// A filter in the driver's terms.
#[derive(Debug)]
pub(crate) struct Resolved {
    events: u32,
    pids: Vec<u32>,
    images: Vec<String>,
    ring_size: u32,
}

impl Resolved {
    /// The input of CONFIGURE.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, FilterError> {
        let clauses = self.pids.len() + self.images.len();
        let mut bytes = vec![0; size_of::<ConfigureHeader>()];
        for pid in &self.pids {
            let selector = Selector {
                pid: *pid,
                flags: 0,
                key: 0,
            };
            Clause::Process(selector).write(&mut bytes);
        }
        for image in &self.images {
            let units: Vec<u16> = image.encode_utf16().collect();
            Clause::Image(Wide::new(units.as_bytes())).write(&mut bytes);
        }
        if clauses > MAX_CLAUSES as usize || bytes.len() > MAX_CONFIGURE_SIZE {
            return Err(FilterError::TooLarge);
        }
        let header = ConfigureHeader {
            size: bytes.len() as u32,
            event_mask: self.events,
            ring_size: self.ring_size,
            clauses: clauses as u32,
        };
        bytes[..size_of::<ConfigureHeader>()].copy_from_slice(header.as_bytes());
        Ok(bytes)
    }

    /// Would the driver let an event about this process through?
    pub(crate) fn passes(&self, process: &RunningProcess) -> bool {
        let named = || {
            let image = process.image.as_deref()?;
            Some(self.images.iter().any(|pattern| names(pattern, image)))
        };
        (self.pids.is_empty() || self.pids.contains(&process.pid))
            && (self.images.is_empty() || named().unwrap_or(false))
    }
}

/// Is `image` one of those that `pattern` names, by the rules of
/// [`ntwatch_protocol::configure::Clause::Image`]?
fn names(pattern: &str, image: &str) -> bool {
    const SEPARATORS: [char; 2] = ['\\', '/'];
    let image = if pattern.contains(SEPARATORS) {
        image
    } else {
        image.rsplit(SEPARATORS).next().unwrap_or(image)
    };
    let fold = |text: &str| {
        text.chars()
            .flat_map(char::to_uppercase)
            .collect::<Vec<_>>()
    };
    matches(&fold(pattern), &fold(image))
}

/// Each `*` first takes nothing; on a mismatch the last one takes a character more.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (Some('*'), _) => {
                p += 1;
                last_star = Some((p, t));
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if *wanted == '?' || wanted == found => {
                p += 1;
                t += 1;
            }
            _ => match &mut last_star {
                Some((after, taken)) if *taken < text.len() => {
                    *taken += 1;
                    (p, t) = (*after, *taken);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volumes::Volume;
    use ntwatch_protocol::configure::Configure;
    use proptest::prelude::*;

    fn volumes() -> Volumes {
        Volumes::new(vec![Volume {
            drive: "C:".into(),
            device: r"\Device\HarddiskVolume3".into(),
        }])
    }

    proptest! {
        #[test]
        fn the_driver_reads_what_the_client_asks_for(
            pids in prop::collection::vec(any::<u32>(), 0..20),
            images in prop::collection::vec("[^\\\\:]{1,40}", 0..20),
            ring in 20u32..=26,
        ) {
            let mut filter = Filter::new().event(Kind::ProcessExit).ring_size(1 << ring);
            for pid in &pids {
                filter = filter.pid(*pid);
            }
            for image in &images {
                filter = filter.image(image);
            }
            let bytes = filter.resolve(&volumes()).unwrap().to_bytes().unwrap();
            let configure = Configure::parse(&bytes).unwrap();
            prop_assert_eq!(configure.event_mask, Kind::ProcessExit.bit());
            prop_assert_eq!(configure.ring_size, 1 << ring);
            let mut read_pids = Vec::new();
            let mut read_images = Vec::new();
            for clause in configure.clauses() {
                match clause {
                    Clause::Process(selector) => read_pids.push(selector.pid),
                    Clause::Image(image) => read_images.push(image.to_string()),
                    other => prop_assert!(false, "{other:?} was not asked for"),
                }
            }
            prop_assert_eq!(read_pids, pids);
            prop_assert_eq!(read_images, images);
        }
    }

    #[test]
    fn what_cannot_be_asked_for_is_said_before_the_driver_is_bothered() {
        let refused = |filter: Filter| {
            filter
                .resolve(&volumes())
                .and_then(|filter| filter.to_bytes())
                .unwrap_err()
        };
        assert_eq!(refused(Filter::new().image("")), FilterError::EmptyPattern);
        assert_eq!(
            refused(Filter::new().ring_size(3 << 20)),
            FilterError::RingSize(3 << 20)
        );
        let drive = FilterError::NoSuchDrive(r"Q:\x".into());
        assert_eq!(refused(Filter::new().image(r"Q:\x")), drive);
        let long = "x".repeat(MAX_PATTERN_UNITS + 1);
        assert_eq!(
            refused(Filter::new().image(&long)),
            FilterError::LongPattern(long)
        );
        let many = (0..=MAX_CLAUSES).fold(Filter::new(), Filter::pid);
        assert_eq!(refused(many), FilterError::TooLarge);
    }

    #[test]
    fn a_running_process_passes_the_filter_that_its_events_pass() {
        let process = RunningProcess {
            pid: 8,
            image: Some(r"\Device\HarddiskVolume3\Windows\System32\cmd.exe".into()),
            ..RunningProcess::default()
        };
        let passes = |filter: Filter| filter.resolve(&volumes()).unwrap().passes(&process);
        assert!(passes(Filter::new()));
        assert!(passes(Filter::new().pid(4).pid(8)));
        assert!(passes(Filter::new().image("calc.exe").image("CMD.*")));
        assert!(passes(Filter::new().image(r"c:\windows\*\c?d.exe")));
        assert!(!passes(Filter::new().pid(8).image("calc.exe")));
        assert!(!passes(Filter::new().image("windows")));
    }
}
