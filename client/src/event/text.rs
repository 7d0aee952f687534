//! Values that are text in JSON: written with `Display`, read with `FromStr`.

use serde::de::{Deserializer, Error, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

/// A text that stands for no such value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither one of the words for it nor a number, 0x…")]
pub struct Unknown;

/// A number, `0x…`.
pub(super) fn hex<T: TryFrom<u64>>(text: &str) -> Result<T, Unknown> {
    let digits = text.strip_prefix("0x").ok_or(Unknown)?;
    // `from_str_radix` would take a sign, too.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Unknown);
    }
    let number = u64::from_str_radix(digits, 16).map_err(|_| Unknown)?;
    number.try_into().map_err(|_| Unknown)
}

/// The word for a number, or the number.
pub(super) fn name(words: &[&'static str], number: u32) -> Cow<'static, str> {
    match words.get(number as usize) {
        Some(word) => (*word).into(),
        None => numbered(number),
    }
}

/// What stands for a number that has no word.
pub(super) fn numbered(number: impl fmt::LowerHex) -> Cow<'static, str> {
    format!("{number:#x}").into()
}

/// The number that [`name`] has named.
pub(super) fn number(words: &[&str], text: &str) -> Result<u32, Unknown> {
    match (0..).zip(words).find(|(_, word)| **word == text) {
        Some((number, _)) => Ok(number),
        None => hex(text),
    }
}

/// Reads a value from text.
pub(crate) fn read<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse()
                .map_err(|error| E::custom(format_args!("{text:?}: {error}")))
        }
    }

    deserializer.deserialize_str(Text(PhantomData))
}

/// Has a type be text in JSON: the one that a method of its gives.
macro_rules! in_json {
    ($type:ty, $text:ident) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.$text())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::event::text::read(deserializer)
            }
        }
    };
}
pub(super) use in_json;
