//! Patterns of image names.

/// Is `image` one of those that `pattern` names, by the rules of
/// [`ntwatch_protocol::configure::Clause::Image`]?
pub(super) fn names(pattern: &str, image: &str) -> bool {
    const SEPARATORS: [char; 2] = ['\\', '/'];
    let image = if pattern.contains(SEPARATORS) {
        image
    } else {
        image.rsplit(SEPARATORS).next().unwrap_or(image)
    };
    let fold = |text: &str| {
        text.chars()
            .flat_map(char::to_uppercase)
            .collect::<Vec<_>>()
    };
    matches(&fold(pattern), &fold(image))
}

/// Each `*` first takes nothing; on a mismatch the last one takes a character more.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (Some('*'), _) => {
                p += 1;
                last_star = Some((p, t));
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if *wanted == '?' || wanted == found => {
                p += 1;
                t += 1;
            }
            _ => match &mut last_star {
                Some((after, taken)) if *taken < text.len() => {
                    *taken += 1;
                    (p, t) = (*after, *taken);
                }
                _ => return false,
            },
        }
    }
}
