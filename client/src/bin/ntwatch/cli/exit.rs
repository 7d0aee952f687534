//! What exit codes mean, as help and manual say it.

/// Each code that a command may end with.
pub(crate) const CODES: [(u8, &str); 6] = [
    (0, "done"),
    (1, "failed"),
    (2, "wrong words on the command line"),
    (3, "the driver is not there, or refused"),
    (4, "events were lost (with --fail-on-loss)"),
    (130, "a second Ctrl+C ended it at once"),
];

/// All of them in a sentence.
pub(crate) fn sentence() -> String {
    let codes = CODES.map(|(code, meaning)| format!("{code} {meaning}"));
    format!("Exit codes: {}.", codes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = include_str!("../../../../../README.md");

    #[test]
    fn the_readme_has_the_same_codes() {
        let (_, table) = README
            .split_once("| exit code | means |\n| --- | --- |\n")
            .unwrap();
        let rows = table.lines().map_while(|line| line.strip_prefix("| "));
        let told = rows.map(|row| row.split(' ').next().unwrap().to_owned());
        assert!(told.eq(CODES.map(|(code, _)| code.to_string())));
    }
}
