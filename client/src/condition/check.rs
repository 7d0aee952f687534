//! A single comparison: whether a fact is such.

use super::token::written;
use crate::event::{Body, Event, TargetType};
use crate::field::{Field, Value};
use crate::filter::pattern::upcase;
use crate::rights::Rights;
use crate::time::Time;
use ntwatch_protocol::pattern;
use std::cmp::Ordering;
use std::fmt;

/// What is asked of a fact.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) field: &'static Field,
    pub(super) check: Check,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Check {
    Exists,
    Is(Relation, Literal),
    In(Vec<Literal>),
    Like(Pattern),
    Unlike(Pattern),
    Contains(Text),
    Has(Wanted, Vec<Right>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A value, and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literal {
    pub(super) written: String,
    pub(super) value: Scalar,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Number(u64),
    Bool(bool),
    Time(Time),
    Text(Text),
}

/// Text whose case does not count: its units in upper case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    pub(super) written: String,
    pub(super) upper: Vec<u16>,
}

/// A pattern with `*` and `?`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    pub(super) text: Text,
    /// Is it held against a path?
    pub(super) of_path: bool,
}

/// How many of some rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    One,
    All,
}

/// A right by name, or bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Right {
    pub(super) written: String,
    pub(super) rights: Rights,
}

impl Test {
    pub(super) fn holds(&self, event: &Event) -> bool {
        let Some(fact) = self.field.of(event) else {
            return false;
        };
        match (&self.check, &event.body) {
            (Check::Has(wanted, rights), Body::HandleOpen(open)) => match fact {
                Value::Number(mask) => has(*wanted, rights, open.target.kind, mask),
                _ => false,
            },
            (check, _) => check.holds(&fact),
        }
    }
}

impl Check {
    /// Is a fact that is known such? Of rights it takes an event to say.
    pub(super) fn holds(&self, fact: &Value<'_>) -> bool {
        match self {
            Self::Exists => true,
            Self::Is(relation, literal) => relation.holds(literal.compare(fact)),
            Self::In(literals) => {
                let mut literals = literals.iter();
                literals.any(|literal| literal.compare(fact) == Some(Ordering::Equal))
            }
            Self::Like(pattern) => text_of(fact).is_some_and(|text| pattern.names(text)),
            Self::Unlike(pattern) => text_of(fact).is_some_and(|text| !pattern.names(text)),
            Self::Contains(part) => text_of(fact).is_some_and(|text| part.is_in(text)),
            Self::Has(..) => false,
        }
    }
}

fn text_of<'f>(fact: &'f Value<'_>) -> Option<&'f str> {
    match fact {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn has(wanted: Wanted, rights: &[Right], of: TargetType, mask: u64) -> bool {
    let is_there = |right: &Right| {
        let bits = u64::from(right.bits(of));
        bits != 0 && mask & bits == bits
    };
    match wanted {
        Wanted::One => rights.iter().any(is_there),
        Wanted::All => rights.iter().all(is_there),
    }
}

impl Right {
    /// Its bits in the mask of a handle to such an object.
    pub(super) const fn bits(&self, of: TargetType) -> u32 {
        match of {
            TargetType::Process => self.rights.process,
            TargetType::Thread => self.rights.thread,
        }
    }
}

impl Relation {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        ordering.is_some_and(|ordering| match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        })
    }

    /// Does it ask for an order, and not just whether two are the same?
    pub(super) const fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Literal {
    /// How the fact stands to the value; `None` where types differ.
    fn compare(&self, fact: &Value<'_>) -> Option<Ordering> {
        Some(match (fact, &self.value) {
            (Value::Number(fact) | Value::Hex(fact), Scalar::Number(value)) => fact.cmp(value),
            (Value::Bool(fact), Scalar::Bool(value)) => fact.cmp(value),
            (Value::Time(fact), Scalar::Time(value)) => fact.cmp(value),
            (Value::Text(fact), Scalar::Text(value)) => {
                units(fact).cmp(value.upper.iter().copied())
            }
            _ => return None,
        })
    }
}

impl Text {
    /// Is it a part of that text?
    fn is_in(&self, text: &str) -> bool {
        let mut rest = units(text);
        loop {
            let mut ahead = rest.clone();
            if self.upper.iter().all(|unit| ahead.next() == Some(*unit)) {
                return true;
            }
            if rest.next().is_none() {
                return false;
            }
        }
    }
}

impl Pattern {
    fn names(&self, text: &str) -> bool {
        let (pattern, text) = (&self.text.upper, text.encode_utf16());
        match self.of_path {
            true => pattern::names(pattern, text, upcase),
            false => pattern::matches(pattern, text, upcase),
        }
    }
}

/// The units of a text in upper case.
fn units(text: &str) -> impl Iterator<Item = u16> + Clone + '_ {
    text.encode_utf16().map(upcase)
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, check } = self;
        let name = field.name;
        match check {
            Check::Exists => write!(f, "{name} exists"),
            Check::Is(relation, literal) => write!(f, "{name} {relation} {literal}"),
            Check::In(literals) => {
                let literals: Vec<_> = literals.iter().map(ToString::to_string).collect();
                write!(f, "{name} in ({})", literals.join(", "))
            }
            Check::Like(pattern) => write!(f, "{name} ~ {}", pattern.text),
            Check::Unlike(pattern) => write!(f, "{name} !~ {}", pattern.text),
            Check::Contains(text) => write!(f, "{name} contains {text}"),
            Check::Has(wanted, rights) => {
                let rights: Vec<_> = rights.iter().map(|right| written(&right.written)).collect();
                let between = match wanted {
                    Wanted::One => "|",
                    Wanted::All => "&",
                };
                write!(f, "{name} has {}", rights.join(between))
            }
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.written))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.written))
    }
}
