//! Build, test and show ntwatch.
fn main() {}
