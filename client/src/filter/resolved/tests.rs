//! What a driver is asked for.

use super::*;
use crate::rights::Rights;
use crate::volumes::Volume;
use ntwatch_protocol::configure::Configure;
use proptest::prelude::*;

fn volumes() -> Volumes {
    Volumes::new(vec![Volume {
        drive: "C:".into(),
        device: r"\Device\HarddiskVolume3".into(),
    }])
}

fn nobody() -> Snapshot {
    Snapshot::new(Vec::new())
}

fn process(pid: u32, parent: u32) -> RunningProcess {
    RunningProcess {
        pid,
        key: u64::from(pid) << 32,
        create_time: Some(Time(i64::from(pid))),
        parent_pid: Some(parent),
        image: Some(r"\Device\HarddiskVolume3\Windows\System32\cmd.exe".into()),
        ..RunningProcess::default()
    }
}

fn bytes(filter: &Filter, running: &Snapshot) -> Result<Vec<u8>, FilterError> {
    filter.resolve(&volumes(), running)?.to_bytes()
}

/// The processes that the driver is told of, as (pid, key, flags).
fn told(resolved: &Resolved) -> Vec<(u32, u64, u32)> {
    let bytes = resolved.to_bytes().unwrap();
    let configure = Configure::parse(&bytes).unwrap();
    let clauses = configure.clauses();
    clauses
        .filter_map(|clause| match clause {
            Clause::Process(selector) => Some((selector.pid, selector.key, selector.flags)),
            _ => None,
        })
        .collect()
}

proptest! {
    #[test]
    fn the_driver_reads_what_the_client_asks_for(
        pids in prop::collection::vec((any::<u32>(), any::<bool>(), any::<bool>()), 0..20),
        images in prop::collection::vec(("[^\\\\:]{1,40}", any::<bool>()), 0..20),
        access: Option<(u32, u32)>,
        remote: bool,
        user: bool,
        ring in 20u32..=26,
    ) {
        let mut filter = Filter::new().event(Kind::HandleOpen).ring_size(1 << ring);
        for (pid, descendants, exclude) in &pids {
            let mut select = Select::pid(*pid);
            if *descendants {
                select = select.with_descendants();
            }
            filter = if *exclude { filter.exclude(select) } else { filter.process(select) };
        }
        for (image, exclude) in &images {
            filter = if *exclude { filter.exclude_image(image) } else { filter.image(image) };
        }
        if let Some((process, thread)) = access {
            filter = filter.access(Rights { process, thread });
        }
        if remote {
            filter = filter.remote_threads_only();
        }
        if user {
            filter = filter.user_images_only();
        }
        let bytes = bytes(&filter, &nobody()).unwrap();
        let configure = Configure::parse(&bytes).unwrap();
        prop_assert_eq!(configure.ring_size, 1 << ring);
        // Names are joined by starts and exits, shown or not.
        let mask = Kind::HandleOpen.bit() | Kind::PROCESS_EVENTS;
        prop_assert_eq!(configure.event_mask, mask);

        let (mut read_pids, mut read_images) = (Vec::new(), Vec::new());
        let (mut read_access, mut read_remote, mut read_user) = (None, false, false);
        for clause in configure.clauses() {
            match clause {
                Clause::Process(Selector { pid, flags, key }) => {
                    prop_assert_eq!(key, 0, "nobody runs");
                    let has = |bit| flags & bit != 0;
                    let exclude = has(selector::EXCLUDE);
                    read_pids.push((pid, has(selector::DESCENDANTS), exclude));
                }
                Clause::Image(image) => read_images.push((image.to_string(), false)),
                Clause::ExcludeImage(image) => read_images.push((image.to_string(), true)),
                Clause::Access(masks) => read_access = Some((masks.process, masks.thread)),
                Clause::RemoteThreads => read_remote = true,
                Clause::UserImages => read_user = true,
            }
        }
        let (mut pids, mut images) = (pids, images);
        pids.sort_by_key(|(.., exclude)| *exclude);
        images.sort_by_key(|(_, exclude)| *exclude);
        prop_assert_eq!(read_pids, pids);
        prop_assert_eq!(read_images, images);
        prop_assert_eq!((read_access, read_remote, read_user), (access, remote, user));
    }
}

#[test]
fn what_cannot_be_asked_for_is_said_before_the_driver_is_bothered() {
    let refused = |filter: Filter| bytes(&filter, &nobody()).unwrap_err();
    assert_eq!(refused(Filter::new().image("")), FilterError::EmptyPattern);
    assert_eq!(
        refused(Filter::new().ring_size(3 << 20)),
        FilterError::RingSize(3 << 20)
    );
    let drive = FilterError::NoSuchDrive(r"Q:\x".into());
    assert_eq!(refused(Filter::new().exclude_image(r"Q:\x")), drive);
    let long = "x".repeat(MAX_PATTERN_UNITS + 1);
    assert_eq!(
        refused(Filter::new().image(&long)),
        FilterError::LongPattern(long)
    );
    let long = "x".repeat(MAX_PATTERN_UNITS);
    let nine = (0..9).fold(Filter::new(), |filter, nth| match nth % 2 {
        0 => filter.image(&long),
        _ => filter.exclude_image(&long),
    });
    assert_eq!(
        refused(nine),
        FilterError::LongPatterns(9 * MAX_PATTERN_UNITS)
    );
    let many = (0..=MAX_CLAUSES).fold(Filter::new(), Filter::process);
    assert_eq!(refused(many), FilterError::TooLarge);

    let family = (8..=8 + MAX_CLAUSES).map(|pid| process(pid, 8)).collect();
    let filter = Filter::new().process(Select::pid(8).with_descendants());
    let error = bytes(&filter, &Snapshot::new(family)).unwrap_err();
    assert_eq!(error, FilterError::TooManyDescendants(MAX_CLAUSES as usize));
}

#[test]
fn a_running_process_passes_the_filter_that_its_events_pass() {
    let running = Snapshot::new(vec![process(8, 4)]);
    let passes = |filter: Filter| {
        let resolved = filter.resolve(&volumes(), &running).unwrap();
        resolved.passes(&process(8, 4))
    };
    assert!(passes(Filter::new()));
    assert!(passes(Filter::new().process(4).process(8)));
    assert!(passes(Filter::new().image("calc.exe").image("CMD.*")));
    assert!(passes(Filter::new().image(r"c:\windows\*\c?d.exe")));
    assert!(passes(Filter::new().exclude(4).exclude_image("calc.exe")));
    assert!(!passes(Filter::new().process(8).image("calc.exe")));
    assert!(!passes(Filter::new().image("windows")));
    assert!(!passes(Filter::new().exclude(8)));
    assert!(!passes(Filter::new().process(8).exclude_image("cmd.exe")));
}

#[test]
fn a_pid_is_the_process_that_has_it_or_else_whoever_gets_it() {
    let running = Snapshot::new(vec![process(8, 4)]);
    let filter = Filter::new().process(8).exclude(12);
    let resolved = filter.resolve(&volumes(), &running).unwrap();
    assert_eq!(
        told(&resolved),
        [(8, 8 << 32, 0), (12, 0, selector::EXCLUDE)]
    );
    let mut later = process(8, 4);
    later.key += 1;
    assert!(!resolved.passes(&later), "another bearer of the pid");
}

#[test]
fn descendants_that_run_are_named_and_so_are_those_found_later() {
    let family = |pids: &[(u32, u32)]| {
        Snapshot::new(
            pids.iter()
                .map(|(pid, parent)| process(*pid, *parent))
                .collect(),
        )
    };
    let filter = Filter::new().process(Select::pid(8).with_descendants());
    let before = family(&[(4, 0), (8, 4), (12, 8), (16, 4)]);
    let mut resolved = filter.resolve(&volumes(), &before).unwrap();
    let all = selector::DESCENDANTS;
    let known = [(8, 8 << 32, all), (12, 12 << 32, all)];
    assert_eq!(told(&resolved), known);
    assert!(resolved.passes(&process(12, 8)) && !resolved.passes(&process(16, 4)));

    let after = family(&[(4, 0), (8, 4), (12, 8), (16, 4), (20, 12), (24, 12)]);
    // Pid 24 began after the driver had been told: it has seen that start.
    let told_at = Time(20);
    assert!(resolved.follow(&after, Some(told_at)));
    assert_eq!(
        told(&resolved),
        [&known[..], &[(20, 20 << 32, all)]].concat()
    );
    assert!(!resolved.follow(&after, Some(told_at)));
}

#[test]
fn a_family_that_grows_is_left_to_the_driver_but_for_whom_it_did_not_see() {
    let filter = Filter::new().process(Select::pid(8).with_descendants());
    let mut family = vec![process(8, 4)];
    let before = Snapshot::new(family.clone());
    let mut resolved = filter.resolve(&volumes(), &before).unwrap();
    let mut grow = |pid, parent| {
        family.push(process(pid, parent));
        resolved.follow(&Snapshot::new(family.clone()), Some(Time(pid.into())))
    };
    assert!(grow(12, 8), "it may have begun before the driver was told");
    assert!(grow(16, 12), "or while the driver did not know its parent");
    assert!(!grow(20, 8) && !grow(24, 12), "the driver saw these starts");
}
