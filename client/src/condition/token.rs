//! A condition's words and signs.

use super::check::Relation;
use super::error::ConditionError;
use std::borrow::Cow;
use std::ops::Range;

/// A word or a sign, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) is: Is<'a>,
    pub(super) at: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Is<'a> {
    /// Text without quotes.
    Word(&'a str),
    /// What was in quotes.
    Quoted(Cow<'a, str>),
    And,
    Or,
    Not,
    Open,
    Close,
    Comma,
    Bar,
    Ampersand,
    Relation(Relation),
    Like,
    Unlike,
    End,
}

/// Signs, the longest first.
const SIGNS: [(&str, Is<'static>); 17] = [
    ("&&", Is::And),
    ("||", Is::Or),
    ("==", Is::Relation(Relation::Equal)),
    ("!=", Is::Relation(Relation::NotEqual)),
    ("<=", Is::Relation(Relation::AtMost)),
    (">=", Is::Relation(Relation::AtLeast)),
    ("!~", Is::Unlike),
    ("=~", Is::Like),
    ("<", Is::Relation(Relation::Less)),
    (">", Is::Relation(Relation::Greater)),
    ("~", Is::Like),
    ("!", Is::Not),
    ("(", Is::Open),
    (")", Is::Close),
    (",", Is::Comma),
    ("|", Is::Bar),
    ("&", Is::Ampersand),
];

/// Can this be in a word?
fn is_plain(letter: char) -> bool {
    !letter.is_whitespace() && !r#"'"=!<>~&|(),"#.contains(letter)
}

/// The next word or sign at or after a place.
pub(super) fn next(text: &str, from: usize) -> Result<Token<'_>, ConditionError> {
    let rest = text[from..].trim_start();
    let start = text.len() - rest.len();
    let token = |is, length| Token {
        is,
        at: start..start + length,
    };
    let Some(first) = rest.chars().next() else {
        return Ok(token(Is::End, 0));
    };
    if first == '\'' || first == '"' {
        return quoted(rest, first)
            .map(|(inner, length)| token(Is::Quoted(inner), length))
            .ok_or_else(|| {
                let what = format!("the quote {first} is never closed");
                ConditionError::new(what, text, &(start..start + 1))
            });
    }
    if let Some((sign, is)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
        return Ok(token(is.clone(), sign.len()));
    }
    let length = rest.find(|letter| !is_plain(letter)).unwrap_or(rest.len());
    if length == 0 {
        let what = "`=` alone compares nothing; `==` does";
        return Err(ConditionError::new(what, text, &(start..start + 1)));
    }
    Ok(token(keyword(&rest[..length]), length))
}

fn keyword(word: &str) -> Is<'_> {
    let is = |name| word.eq_ignore_ascii_case(name);
    match word {
        _ if is("and") => Is::And,
        _ if is("or") => Is::Or,
        _ if is("not") => Is::Not,
        _ => Is::Word(word),
    }
}

/// What is in the quotes that a text begins with, and its length with them.
fn quoted(text: &str, quote: char) -> Option<(Cow<'_, str>, usize)> {
    let mut doubled = false;
    let mut from = 1;
    loop {
        let end = from + text[from..].find(quote)?;
        if !text[end + 1..].starts_with(quote) {
            let inner = &text[1..end];
            let inner = match doubled {
                true => inner
                    .replace(&String::from_iter([quote, quote]), &quote.to_string())
                    .into(),
                false => inner.into(),
            };
            return Some((inner, end + 1));
        }
        doubled = true;
        from = end + 2;
    }
}

/// A text as it is written in a condition: in quotes if it has to be.
pub(super) fn written(text: &str) -> Cow<'_, str> {
    let plain = !text.is_empty() && text.chars().all(is_plain);
    if plain && matches!(keyword(text), Is::Word(_)) {
        text.into()
    } else {
        format!("'{}'", text.replace('\'', "''")).into()
    }
}
