//! What somebody may have meant who wrote a word that there is not.

/// From 0, nothing alike, to 1; what is below is no misspelling.
const ALIKE: f64 = 0.6;
/// More would be a list and no hint.
const MOST: usize = 4;

/// Of the words that there are, those most like this one, the most like first.
pub(crate) fn similar<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Vec<&'w str> {
    let word = word.to_lowercase();
    let alike = known.map(|known| {
        let lower = known.to_lowercase();
        (strsim::normalized_damerau_levenshtein(&word, &lower), known)
    });
    let mut alike: Vec<_> = alike.filter(|(alike, _)| *alike >= ALIKE).collect();
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    alike
        .into_iter()
        .map(|(_, known)| known)
        .take(MOST)
        .collect()
}
