//! Filters, against what protocol says that they mean, written over plain sets and strings.

use super::Filter;
use crate::event::{Event, Party, What};
use crate::process_table::ProcessId;
use crate::testing::{configure_input, upcase, wide};
use ntwatch_protocol::access::process::{QUERY_INFORMATION, TERMINATE, VM_READ};
use ntwatch_protocol::configure::{AccessMasks, Clause, Configure, Selector, selector};
use ntwatch_protocol::record::Kind;
use ntwatch_protocol::wide::Wide;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;

/// A clause, as a test writes it.
#[derive(Clone, Debug, PartialEq)]
enum Wish {
    Process { pid: u32, key: u64, flags: u32 },
    Image(String),
    ExcludeImage(String),
    Access(AccessMasks),
    RemoteThreads,
    UserImages,
}

/// An event, as a test writes it: each process with its image.
#[derive(Clone, Debug)]
struct Happening {
    what: What,
    about: Vec<(ProcessId, Option<String>)>,
}

fn id(pid: u32, key: u64) -> ProcessId {
    ProcessId { pid, key }
}

fn happening(what: What, about: &[(u32, u64, &str)]) -> Happening {
    let about = about
        .iter()
        .map(|(pid, key, image)| (id(*pid, *key), Some(image.to_string())));
    Happening {
        what,
        about: about.collect(),
    }
}

fn filter(mask: u32, wishes: &[Wish]) -> Filter {
    let texts: Vec<_> = wishes
        .iter()
        .map(|wish| match wish {
            Wish::Image(pattern) | Wish::ExcludeImage(pattern) => wide(pattern),
            _ => Vec::new(),
        })
        .collect();
    let clauses: Vec<_> = wishes
        .iter()
        .zip(&texts)
        .map(|(wish, text)| match *wish {
            Wish::Process { pid, key, flags } => Clause::Process(Selector { pid, flags, key }),
            Wish::Image(_) => Clause::Image(Wide::new(text)),
            Wish::ExcludeImage(_) => Clause::ExcludeImage(Wide::new(text)),
            Wish::Access(masks) => Clause::Access(masks),
            Wish::RemoteThreads => Clause::RemoteThreads,
            Wish::UserImages => Clause::UserImages,
        })
        .collect();
    let input = configure_input(mask, 0, &clauses);
    Filter::new(&Configure::parse(&input).unwrap(), upcase).unwrap()
}

fn passes(filter: &mut Filter, happening: &Happening) -> bool {
    let images: Vec<_> = happening
        .about
        .iter()
        .map(|(_, image)| image.as_deref().map(wide))
        .collect();
    let party = |number: usize| {
        let (id, _) = happening.about.get(number)?;
        let image = images[number].as_deref().map(Wide::new);
        Some(Party { id: *id, image })
    };
    let event = Event {
        what: happening.what,
        about: [party(0), party(1)],
        time: 0,
        seq: 0,
        record: &[],
    };
    filter.passes(&event, upcase)
}

fn start(pid: u32, key: u64, parent: (u32, u64)) -> Happening {
    let parent = id(parent.0, parent.1);
    happening(What::ProcessStart { parent }, &[(pid, key, "a.exe")])
}

#[test]
fn a_filter_without_clauses_asks_only_for_the_kind() {
    let mut filter = filter(Kind::ProcessExit.bit(), &[]);
    assert!(passes(&mut filter, &happening(What::ProcessExit, &[])));
    assert!(!passes(&mut filter, &start(4, 1, (0, 0))));
}

#[test]
fn clauses_of_one_kind_widen_and_those_of_different_kinds_narrow() {
    let process = |pid| Wish::Process {
        pid,
        key: 0,
        flags: 0,
    };
    let image = |pattern: &str| Wish::Image(pattern.to_string());
    let mut filter = filter(
        Kind::ALL_EVENTS,
        &[process(4), process(8), image("cmd.exe"), image("net*.exe")],
    );
    let mut passes = |pid, image| {
        passes(
            &mut filter,
            &happening(What::ProcessExit, &[(pid, 1, image)]),
        )
    };
    assert!(passes(4, r"\Windows\cmd.exe"));
    assert!(passes(8, r"\Windows\net1.exe"));
    assert!(!passes(5, r"\Windows\cmd.exe"));
    assert!(!passes(4, r"\Windows\calc.exe"));
}

#[test]
fn without_a_clause_opens_that_only_look_are_left_out_and_all_ones_ask_for_every_open() {
    let open = |original| {
        let what = What::HandleOpen {
            thread: false,
            original,
        };
        happening(what, &[(4, 1, "a.exe"), (8, 1, "b.exe")])
    };
    let mut unsaid = filter(Kind::ALL_EVENTS, &[]);
    let mut all = filter(Kind::ALL_EVENTS, &[Wish::Access(AccessMasks::ALL)]);
    assert!(!passes(&mut unsaid, &open(QUERY_INFORMATION)));
    assert!(passes(&mut unsaid, &open(QUERY_INFORMATION | VM_READ)));
    assert!(!passes(&mut unsaid, &open(0)));
    assert!(passes(&mut all, &open(0)));
}

#[test]
fn descendants_are_followed_by_identity_for_as_long_as_they_run() {
    let family = Wish::Process {
        pid: 4,
        key: 1,
        flags: selector::DESCENDANTS,
    };
    let mut filter = filter(Kind::ALL_EVENTS, &[family]);
    let mut passes = |happening: &Happening| passes(&mut filter, happening);
    let exit = |pid, key| happening(What::ProcessExit, &[(pid, key, "a.exe")]);
    let load = |pid, key| happening(What::ImageLoad { kernel: false }, &[(pid, key, "a.exe")]);
    assert!(!passes(&load(8, 1)));
    assert!(passes(&start(8, 2, (4, 1))), "a child");
    assert!(passes(&start(12, 3, (8, 2))), "a grandchild");
    assert!(passes(&exit(8, 2)));
    assert!(!passes(&load(8, 2)), "it has ended");
    assert!(passes(&load(12, 3)), "it has not");
    assert!(
        !passes(&start(16, 4, (8, 5))),
        "of another with the child's pid"
    );
    assert!(
        !passes(&start(20, 6, (4, 7))),
        "of another with the root's pid"
    );
}

/// What protocol says, word by word.
struct Defined {
    mask: u32,
    wishes: Vec<Wish>,
    /// The processes that each wish means because they descend from the one it names.
    descendants: Vec<BTreeSet<(u32, u64)>>,
}

impl Defined {
    fn named(pid: u32, key: u64, process: ProcessId) -> bool {
        pid == process.pid && (key == 0 || key == process.key)
    }

    fn passes(&mut self, happening: &Happening) -> bool {
        let kind = happening.what.kind();
        if let What::ProcessStart { parent } = happening.what {
            let child = happening.about[0].0;
            for (wish, descendants) in self.wishes.iter().zip(&mut self.descendants) {
                if let Wish::Process { pid, key, flags } = *wish
                    && flags & selector::DESCENDANTS != 0
                    && (Self::named(pid, key, parent)
                        || descendants.contains(&(parent.pid, parent.key)))
                {
                    descendants.insert((child.pid, child.key));
                }
            }
        }
        let processes = |exclude: bool| {
            let wishes = self.wishes.iter().zip(&self.descendants);
            wishes
                .filter_map(|(wish, descendants)| match *wish {
                    Wish::Process { pid, key, flags }
                        if (flags & selector::EXCLUDE != 0) == exclude =>
                    {
                        Some(happening.about.iter().any(|(process, _)| {
                            Self::named(pid, key, *process)
                                || descendants.contains(&(process.pid, process.key))
                        }))
                    }
                    _ => None,
                })
                .collect::<Vec<bool>>()
        };
        let images = |exclude: bool| {
            self.wishes
                .iter()
                .filter_map(|wish| match wish {
                    Wish::Image(name) if !exclude => Some(name),
                    Wish::ExcludeImage(name) if exclude => Some(name),
                    _ => None,
                })
                .map(|name| {
                    let name = name.to_lowercase();
                    happening.about.iter().any(|(_, image)| {
                        image.as_ref().is_some_and(|image| {
                            let image = image.to_lowercase();
                            image.rsplit('\\').next() == Some(name.as_str())
                        })
                    })
                })
                .collect::<Vec<bool>>()
        };
        let one_of = |conditions: Vec<bool>| conditions.is_empty() || conditions.contains(&true);
        let none_of = |conditions: Vec<bool>| !conditions.contains(&true);
        let access = self.wishes.iter().find_map(|wish| match wish {
            Wish::Access(masks) => Some(*masks),
            _ => None,
        });
        let access = access.unwrap_or(AccessMasks::DEFAULT);
        let of_its_kind = match happening.what {
            What::ThreadStart {
                remote: Some(false),
            }
            | What::ThreadExit => !self.wishes.contains(&Wish::RemoteThreads),
            What::ImageLoad { kernel: true } => !self.wishes.contains(&Wish::UserImages),
            What::HandleOpen { thread, original } => {
                let mask = if thread {
                    access.thread
                } else {
                    access.process
                };
                mask == u32::MAX || mask & original != 0
            }
            _ => true,
        };
        let passes = self.mask & kind.bit() != 0
            && of_its_kind
            && one_of(processes(false))
            && none_of(processes(true))
            && one_of(images(false))
            && none_of(images(true));
        if happening.what == What::ProcessExit {
            let process = happening.about[0].0;
            for descendants in &mut self.descendants {
                descendants.remove(&(process.pid, process.key));
            }
        }
        passes
    }
}

fn process() -> impl Strategy<Value = (ProcessId, Option<String>)> {
    let image = prop::option::of(r"\\[xy]\\[abAB]\.exe");
    ((1u32..6, 0u64..3), image).prop_map(|((pid, key), image)| (id(pid, key), image))
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let original = prop::sample::select(std::vec![0, QUERY_INFORMATION, TERMINATE, VM_READ]);
    let what = prop_oneof![
        3 => (1u32..6, 0u64..3)
            .prop_map(|(pid, key)| What::ProcessStart { parent: id(pid, key) }),
        1 => Just(What::ProcessExit),
        1 => any::<Option<bool>>().prop_map(|remote| What::ThreadStart { remote }),
        1 => Just(What::ThreadExit),
        1 => any::<bool>().prop_map(|kernel| What::ImageLoad { kernel }),
        1 => (any::<bool>(), original)
            .prop_map(|(thread, original)| What::HandleOpen { thread, original }),
    ];
    (what, process(), process()).prop_map(|(what, first, second)| {
        let about = match what {
            What::ThreadStart { .. } | What::HandleOpen { .. } => Vec::from([first, second]),
            What::ImageLoad { kernel: true } => Vec::new(),
            _ => Vec::from([first]),
        };
        Happening { what, about }
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let pattern = r"[ab]\.EXE";
    prop_oneof![
        4 => (1u32..6, 0u64..3, 0..=selector::ALL)
            .prop_map(|(pid, key, flags)| Wish::Process { pid, key, flags }),
        1 => pattern.prop_map(Wish::Image),
        1 => pattern.prop_map(Wish::ExcludeImage),
        1 => Just(Wish::RemoteThreads),
        1 => Just(Wish::UserImages),
    ]
}

fn access() -> impl Strategy<Value = Option<Wish>> {
    let mask = || prop::sample::select(std::vec![0, TERMINATE, !0]);
    let masks = (mask(), mask())
        .prop_map(|(process, thread)| Wish::Access(AccessMasks { process, thread }));
    prop::option::of(masks)
}

proptest! {
    #[test]
    fn a_filter_passes_what_its_definition_says(
        mask in prop_oneof![Just(Kind::ALL_EVENTS), (1u32..0x40).prop_map(|bits| bits << 1)],
        mut wishes in prop::collection::vec(wish(), 0..5),
        access in access(),
        happenings in prop::collection::vec(any_happening(), 0..40),
    ) {
        wishes.extend(access);
        let mut filter = filter(mask, &wishes);
        let descendants = std::vec![BTreeSet::new(); wishes.len()];
        let mut defined = Defined { mask, wishes, descendants };
        for happening in happenings {
            prop_assert_eq!(
                passes(&mut filter, &happening),
                defined.passes(&happening),
                "{:?}",
                happening
            );
        }
    }
}
