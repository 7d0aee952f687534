//! Programs, and the words that they are started with.

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::process::Command;

/// A program with these words, in which `{d83d}` is a unit of UTF-16.
pub(crate) fn command(program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words.iter().map(|word| units(word)));
    command
}

fn units(word: &str) -> OsString {
    let mut units = Vec::new();
    let mut rest = word;
    while let Some(next) = rest.chars().next() {
        rest = match unit(rest) {
            Some((unit, after)) => {
                units.push(unit);
                after
            }
            None => {
                units.extend_from_slice(next.encode_utf16(&mut [0; 2]));
                &rest[next.len_utf8()..]
            }
        };
    }
    OsString::from_wide(&units)
}

/// The unit that text begins with, and what comes after it.
fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, after) = text.strip_prefix('{')?.split_once('}')?;
    let unit = (digits.len() == 4).then(|| u16::from_str_radix(digits, 16).ok())?;
    unit.map(|unit| (unit, after))
}
