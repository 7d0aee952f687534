//! Patterns of image names, and text whose case does not count.

use ntwatch_protocol::pattern;

/// Is `image` one of those that `pattern` names, as the driver would have it?
pub(super) fn names(pattern: &str, image: &str) -> bool {
    pattern::names(&upper(pattern), image.encode_utf16(), upcase)
}

/// The units of a text in upper case.
pub(crate) fn upper(text: &str) -> Vec<u16> {
    text.encode_utf16().map(upcase).collect()
}

/// A unit for a unit, as Windows has it. N.B. Its table is not quite Unicode's.
pub(crate) fn upcase(unit: u16) -> u16 {
    if let Ok(ascii) = u8::try_from(unit)
        && ascii.is_ascii()
    {
        return ascii.to_ascii_uppercase().into();
    }
    let mut upper = char::from_u32(unit.into())
        .into_iter()
        .flat_map(char::to_uppercase);
    match (upper.next(), upper.next()) {
        // Windows makes no ASCII of other letters, such as the dotless i.
        (Some(only), None) if !only.is_ascii() => u16::try_from(u32::from(only)).unwrap_or(unit),
        _ => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_image_has_its_own_name_in_any_case_and_with_any_part_left_open(
            image in r"[a-zA-ZäÖßŒ .]{1,20}", from: prop::sample::Index, to: prop::sample::Index,
        ) {
            let letters: Vec<char> = image.chars().collect();
            let ends = [from, to].map(|end| end.index(letters.len() + 1));
            let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            let with = |middle: &str| {
                let part = |letters: &[char]| letters.iter().collect::<String>();
                [&part(&letters[..from]), middle, &part(&letters[to..])].concat()
            };
            prop_assert!(names(&image.to_lowercase(), &image));
            prop_assert!(names(&with("*"), &image));
            prop_assert!(names(&with(&"?".repeat(to - from)), &image));
            prop_assert!(!names(&with(&"?".repeat(to - from + 1)), &image));
        }
    }

    #[test]
    fn upper_case_has_as_many_units_as_lower_case() {
        assert!(names("straße.*", "STRAßE.EXE"));
        assert!(!names("straße.*", "STRASSE.EXE"));
        assert!(names("?ber", "ÜBER") && names("über", "ÜBER"));
        assert!(names("??.exe", "😀.exe"), "a pair of surrogates");
    }
}
