//! What the driver is asked for on behalf of a condition, against the driver's own filter.

mod common;
#[path = "common/conditions.rs"]
mod conditions;
#[path = "common/events.rs"]
mod events;

use common::fake::Fake;
use common::machine::Machine;
use conditions::Meant;
use ntwatch_client::event::{Access, Body, Event, Hex, TargetType};
use ntwatch_client::protocol::access::{process, standard, thread};
use ntwatch_client::protocol::configure::Configure;
use ntwatch_client::protocol::record::Kind;
use ntwatch_client::protocol::wide::Wide;
use ntwatch_client::rights::Rights;
use ntwatch_client::volumes::{Volume, Volumes};
use ntwatch_client::{Condition, Driver, Field, Filter, FilterError};
use ntwatch_engine::event::{Event as DriverEvent, Party, What};
use ntwatch_engine::filter::Filter as DriverFilter;
use ntwatch_engine::process_table::ProcessId;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

/// Images as the kernel names them: on a drive, in a share, in the forms that processes are started
/// by, of the Subsystem for Linux, and none at all.
const IMAGES: [&str; 10] = [
    r"\Device\HarddiskVolume3\Windows\System32\cmd.exe",
    r"\Device\HarddiskVolume3\Ünï\ſträße.exe",
    r"\Device\HarddiskVolume30\cmd.exe",
    r"\Device\HarddiskVolume3\c.exe",
    r"\Device\Mup\server\share\cmd.exe",
    r"\Device\Mup\;LanmanRedirector\;Z:01\server\share\x.exe",
    r"\??\C:\Windows\cmd.exe",
    r"\??\UNC\server\x.exe",
    "/usr/bin/sh",
    "Registry",
];

fn volumes() -> Volumes {
    Volumes::new(vec![Volume {
        drive: "C:".into(),
        device: r"\Device\HarddiskVolume3".into(),
    }])
}

/// What happens to a process: its pid, its key, and its image as the kernel has it.
type Who = (u32, u64, Option<&'static str>);

fn who() -> impl Strategy<Value = Who> {
    (
        4u32..7,
        1u64..3,
        prop::option::weighted(0.9, select(&IMAGES[..])),
    )
}

/// An event as a client sees it, and as the driver's filter does.
#[derive(Clone, Debug)]
struct Happening {
    event: Event,
    what: What,
    about: Vec<Who>,
}

/// Any event of the driver's whose two sides are of one kind.
fn happening() -> impl Strategy<Value = Happening> {
    let of_driver =
        events::event().prop_filter("the client's own", |event| event.body.kind().is_some());
    (of_driver, who(), who()).prop_map(|(mut event, one, other)| {
        let volumes = volumes();
        let path = |(.., image): Who| image.map(|image| (*volumes.dos_path(image)).into());
        let key = |(_, key, _): Who| Some(Hex(key));
        let parent = ProcessId { pid: 0, key: 0 };
        let (what, about) = match &mut event.body {
            Body::ProcessStart(start) => {
                let process = &mut start.process;
                (process.pid, process.key, process.image) = (one.0, Hex(one.1), path(one));
                (What::ProcessStart { parent }, vec![one])
            }
            Body::ProcessExit(exit) => {
                let process = &mut exit.process;
                (process.pid, process.key, process.image) = (one.0, Hex(one.1), path(one));
                (What::ProcessExit, vec![one])
            }
            Body::ThreadStart(start) => {
                let (process, creator) = (&mut start.process, &mut start.creator);
                (process.pid, process.key, process.image) = (one.0, key(one), path(one));
                (creator.pid, creator.key, creator.image) = (other.0, key(other), path(other));
                let remote = start.remote;
                (What::ThreadStart { remote }, vec![one, other])
            }
            Body::ThreadExit(exit) => {
                let process = &mut exit.process;
                (process.pid, process.key, process.image) = (one.0, key(one), path(one));
                (What::ThreadExit, vec![one])
            }
            Body::ImageLoad(load) => {
                let kernel = load.image.kernel;
                load.process = load.process.take().filter(|_| !kernel);
                let about = load.process.iter_mut().map(|process| {
                    (process.pid, process.key, process.image) = (one.0, key(one), path(one));
                    one
                });
                (What::ImageLoad { kernel }, about.collect())
            }
            Body::HandleOpen(open) => {
                let (source, target) = (&mut open.source, &mut open.target);
                (source.pid, source.key, source.image) = (one.0, key(one), path(one));
                (target.pid, target.key, target.image) = (other.0, key(other), path(other));
                allow(target.kind, &mut open.access);
                let thread = target.kind == TargetType::Thread;
                let original = open.access.original;
                (What::HandleOpen { thread, original }, vec![one, other])
            }
            Body::Session { .. } | Body::ProcessRunning(_) | Body::Lost(_) => unreachable!(),
        };
        Happening { event, what, about }
    })
}

/// Leaves of the rights those that an open can have got.
fn allow(kind: TargetType, access: &mut Access) {
    // Many opens ask for few.
    if access.original & 1 != 0 {
        access.original &= access.original.rotate_left(7) & access.original.rotate_left(13);
    }
    access.desired &= access.original;
    let original = access.original;
    let implied = match kind {
        TargetType::Process if original & process::QUERY_INFORMATION != 0 => {
            process::QUERY_LIMITED_INFORMATION
        }
        TargetType::Thread if original & thread::SUSPEND_RESUME != 0 => thread::RESUME,
        _ => 0,
    };
    let generic = standard::MAXIMUM_ALLOWED | 0xf000_0000;
    if original & generic == 0 {
        access.granted = access.granted.map(|granted| granted & (original | implied));
    }
    access.stripped = access
        .granted
        .map(|granted| original & !granted & 0x1f_ffff);
}

/// The driver's filter for a client's.
fn driver(filter: &Filter) -> DriverFilter {
    let fake = Arc::new(Fake::new(Machine::new([])));
    let driver = Driver::over("fake", Arc::clone(&fake) as _).unwrap();
    drop(driver.watch(filter).unwrap());
    let bytes = fake.machine.lock().unwrap().configured.take().unwrap();
    DriverFilter::new(&Configure::parse(&bytes).unwrap(), upcase).unwrap()
}

/// Letters of ASCII alone: what else has two cases is for Windows to say.
fn upcase(unit: u16) -> u16 {
    match u8::try_from(unit) {
        Ok(ascii) => ascii.to_ascii_uppercase().into(),
        Err(_) => unit,
    }
}

fn passes(filter: &Filter, happening: &Happening) -> bool {
    let images: Vec<Option<Vec<u8>>> = happening
        .about
        .iter()
        .map(|(.., image)| {
            Some(
                image
                    .as_ref()?
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect(),
            )
        })
        .collect();
    let mut parties = happening
        .about
        .iter()
        .zip(&images)
        .map(|((pid, key, _), image)| Party {
            id: ProcessId {
                pid: *pid,
                key: *key,
            },
            image: image.as_deref().map(Wide::new),
        });
    let event = DriverEvent {
        what: happening.what,
        about: [parties.next(), parties.next()],
        time: 0,
        seq: 1,
        record: &[],
    };
    driver(filter).passes(&event, upcase)
}

proptest! {
    #[test]
    fn an_event_that_a_condition_holds_for_passes_the_filter_that_the_driver_gets(
        (happening, meant) in happening().prop_flat_map(|happening| {
            let meant = conditions::about_fields(&happening.event, is_filtered_by);
            // Of one kind the driver can filter more than of all.
            let kind = vec![happening.event.body.name().to_owned()];
            let kind = Meant::Test(Field::named("event").unwrap(), "==", kind);
            let meant = meant.prop_map(move |meant| Meant::All(vec![kind.clone(), meant]));
            (Just(happening), meant)
        }),
        every_open: bool,
    ) {
        let condition = Condition::parse(&meant.text()).unwrap();
        let mut filter = Filter::new();
        if every_open {
            filter = filter.access(Rights::EVERY_OPEN);
        }
        // Of opens that only look, none is asked for by a condition that says nothing of rights.
        let asks = condition.to_string().contains("access.");
        if condition.holds(&happening.event) && (asks || passes(&filter, &happening)) {
            let narrow = condition.narrow(filter).unwrap();
            prop_assert!(passes(&narrow, &happening), "{}\n{}", condition, narrow);
        }
    }
}

/// Does the driver's filter ask for it?
fn is_filtered_by(fact: &str) -> bool {
    let ends = [
        ".pid",
        ".image",
        "event",
        "remote",
        ".kernel",
        ".type",
        "exit_status",
    ];
    fact.starts_with("access.") || ends.iter().any(|end| fact.ends_with(end))
}

fn narrowed(condition: &str) -> String {
    let condition = Condition::parse(condition).unwrap();
    condition.narrow(Filter::new()).unwrap().to_string()
}

#[test]
fn the_driver_filters_what_it_can() {
    let generic = "MAXIMUM_ALLOWED|GENERIC_ALL|GENERIC_EXECUTE|GENERIC_WRITE|GENERIC_READ";
    for (condition, asked) in [
        ("event == process_exit", "process_exit"),
        (
            "event in (process_running, image_load)",
            "process_start, image_load",
        ),
        (
            "exit_status == 0 and not event == thread_exit",
            "process_exit",
        ),
        (
            r"event == process_start and process.image ~ '*\powershell.exe'",
            r"process_start; image *\powershell.exe",
        ),
        (
            r"process.image in ('C:\Windows\a.exe', \\server\share\b.exe) and image.base exists",
            r"image_load; image *\Windows\a.exe, *\server\share\b.exe; no images of the kernel",
        ),
        (
            // The name of the parent is to be known.
            "event == process_start and process.image ~ cmd.exe and parent.image ~ word.exe",
            "process_start; image cmd.exe, word.exe",
        ),
        (
            "process.image ~ a.exe and event == process_exit and process.image !~ b.exe",
            "process_exit",
        ),
        (
            "event == process_exit and process.pid in (4, 8)",
            "process_exit; pid 4, 8",
        ),
        (
            "event == thread_start and remote == true",
            "thread_start, image_load; remote threads only",
        ),
        (
            "event == image_load and image.kernel != true",
            "image_load; no images of the kernel",
        ),
        (
            "target.type == process and access.granted has vm_read|vm_write",
            &format!(
                "handle_open; processes opened for VM_READ|VM_WRITE|{generic}; no threads opened"
            ),
        ),
        (
            "access.original has vm_read&query_information",
            "handle_open; processes opened for VM_READ; no threads opened",
        ),
        (
            "access.original has query_information",
            "handle_open; processes opened for QUERY_INFORMATION; \
             threads opened for QUERY_INFORMATION",
        ),
        (
            "event == handle_open and target.image ~ lsass.exe",
            "handle_open",
        ),
        (
            "process.image == System and thread.tid == 8",
            "thread_start, thread_exit, image_load",
        ),
        (
            "source.pid == 4 and (access.original has terminate or status != 0)",
            "handle_open; pid 4; all processes opened; all threads opened",
        ),
        (
            "access.granted == 0x1410 and operation == create",
            "handle_open; all processes opened; all threads opened",
        ),
    ] {
        assert_eq!(narrowed(condition), asked, "{condition}");
    }
}

#[test]
fn what_no_event_can_fulfil_is_said() {
    for (condition, filter) in [
        ("event == session", Filter::new()),
        (
            "event == process_start and image.base exists",
            Filter::new(),
        ),
        ("image.base exists", Filter::new().event(Kind::ProcessExit)),
        (
            "target.type == thread and access.granted has vm_read",
            Filter::new(),
        ),
    ] {
        let condition = Condition::parse(condition).unwrap();
        assert_eq!(
            condition.narrow(filter),
            Err(FilterError::NoEvents),
            "{condition}"
        );
    }
}

#[test]
fn what_the_filter_says_itself_stays() {
    let condition = "event == handle_open and source.image ~ a.exe and access.granted has delete";
    let condition = Condition::parse(condition).unwrap();
    let filter = Filter::new().image("b.exe").access(Rights::MORE_THAN_QUERY);
    let narrow = condition.narrow(filter.clone()).unwrap();
    assert_eq!(narrow, filter.event(Kind::HandleOpen));
}
