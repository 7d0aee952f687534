//! Patterns of image names.

use ntwatch_protocol::pattern;

/// Is `image` one of those that `pattern` names, as the driver would have it?
pub(super) fn names(pattern: &str, image: &str) -> bool {
    let upper: Vec<u16> = pattern.encode_utf16().map(upcase).collect();
    pattern::names(&upper, image.encode_utf16(), upcase)
}

/// A unit for a unit, as Windows has it. N.B. Its table is not quite Unicode's.
fn upcase(unit: u16) -> u16 {
    let mut upper = char::from_u32(unit.into())
        .into_iter()
        .flat_map(char::to_uppercase);
    match (upper.next(), upper.next()) {
        (Some(only), None) => u16::try_from(u32::from(only)).unwrap_or(unit),
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
