//! What people type, where no driver is.

use ntwatch_wine_check::{Wine, output, text};

/// Checks how it ends, that all of this is said on standard error, and nothing on standard output.
fn assert_fails(words: &[&str], code: i32, said: &[&str]) {
    let output = Wine::get().ntwatch(words);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
    assert_eq!(text(&output.stdout), "", "{words:?}");
    for word in said {
        assert!(
            errors.contains(word),
            "not a word of {word:?} in:\n{errors}"
        );
    }
}

#[test]
fn a_driver_that_is_not_there_is_named_and_what_to_do() {
    for words in [
        &["status"][..],
        &["stats"],
        &["watch"],
        &["record", r"C:\never.jsonl"],
        &["protect", "list"],
    ] {
        assert_fails(words, 3, &[r"cannot open \\.\ntwatch", "`ntwatch start`"]);
    }
}

#[test]
fn a_machine_of_the_lab_cannot_be_had_there() {
    assert_fails(
        &["--device", "unix:/tmp/n.sock", "status"],
        3,
        &["unix:/tmp/n.sock"],
    );
}

#[test]
fn wrong_words_are_pointed_at() {
    assert_fails(
        &["watch", "--where", "process.imgae ~ x"],
        2,
        &["process.imgae", "^^^"],
    );
    assert_fails(&["show"], 2, &["<FILE>"]);
    assert_fails(
        &["show", r"C:\no such file.jsonl"],
        1,
        &[r"C:\no such file.jsonl", "os error 2"],
    );
}

/// N.B. They name no file on Wine 8, which has none of such a name; Windows may.
#[test]
fn words_may_be_what_no_text_is() {
    let wine = Wine::get();
    for (words, code, said) in [
        (
            &["show", r"C:\{d83d}.jsonl"][..],
            1,
            "cannot open C:\\\u{fffd}.jsonl",
        ),
        (&["show", "--co{dc00}unt", "5"], 2, "'--co\u{fffd}unt'"),
        (&["show", "--where", "{d83d}", "x"], 2, "invalid UTF-8"),
        (&["sh{d83d}ow"], 2, "'sh\u{fffd}ow'"),
    ] {
        let output = output(&mut wine.by_hand(&["run"], words));
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
        assert!(
            errors.contains(said),
            "not a word of {said:?} in:\n{errors}"
        );
    }
}

#[test]
fn it_tells_its_version_and_how_it_is_used() {
    let wine = Wine::get();
    for (words, said) in [
        (&["--version"][..], "ntwatch "),
        (&["watch", "--help"], "Usage: ntwatch"),
    ] {
        let output = wine.ntwatch(words);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(
            text(&output.stdout).contains(said),
            "{}",
            text(&output.stdout)
        );
    }
}

#[test]
fn the_windows_there_is_the_oldest_that_ntwatch_is_for() {
    let version = Wine::get().run(&["cmd", "/c", "ver"]);
    let version = text(&version.stdout);
    assert!(version.contains("Microsoft Windows 10."), "{version}");
}
