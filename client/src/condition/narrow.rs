//! What the driver is asked for: no less than a condition can hold for.

use super::check::{Check, Relation, Scalar, Test, Wanted};
use super::shape::{Fact, Shape};
use super::{Condition, Node};
use crate::error::FilterError;
use crate::event::TargetType;
use crate::filter::{Filter, Select};
use crate::rights::Rights;
use ntwatch_protocol::access::{process, standard, thread};
use ntwatch_protocol::configure::MAX_PATTERN_UNITS;
use ntwatch_protocol::record::Kind;
use std::collections::BTreeSet;

/// Processes and images at most that a condition has the driver look for.
const MOST_NAMED: usize = 32;

impl Condition {
    /// The filter that lets through what `filter` does, as far as this condition can hold for it:
    /// hold events against the condition all the same. What the filter says of processes, images
    /// or rights itself stays as it is.
    ///
    /// - Nothing is asked for that the condition does not let through, but for what its events are
    ///   joined with: image loads for the starts of threads, thread starts for their exits.
    /// - A filter that says nothing about rights leaves out opens that only look, unless the
    ///   condition asks about `access`: then it alone decides.
    /// - N.B. Where processes are chosen by image or pid, the names of others come from Windows,
    ///   which has none for who is gone, as with [`Filter::image`]. So they are not where it asks
    ///   for those names, too; nor by image for handles, as what is opened may have ended.
    /// - What an image is *not* is left to the condition: a pattern for the driver may name more
    ///   than the one that people write, and would leave out too much.
    ///
    /// # Errors
    /// [`FilterError::NoEvents`] if it can hold for no event that the filter asks for.
    pub fn narrow(&self, filter: Filter) -> Result<Filter, FilterError> {
        let shapes = Shape::ALL.into_iter();
        let possible = shapes.filter_map(|shape| Some((shape, bounds(&self.0, true, shape)?)));
        let possible: Vec<_> = possible.collect();
        let has = |kind| possible.iter().any(|(shape, _)| shape.kind() == kind);
        let can_be = |wanted| possible.iter().any(|(shape, _)| *shape == wanted);

        let (mut shown, mut joined) = (0, 0);
        for kind in Kind::EVENTS.into_iter().filter(|kind| has(*kind)) {
            shown |= kind.bit();
            joined |= match kind {
                Kind::ThreadStart => Kind::ImageLoad.bit(),
                Kind::ThreadExit => Kind::ThreadStart.bit() | Kind::ImageLoad.bit(),
                _ => 0,
            };
        }
        let asked = filter.shown();
        if asked & shown == 0 {
            return Err(FilterError::NoEvents);
        }
        let mut narrow = filter.only(asked & (shown | joined));
        if has(Kind::ThreadStart) && !has(Kind::ThreadExit) && !can_be(Shape::OwnThread) {
            narrow = narrow.remote_threads_only();
        }
        let are_joined = joined & Kind::ImageLoad.bit() != 0;
        if has(Kind::ImageLoad) && !are_joined && !can_be(Shape::KernelImage) {
            narrow = narrow.user_images_only();
        }
        if has(Kind::HandleOpen) && narrow.access.is_none() {
            let rights = self.rights(&possible);
            if rights != Rights::MORE_THAN_QUERY {
                narrow = narrow.access(rights);
            }
        }
        let all = |by: fn(&Bounds) -> bool| possible.iter().all(|(_, bounds)| by(bounds));
        if all(|bounds| bounds.by_image) && narrow.images.is_empty() {
            let images = self.images().unwrap_or_default();
            narrow = images.into_iter().fold(narrow, Filter::image);
        }
        if all(|bounds| bounds.by_pid) && narrow.included.is_empty() {
            let pids = self.pids().unwrap_or_default().into_iter();
            narrow = pids.map(Select::any_bearer).fold(narrow, Filter::process);
        }
        Ok(narrow)
    }

    /// Of which rights an open must ask for one.
    fn rights(&self, possible: &[(Shape, Bounds)]) -> Rights {
        let asks = self.0.tests(true).any(|(test, _)| test.field.is_access());
        let of = |kind, default| {
            let mut possible = possible.iter();
            match possible.find(|(shape, _)| *shape == Shape::Handle(kind)) {
                None => 0,
                Some((_, bounds)) if asks => bounds.rights.unwrap_or(u32::MAX),
                Some(_) => default,
            }
        };
        Rights {
            process: of(TargetType::Process, Rights::MORE_THAN_QUERY.process),
            thread: of(TargetType::Thread, Rights::MORE_THAN_QUERY.thread),
        }
    }

    /// The patterns of all images that it asks about, so that the starts are seen that their names
    /// come from; `None` if it asks what no pattern says.
    fn images(&self) -> Option<BTreeSet<String>> {
        let mut images = BTreeSet::new();
        for (test, wanted) in self.0.tests(true) {
            match test.field.name {
                "thread.start_module" => return None,
                name if name.ends_with(".image") => {
                    images.extend(image_patterns(test).filter(|_| wanted)?);
                }
                _ => {}
            }
        }
        let fit = images
            .iter()
            .all(|image| image.len() <= MAX_PATTERN_UNITS / 8);
        (images.len() <= MOST_NAMED && fit).then_some(images)
    }

    /// All pids that it asks about; `None` if it asks for names, which the starts of others tell.
    fn pids(&self) -> Option<BTreeSet<u32>> {
        let asks_for_names = |test: &Test| {
            test.field.name.ends_with(".image") || test.field.name == "thread.start_module"
        };
        let mut pids = BTreeSet::new();
        for (test, wanted) in self.0.tests(true) {
            if asks_for_names(test) {
                return None;
            }
            if wanted && matches!(test.field.name, "process.pid" | "source.pid" | "target.pid") {
                pids.extend(pids_of(test).into_iter().flatten());
            }
        }
        (pids.len() <= MOST_NAMED).then_some(pids)
    }
}

/// What is so of all events of a shape for which a condition holds.
#[derive(Clone, Copy)]
struct Bounds {
    /// They are about a process with a pid that the condition names.
    by_pid: bool,
    /// They are about a process whose image the condition has a pattern for.
    by_image: bool,
    /// They ask for one of these rights.
    rights: Option<u32>,
}

impl Bounds {
    const NONE: Self = Self {
        by_pid: false,
        by_image: false,
        rights: None,
    };

    /// Of those that have both.
    fn and(self, other: Self) -> Self {
        let narrower = |a: u32, b: u32| {
            if a.count_ones() <= b.count_ones() {
                a
            } else {
                b
            }
        };
        Self {
            by_pid: self.by_pid || other.by_pid,
            by_image: self.by_image || other.by_image,
            rights: match (self.rights, other.rights) {
                (Some(a), Some(b)) => Some(narrower(a, b)),
                (one, other) => one.or(other),
            },
        }
    }

    /// Of those that have one of them.
    fn or(self, other: Self) -> Self {
        Self {
            by_pid: self.by_pid && other.by_pid,
            by_image: self.by_image && other.by_image,
            rights: self.rights.zip(other.rights).map(|(a, b)| a | b),
        }
    }
}

/// Of the events of a shape for which the condition holds, or does not if that is `wanted`; `None`
/// if there can be none.
fn bounds(node: &Node, wanted: bool, shape: Shape) -> Option<Bounds> {
    match (node, wanted) {
        (Node::All(nodes), true) | (Node::Any(nodes), false) => {
            let mut nodes = nodes.iter();
            nodes.try_fold(Bounds::NONE, |all, node| {
                Some(all.and(bounds(node, wanted, shape)?))
            })
        }
        (Node::Any(nodes), true) | (Node::All(nodes), false) => {
            let each = nodes.iter().filter_map(|node| bounds(node, wanted, shape));
            each.reduce(Bounds::or)
        }
        (Node::Not(node), _) => bounds(node, !wanted, shape),
        (Node::Test(test), true) => match shape.fact(test.field) {
            Fact::Absent => None,
            Fact::Is(value) => test.check.holds(&value).then_some(Bounds::NONE),
            Fact::Any => bounds_of_test(test, shape),
        },
        (Node::Test(test), false) => match shape.fact(test.field) {
            Fact::Is(value) if test.check.holds(&value) => None,
            _ => Some(Bounds::NONE),
        },
    }
}

fn bounds_of_test(test: &Test, shape: Shape) -> Option<Bounds> {
    let (group, fact) = test.field.name.split_once('.').unwrap_or_default();
    let is_party = shape.about().contains(&group);
    Some(match (&test.check, shape) {
        (Check::Has(wanted, rights), Shape::Handle(kind)) => {
            let bits = rights.iter().map(|right| right.bits(kind));
            let of_whole = |bits: u32| asked_for(bits, kind, fact == "granted");
            let rights = match wanted {
                Wanted::One => {
                    let those = bits.filter(|bits| *bits != 0).map(of_whole);
                    those.reduce(|some, others| some | others)?
                }
                Wanted::All if bits.clone().any(|bits| bits == 0) => return None,
                Wanted::All => of_whole(bits.fold(0, |all, bits| all | bits)),
            };
            let rights = Some(rights);
            Bounds {
                rights,
                ..Bounds::NONE
            }
        }
        _ => Bounds {
            by_pid: is_party && fact == "pid" && pids_of(test).is_some(),
            // What is opened, or opens, may have ended: the client may know it still, the driver
            // does not.
            by_image: is_party
                && fact == "image"
                && !matches!(shape, Shape::Handle(_))
                && image_patterns(test).is_some(),
            rights: None,
        },
    })
}

/// Of which rights an open has asked for one, if its mask has all of `bits`.
fn asked_for(bits: u32, kind: TargetType, is_granted: bool) -> u32 {
    let (query_only, implied) = match kind {
        TargetType::Process => (process::QUERY_ONLY, &IMPLIED_FOR_PROCESS[..]),
        TargetType::Thread => (thread::QUERY_ONLY, &IMPLIED_FOR_THREAD[..]),
    };
    // One of them is enough, and those that most opens ask for tell least.
    let telling = match bits & !query_only {
        0 => bits,
        telling => telling,
    };
    let bit = telling & telling.wrapping_neg();
    if !is_granted {
        return bit;
    }
    let by_others = implied.iter().filter(|(with, _)| with & bit != 0);
    by_others.fold(bit | ANY_RIGHT, |all, (_, asked)| all | asked)
}

/// What stands for rights that it does not name.
const ANY_RIGHT: u32 = standard::MAXIMUM_ALLOWED
    | standard::GENERIC_ALL
    | standard::GENERIC_EXECUTE
    | standard::GENERIC_WRITE
    | standard::GENERIC_READ;

/// Rights that come with others (page "Process Security and Access Rights"), and those.
const IMPLIED_FOR_PROCESS: [(u32, u32); 2] = [
    (
        process::QUERY_LIMITED_INFORMATION,
        process::QUERY_INFORMATION,
    ),
    (process::SET_LIMITED_INFORMATION, process::SET_INFORMATION),
];
/// As [`IMPLIED_FOR_PROCESS`] (page "Thread Security and Access Rights").
const IMPLIED_FOR_THREAD: [(u32, u32); 3] = [
    (thread::QUERY_LIMITED_INFORMATION, thread::QUERY_INFORMATION),
    (thread::SET_LIMITED_INFORMATION, thread::SET_INFORMATION),
    (thread::RESUME, thread::SUSPEND_RESUME),
];

/// The pids that it wants one of.
fn pids_of(test: &Test) -> Option<Vec<u32>> {
    let literals = match &test.check {
        Check::Is(Relation::Equal, literal) => std::slice::from_ref(literal),
        Check::In(literals) => literals,
        _ => return None,
    };
    let pid = |value: &Scalar| match value {
        Scalar::Number(number) => Some(u32::try_from(*number).ok()),
        _ => None,
    };
    // What is no pid is nobody's.
    let pids: Option<Vec<_>> = literals.iter().map(|literal| pid(&literal.value)).collect();
    Some(pids?.into_iter().flatten().collect())
}

/// Patterns for the driver of which one names every image that passes.
fn image_patterns(test: &Test) -> Option<Vec<String>> {
    let literals = match &test.check {
        Check::Like(pattern) => return Some(vec![for_driver(&pattern.text.written)?]),
        Check::Is(Relation::Equal, literal) => std::slice::from_ref(literal),
        Check::In(literals) => literals,
        _ => return None,
    };
    // A path is a pattern of itself.
    let patterns = literals.iter().map(|literal| for_driver(&literal.written));
    patterns.collect()
}

/// A pattern that names an image by its kernel's path if this one does by the path that people
/// know. What they differ in is how they begin (see [`crate::volumes`]), and which other letters
/// are one in two cases is for Windows to say. `None` for what may name `System` and its like, whose
/// names clients are told of, and drivers not.
fn for_driver(pattern: &str) -> Option<String> {
    let is_separator = |letter| letter == '\\' || letter == '/';
    let is_wild = |letter| letter == '*' || letter == '?';
    let mut name: String = pattern
        .chars()
        .flat_map(|letter| {
            let (shown, times) = match letter.is_ascii() {
                true => (letter, 1),
                false => ('?', letter.len_utf16()),
            };
            std::iter::repeat_n(shown, times)
        })
        .collect();
    let drive = name.find(':').filter(|colon| *colon == 1);
    let Some(last) = name.rfind(is_separator) else {
        if drive.is_some() {
            // It would be turned to a device.
            name.replace_range(..1, "?");
        }
        return name.contains('.').then_some(name);
    };
    if name.starts_with('/') {
        return Some(name);
    }
    // What follows a drive, a share's first backslash, or anything: `\` and a name.
    let rest = match drive {
        Some(colon) => &name[colon + 1..],
        None => name.strip_prefix(['*', '\\']).unwrap_or(""),
    };
    let is_named = |rest: &str| !rest.starts_with(|first| is_separator(first) || is_wild(first));
    if rest.strip_prefix('\\').is_some_and(is_named) {
        return Some(format!("*{rest}"));
    }
    let (separator, part) = name[last..].split_at(1);
    let wild = if part.starts_with(is_wild) { "*" } else { "" };
    let part = part.trim_start_matches(is_wild);
    Some(format!("*{separator}{wild}{part}"))
}
