//! Sysmon's fields, as whatever exported them wrote them: numbers as text, GUIDs in braces or
//! not, a dash for nothing.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// A scalar of JSON as text; `None` for null, and for anything that is not a scalar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text, unless it is one of the ways to say that there is none.
    pub(super) fn known(&self) -> Option<&str> {
        let text = self.0.as_deref()?;
        let nothing = ["", "-", "<unknown process>", "&lt;unknown process&gt;"];
        (!nothing.contains(&text)).then_some(text)
    }

    /// A number, in decimal or with `0x`.
    pub(super) fn number(&self) -> Option<u64> {
        let text = self.known()?;
        match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    pub(super) fn guid(&self) -> Option<Guid> {
        Guid::parse(self.known()?)
    }

    /// `2020-10-09 22:27:49.175`, in UTC, as NT time.
    pub(super) fn time(&self) -> Option<i64> {
        let time = PrimitiveDateTime::parse(self.known()?, UTC_TIME).ok()?;
        let ticks = i64::try_from(time.assume_utc().unix_timestamp_nanos() / 100).ok()?;
        ticks.checked_add(UNIX_EPOCH)
    }
}

/// How Sysmon writes a time.
const UTC_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]]");

/// 1970 in 100 ns units since 1601.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// What tells processes apart in a recording. Sysmon makes it of facts: four bytes of the
/// machine, the time of creation in seconds since 1970, and the start key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Guid {
    machine: u32,
    seconds: u32,
    key: u64,
}

impl Guid {
    /// `{42c2e005-e3e5-5f80-2e08-000000000400}`, braces or not. `None` also for the GUID of all
    /// zeros, by which Sysmon says that it knows none.
    fn parse(text: &str) -> Option<Guid> {
        let text = text.strip_prefix('{').unwrap_or(text);
        let text = text.strip_suffix('}').unwrap_or(text);
        let groups: Vec<&str> = text.split('-').collect();
        let [a, b, c, d, e] = groups[..] else {
            return None;
        };
        if ![8, 4, 4, 4, 12]
            .into_iter()
            .eq(groups.iter().map(|g| g.len()))
        {
            return None;
        }
        let hex = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let (machine, low, high) = (hex(a)? as u32, hex(b)? as u32, hex(c)? as u32);
        let guid = Guid {
            machine,
            seconds: high << 16 | low,
            // The last eight bytes are printed in the order they lie in memory.
            key: (hex(d)? << 48 | hex(e)?).swap_bytes(),
        };
        (guid.machine != 0 || guid.key != 0).then_some(guid)
    }

    /// The start key (page "PsGetProcessStartKey").
    pub(super) fn key(self) -> u64 {
        self.key
    }

    /// When the process was created, to the second, as NT time.
    pub(super) fn create_time(self) -> i64 {
        i64::from(self.seconds) * 10_000_000 + UNIX_EPOCH
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text.into()))))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(number.to_string()))))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        // evtx writes an element with attributes as {"#attributes": …, "#text": …}.
        let mut text = Text(None);
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == "#text" {
                text = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Text<'_> {
        Text(Some(Cow::Borrowed(text)))
    }

    #[test]
    fn a_guid_tells_the_start_key_and_the_second_of_creation() {
        let braced = text("{42c2e005-e3e5-5f80-2e08-000000000400}")
            .guid()
            .unwrap();
        assert_eq!(braced.key(), 4 << 48 | 0x82e);
        assert_eq!(
            Some(braced.create_time()),
            text("2020-10-09 22:27:49").time()
        );
        let plain = text("42C2E005-E3E5-5F80-2E08-000000000400").guid();
        assert_eq!(plain, Some(braced));
    }

    #[test]
    fn the_ways_to_say_nothing_are_nothing() {
        for nothing in ["", "-", "<unknown process>"] {
            assert_eq!(text(nothing).known(), None);
        }
        assert_eq!(text("{00000000-0000-0000-0000-000000000000}").guid(), None);
    }

    #[test]
    fn a_number_may_come_as_text_or_hexadecimal_or_with_attributes() {
        for json in [
            "8712",
            "\"8712\"",
            "\"0x2208\"",
            r##"{"#attributes":{"a":[1]},"#text":8712}"##,
        ] {
            let number: Text<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(number.number(), Some(8712), "{json}");
        }
    }

    #[test]
    fn a_time_keeps_its_milliseconds() {
        assert_eq!(text("1601-01-01 00:00:00.001").time(), Some(10_000));
    }

    proptest! {
        #[test]
        fn no_text_is_worse_than_unknown(rubbish: String) {
            let field = text(&rubbish);
            let _ = (field.guid(), field.number(), field.pid(), field.time());
        }
    }
}
