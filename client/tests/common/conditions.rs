//! Conditions about an event, with what they mean: read off its JSON, and as plainly as can be.
#![allow(dead_code, reason = "each test binary uses a part")]

use ntwatch_client::event::Event;
use ntwatch_client::field::{Field, Type};
use ntwatch_client::time::Time;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

/// A condition, before it is text.
#[derive(Clone, Debug)]
pub(crate) enum Meant {
    All(Vec<Meant>),
    Any(Vec<Meant>),
    Not(Box<Meant>),
    Test(&'static Field, &'static str, Vec<String>),
}

const ORDERS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const OF_TEXT: [&str; 7] = ["==", "!=", "~", "!~", "contains", "in", "exists"];
/// Names of rights, and their bits for a process and for a thread.
const RIGHTS: [(&str, u64, u64); 6] = [
    ("vm_read", 0x10, 0),
    ("set_context", 0, 0x10),
    ("terminate", 0x1, 0x1),
    ("query_limited_information", 0x1000, 0x800),
    ("all_access", 0x001f_ffff, 0x001f_ffff),
    ("0x30", 0x30, 0x30),
];

/// Conditions, many of which this event fulfils.
pub(crate) fn about(event: &Event) -> BoxedStrategy<Meant> {
    about_fields(event, |_| true)
}

/// As [`about`], of facts whose names are such.
pub(crate) fn about_fields(event: &Event, such: fn(&str) -> bool) -> BoxedStrategy<Meant> {
    let any: Vec<_> = Field::all()
        .iter()
        .filter(|field| such(field.name))
        .collect();
    let known = any.iter().filter(|field| field.of(event).is_some());
    let known: Vec<_> = known.copied().collect();
    let event = event.clone();
    let field = prop_oneof![4 => select(known), 1 => select(any)];
    let test = field
        .prop_flat_map(move |field| test(&event, field))
        .boxed();
    test.prop_recursive(3, 12, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            some().prop_map(Meant::All),
            some().prop_map(Meant::Any),
            inner.prop_map(|inner| Meant::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

fn test(event: &Event, field: &'static Field) -> BoxedStrategy<Meant> {
    let own = field.of(event).map(|fact| fact.to_string());
    let values = |value: BoxedStrategy<String>, signs: &[&'static str]| {
        let signs = select(signs.to_vec());
        let values = prop::collection::vec(value, 1..4);
        let test = (signs, values).prop_map(move |(sign, mut values)| {
            let most = match sign {
                "exists" => 0,
                "in" | "has |" | "has &" => values.len(),
                _ => 1,
            };
            values.truncate(most);
            Meant::Test(field, sign, values)
        });
        test.boxed()
    };
    let with_in_and_exists = [&ORDERS[..], &["in", "exists"]].concat();
    let own_or = |others: &[&str]| {
        let own = own.clone().into_iter();
        let all: Vec<String> = own
            .chain(others.iter().map(|other| (*other).into()))
            .collect();
        select(all).boxed()
    };
    match field.kind {
        _ if field.name.starts_with("access.") => {
            let rights = select(RIGHTS.to_vec()).prop_map(|(name, ..)| name.to_owned());
            let has = values(rights.boxed(), &["has |", "has &"]);
            prop_oneof![2 => has, 1 => values(own_or(&["16"]), &with_in_and_exists)].boxed()
        }
        Type::Number => values(own_or(&["0", "3", "0xffff"]), &with_in_and_exists),
        Type::Hex => values(own_or(&["0x3", "17"]), &with_in_and_exists),
        Type::Time => values(own_or(&["2026-11-22T03:03:27Z"]), &with_in_and_exists),
        Type::Bool => values(own_or(&["true", "false"]), &["==", "!=", "in", "exists"]),
        Type::Counts => values(own_or(&["-"]), &["exists"]),
        Type::Text => match a_word(field.name) {
            Some(word) => values(own_or(&[word]), &["==", "!=", "in", "exists"]),
            None => values(like(own.unwrap_or_default()), &OF_TEXT),
        },
    }
}

/// A word of those fields that have only some.
fn a_word(field: &str) -> Option<&'static str> {
    Some(match field {
        "event" => "process_start",
        "operation" => "duplicate",
        "target.type" => "thread",
        "stage" => "session",
        "process.subsystem" | "thread.subsystem" => "WSL",
        "process.integrity" => "High",
        "process.protection" => "windows_tcb_light",
        "image.signature_level" => "windows",
        "image.signature_type" => "none",
        _ => return None,
    })
}

/// Texts and patterns that are like this text: a part of it in another case, with parts left open.
fn like(text: String) -> BoxedStrategy<String> {
    let marks = (
        any::<Index>(),
        any::<Index>(),
        select(vec!["", "*", "?", "**"]),
        any::<bool>(),
    );
    marks
        .prop_map(move |(from, to, open, whole)| {
            let letters: Vec<char> = text.to_lowercase().chars().collect();
            let ends = [from, to].map(|end| end.index(letters.len() + 1));
            let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            let part = |letters: &[char]| letters.iter().collect::<String>();
            let like = match whole {
                true => [&part(&letters[..from]), open, &part(&letters[to..])].concat(),
                false => [open, &part(&letters[from..to]), open].concat(),
            };
            // An empty pattern is refused.
            if like.is_empty() { "*".into() } else { like }
        })
        .boxed()
}

impl Meant {
    /// As somebody may write it.
    pub(crate) fn text(&self) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<_> = parts
                .iter()
                .map(|part| format!("({})", part.text()))
                .collect();
            parts.join(word)
        };
        let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
        match self {
            Self::All(parts) => joined(parts, " && "),
            Self::Any(parts) => joined(parts, " or "),
            Self::Not(part) => format!("!({})", part.text()),
            Self::Test(field, sign, values) => {
                let values: Vec<_> = values.iter().map(quoted).collect();
                let rest = match *sign {
                    "in" => format!("in ({})", values.join(" , ")),
                    "has |" => format!("HAS {}", values.join("|")),
                    "has &" => format!("has {}", values.join(" & ")),
                    sign => format!("{sign}{}", values.concat()),
                };
                format!("{} {rest}", field.name)
            }
        }
    }

    /// Does an event with this JSON fulfil it?
    pub(crate) fn holds(&self, event: &Json) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Not(part) => !part.holds(event),
            Self::Test(field, sign, values) => {
                let place = field.name.split('.');
                let fact = place.fold(event, |json, name| &json[name]);
                !fact.is_null() && fulfils(event, field, fact, sign, values)
            }
        }
    }
}

fn fulfils(event: &Json, field: &Field, fact: &Json, sign: &str, values: &[String]) -> bool {
    let is = |value: &String| compare(field, fact, value);
    let text = fold(fact.as_str().unwrap_or_default());
    let like = |value: &String| {
        let is_path = field.name.ends_with("image")
            || ["image.path", "thread.start_module"].contains(&field.name);
        let name = match is_path && !value.contains(['\\', '/']) {
            true => text
                .rsplit(|unit| [b'\\'.into(), b'/'.into()].contains(unit))
                .next(),
            false => Some(&text[..]),
        };
        matches(&fold(value), name.unwrap())
    };
    let has = |value: &String| {
        let (_, process, thread) = RIGHTS.iter().find(|(name, ..)| name == value).unwrap();
        let bits = match event["target"]["type"] == "process" {
            true => process,
            false => thread,
        };
        *bits != 0 && fact.as_u64().unwrap() & bits == *bits
    };
    match sign {
        "exists" => true,
        "==" => is(&values[0]).is_eq(),
        "!=" => is(&values[0]).is_ne(),
        "<" => is(&values[0]).is_lt(),
        "<=" => is(&values[0]).is_le(),
        ">" => is(&values[0]).is_gt(),
        ">=" => is(&values[0]).is_ge(),
        "in" => values.iter().any(|value| is(value).is_eq()),
        "~" => like(&values[0]),
        "!~" => !like(&values[0]),
        "contains" => {
            let part = fold(&values[0]);
            text.windows(part.len()).any(|window| window == part)
        }
        "has |" => values.iter().any(has),
        "has &" => values.iter().all(has),
        other => unreachable!("{other}"),
    }
}

fn compare(field: &Field, fact: &Json, value: &str) -> std::cmp::Ordering {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap(),
    };
    let text = || fact.as_str().unwrap();
    match field.kind {
        Type::Number => fact.as_u64().unwrap().cmp(&number(value)),
        Type::Hex => number(text()).cmp(&number(value)),
        Type::Bool => fact.as_bool().unwrap().cmp(&(value == "true")),
        // Their text sorts as they do.
        Type::Time => text().cmp(&value.parse::<Time>().unwrap().to_string()),
        Type::Text => fold(text()).cmp(&fold(value)),
        Type::Counts => unreachable!("they have no order"),
    }
}

/// In upper case, where that is one unit for one, and ASCII for ASCII.
fn fold(text: &str) -> Vec<u16> {
    let upper = |letter: char| {
        let upper: Vec<char> = letter.to_uppercase().collect();
        match upper[..] {
            [upper] if [letter, upper].map(char::len_utf16) == [1, 1] => {
                if letter.is_ascii() == upper.is_ascii() {
                    upper
                } else {
                    letter
                }
            }
            _ => letter,
        }
    };
    text.chars()
        .map(upper)
        .collect::<String>()
        .encode_utf16()
        .collect()
}

fn matches(pattern: &[u16], text: &[u16]) -> bool {
    const ANY: u16 = b'*' as u16;
    const ONE: u16 = b'?' as u16;
    // Which of the ends of `text` a pattern up to here can reach.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match *wanted {
                ANY => reached[..=at].contains(&true),
                wanted => at > 0 && reached[at - 1] && [ONE, text[at - 1]].contains(&wanted),
            };
        }
        reached = next;
    }
    reached[text.len()]
}
