//! The commands of `ntwatch`.

/// All of them, as `ntwatch man` takes them.
pub(crate) const ALL: &[&[&str]] = &[
    &[],
    &["watch"],
    &["record"],
    &["show"],
    &["convert"],
    &["stats"],
    &["status"],
    &["protect"],
    &["protect", "add"],
    &["protect", "list"],
    &["protect", "remove"],
    &["completions"],
    &["man"],
];

/// Those that want a driver, with words that they take.
pub(crate) const WANTING_A_DRIVER: &[&[&str]] = &[
    &["watch"],
    &["record", "-"],
    &["stats"],
    &["status"],
    &["protect", "add", "4", "--deny", "terminate"],
    &["protect", "list"],
    &["protect", "remove", "4"],
];
