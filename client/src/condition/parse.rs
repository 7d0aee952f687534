//! From text to a condition: recursive descent, whose depth is bounded.

use super::Node;
use super::check::{Check, Literal, Pattern, Right, Scalar, Test, Text, Wanted};
use super::error::ConditionError;
use super::token::{self, Is, Token};
use crate::event::words::Words;
use crate::field::{Field, Type};
use crate::filter::pattern::upper;
use crate::rights;
use crate::similar::similar;
use std::ops::Range;

/// Parentheses and `not`s around a comparison at most.
const DEEPEST: usize = 64;

pub(super) fn parse(text: &str) -> Result<Node, ConditionError> {
    let mut parser = Parser {
        text,
        next: token::next(text, 0)?,
        depth: 0,
    };
    let node = parser.any()?;
    match parser.next.is {
        Is::End => Ok(node),
        Is::Close => Err(parser.wrong("no parenthesis is open here")),
        _ => Err(parser.wrong("`and`, `or` or the end is wanted here; text with blanks is quoted")),
    }
}

struct Parser<'a> {
    text: &'a str,
    next: Token<'a>,
    depth: usize,
}

type Parsed<T> = Result<T, ConditionError>;

impl<'a> Parser<'a> {
    fn any(&mut self) -> Parsed<Node> {
        self.joined(&Is::Or, Self::all, Node::Any)
    }

    fn all(&mut self) -> Parsed<Node> {
        self.joined(&Is::And, Self::one, Node::All)
    }

    /// One or more with a sign between them.
    fn joined(
        &mut self,
        sign: &Is<'_>,
        part: fn(&mut Self) -> Parsed<Node>,
        join: fn(Vec<Node>) -> Node,
    ) -> Parsed<Node> {
        let first = part(self)?;
        if self.next.is != *sign {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.takes(sign)? {
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn one(&mut self) -> Parsed<Node> {
        let at = self.next.at.clone();
        let is_not = self.takes(&Is::Not)?;
        if !is_not && !self.takes(&Is::Open)? {
            return self.test().map(Node::Test);
        }
        if self.depth == DEEPEST {
            let what = format!("more than {DEEPEST} conditions lie in one another here");
            return Err(self.wrong_at(what, &at));
        }
        self.depth += 1;
        let node = if is_not {
            Node::Not(Box::new(self.one()?))
        } else {
            let inner = self.any()?;
            if self.next.is == Is::End {
                return Err(self.wrong_at("this parenthesis is never closed", &at));
            }
            self.expect(&Is::Close, "`and`, `or` or `)`")?;
            inner
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Parsed<Test> {
        let Is::Word(name) = self.next.is else {
            return Err(self.wrong("a fact is wanted here, such as `process.image`"));
        };
        let field = Field::named(name).ok_or_else(|| {
            let like = Field::like(name);
            let what = format!("there is no fact `{name}`{}", do_you_mean(&like));
            self.wrong(what)
        })?;
        self.advance()?;
        let check = self.check(field)?;
        Ok(Test { field, check })
    }

    fn check(&mut self, field: &'static Field) -> Parsed<Check> {
        let sign = self.next.clone();
        match sign.is {
            Is::Relation(relation) => {
                if relation.is_order()
                    && !matches!(field.kind, Type::Number | Type::Hex | Type::Time)
                {
                    let what = format!("`{}` has no order; `==` and `!=` compare it", field.name);
                    return Err(self.wrong(what));
                }
                self.advance()?;
                Ok(Check::Is(relation, self.literal(field)?))
            }
            Is::Like | Is::Unlike => {
                self.text_alone(field)?;
                self.advance()?;
                let text = self.text("a pattern")?;
                let of_path = field.is_path();
                let pattern = Pattern { text, of_path };
                Ok(match sign.is {
                    Is::Like => Check::Like(pattern),
                    _ => Check::Unlike(pattern),
                })
            }
            Is::Word(word) if word.eq_ignore_ascii_case("exists") => {
                self.advance()?;
                Ok(Check::Exists)
            }
            Is::Word(word) if word.eq_ignore_ascii_case("contains") => {
                self.text_alone(field)?;
                self.advance()?;
                Ok(Check::Contains(self.text("text")?))
            }
            Is::Word(word) if word.eq_ignore_ascii_case("in") => {
                self.advance()?;
                self.expect(&Is::Open, "`(`")?;
                let mut literals = vec![self.literal(field)?];
                while self.takes(&Is::Comma)? {
                    literals.push(self.literal(field)?);
                }
                self.expect(&Is::Close, "`,` or `)`")?;
                Ok(Check::In(literals))
            }
            Is::Word(word) if word.eq_ignore_ascii_case("has") => {
                if !field.is_access() {
                    let what = format!(
                        "`{}` is no mask of rights, as `access.granted` is",
                        field.name
                    );
                    return Err(self.wrong(what));
                }
                self.advance()?;
                self.rights()
            }
            _ => Err(self.wrong(match field.kind {
                Type::Bool => format!("a comparison is wanted here: `{} == true`", field.name),
                Type::Text => "a comparison is wanted here, such as `==`, `~` or `exists`".into(),
                _ => "a comparison is wanted here, such as `==`, `>=` or `exists`".into(),
            })),
        }
    }

    /// Patterns and parts are of text.
    fn text_alone(&self, field: &Field) -> Parsed<()> {
        match field.kind {
            Type::Text => Ok(()),
            _ => Err(self.wrong(format!("`{}` is no text; `==` compares it", field.name))),
        }
    }

    fn text(&mut self, what: &str) -> Parsed<Text> {
        let (written, at) = self.value()?;
        if written.is_empty() {
            return Err(self.wrong_at(format!("{what} is wanted here, and this is empty"), &at));
        }
        let upper = upper(&written);
        Ok(Text { written, upper })
    }

    /// A value of the field's type.
    fn literal(&mut self, field: &Field) -> Parsed<Literal> {
        let (written, at) = self.value()?;
        let wrong = |such: &str| {
            let what = format!("`{}` is {such}, and `{written}` is none", field.name);
            self.wrong_at(what, &at)
        };
        let value = match field.kind {
            Type::Number | Type::Hex => {
                let number = number(&written).ok_or_else(|| wrong("a number such as 4711 or 0x1f"));
                Scalar::Number(number?)
            }
            Type::Bool => match &*written.to_ascii_lowercase() {
                "true" => Scalar::Bool(true),
                "false" => Scalar::Bool(false),
                _ => return Err(wrong("`true` or `false`")),
            },
            Type::Time => {
                let time = written.parse();
                Scalar::Time(time.map_err(|_| wrong("a time such as 2026-11-22T03:03:27Z"))?)
            }
            Type::Text => {
                if let Some(words) = Words::of(field.name) {
                    self.check_word(&written, &words, field, &at)?;
                }
                let upper = upper(&written);
                let written = written.clone();
                Scalar::Text(Text { written, upper })
            }
            Type::Counts => {
                let what = format!(
                    "`{}` is a number for each kind; ask if it `exists`",
                    field.name
                );
                return Err(self.wrong_at(what, &at));
            }
        };
        Ok(Literal { written, value })
    }

    fn check_word(
        &self,
        word: &str,
        words: &Words,
        field: &Field,
        at: &Range<usize>,
    ) -> Parsed<()> {
        let is_number = || words.or_number && word.starts_with("0x") && number(word).is_some();
        let mut known = words.words.iter();
        if known.any(|known| known.eq_ignore_ascii_case(word)) || is_number() {
            return Ok(());
        }
        let like = match similar(word, words.words.iter().copied()) {
            like if like.is_empty() => format!("; it is one of {}", words.words.join(", ")),
            like => do_you_mean(&like),
        };
        let what = format!("`{}` is never `{word}`{like}", field.name);
        Err(self.wrong_at(what, at))
    }

    fn rights(&mut self) -> Parsed<Check> {
        let mut rights = vec![self.right()?];
        let (sign, wanted) = match self.next.is {
            Is::Ampersand => (Is::Ampersand, Wanted::All),
            _ => (Is::Bar, Wanted::One),
        };
        while self.takes(&sign)? {
            rights.push(self.right()?);
        }
        if matches!(self.next.is, Is::Bar | Is::Ampersand) {
            return Err(self.wrong("one of some rights (`|`) or all of them (`&`), not both"));
        }
        Ok(Check::Has(wanted, rights))
    }

    fn right(&mut self) -> Parsed<Right> {
        let (written, at) = self.value()?;
        let rights = rights::right(&written).map_err(|_| {
            let like = similar(&written.replace('-', "_"), rights::names());
            self.wrong_at(
                format!("there is no right `{written}`{}", do_you_mean(&like)),
                &at,
            )
        })?;
        if rights.is_empty() {
            return Err(self.wrong_at("no right at all is in every mask", &at));
        }
        Ok(Right { written, rights })
    }

    /// A word, or text in quotes.
    fn value(&mut self) -> Parsed<(String, Range<usize>)> {
        let text = match &self.next.is {
            Is::Word(word) => (*word).to_owned(),
            Is::Quoted(text) => text.clone().into_owned(),
            _ => return Err(self.wrong("a value is wanted here")),
        };
        let at = self.next.at.clone();
        self.advance()?;
        Ok((text, at))
    }

    fn advance(&mut self) -> Parsed<()> {
        self.next = token::next(self.text, self.next.at.end)?;
        Ok(())
    }

    fn takes(&mut self, sign: &Is<'_>) -> Parsed<bool> {
        let is_next = self.next.is == *sign;
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, sign: &Is<'_>, name: &str) -> Parsed<()> {
        match self.takes(sign)? {
            true => Ok(()),
            false => Err(self.wrong(format!("{name} is wanted here"))),
        }
    }

    /// An error at what comes next.
    fn wrong(&self, what: impl Into<String>) -> ConditionError {
        self.wrong_at(what, &self.next.at)
    }

    fn wrong_at(&self, what: impl Into<String>, at: &Range<usize>) -> ConditionError {
        ConditionError::new(what, self.text, at)
    }
}

/// In decimal, or `0x…`.
fn number(text: &str) -> Option<u64> {
    // `from_str_radix` would take a sign, too.
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let is_number = digits.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| u64::from_str_radix(digits, radix).ok())?
}

fn do_you_mean(like: &[&str]) -> String {
    match like {
        [] => String::new(),
        like => format!("; do you mean `{}`?", like.join("`, `")),
    }
}
