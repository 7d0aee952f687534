//! Image patterns, as [`Clause::Image`](crate::configure::Clause::Image) has them: the one meaning
//! that driver and clients give them.

const BACKSLASH: u16 = b'\\' as u16;
const SLASH: u16 = b'/' as u16;
const ANY_TEXT: u16 = b'*' as u16;
const ANY_UNIT: u16 = b'?' as u16;

/// Is `image`, in UTF-16 units, one of those that `pattern` names? `pattern` is in upper case
/// already, as `upcase` has it.
///
/// At most pattern × image steps. `upcase` may be called many times for a unit.
pub fn names(
    pattern: &[u16],
    image: impl Iterator<Item = u16> + Clone,
    upcase: impl Fn(u16) -> u16,
) -> bool {
    match pattern.iter().any(|unit| is_separator(*unit)) {
        true => matches(pattern, image, upcase),
        false => matches(pattern, last_part(image), upcase),
    }
}

/// N.B. The image of a WSL process is a Linux path.
const fn is_separator(unit: u16) -> bool {
    unit == BACKSLASH || unit == SLASH
}

/// What follows the last separator.
fn last_part<I: Iterator<Item = u16> + Clone>(path: I) -> I {
    let mut last = path.clone();
    let mut rest = path;
    while let Some(unit) = rest.next() {
        if is_separator(unit) {
            last = rest.clone();
        }
    }
    last
}

/// Is `text`, which need be no path, such as a whole? Otherwise as [`names`].
// Each `*` first takes nothing; on a mismatch the last one takes a unit more. No recursion.
pub fn matches(
    pattern: &[u16],
    text: impl Iterator<Item = u16> + Clone,
    upcase: impl Fn(u16) -> u16,
) -> bool {
    let mut pattern = pattern.iter().copied();
    let mut text = text;
    let mut last_star = None;
    loop {
        let mut next_pattern = pattern.clone();
        let mut next_text = text.clone();
        match (next_pattern.next(), next_text.next()) {
            (Some(ANY_TEXT), _) => {
                pattern = next_pattern;
                last_star = Some((pattern.clone(), text.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(unit)) if wanted == ANY_UNIT || wanted == upcase(unit) => {
                pattern = next_pattern;
                text = next_text;
                continue;
            }
            _ => {}
        }
        let Some((after_star, rest)) = &mut last_star else {
            return false;
        };
        if rest.next().is_none() {
            return false;
        }
        pattern = after_star.clone();
        text = rest.clone();
    }
}
