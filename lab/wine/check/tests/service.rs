//! The driver as a service, from `install` to `uninstall`.

use ntwatch_wine_check::{Wine, text};
use std::fs;

const KEY: &str = r"HKLM\System\CurrentControlSet\Services\ntwatch";
const FILE: &str = "windows/system32/drivers/ntwatch.sys";

/// Checks how `ntwatch.exe` ends with this word, and that it says so.
fn assert_ends(wine: &Wine, word: &str, code: i32, says: &str) {
    let output = wine.ntwatch(&[word]);
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{word}: {said}{errors}");
    let said = if code == 0 { said } else { errors };
    assert!(
        said.contains(says),
        "{word}: not a word of {says:?} in:\n{said}"
    );
}

/// Whether the service control manager, the registry and the disk know the driver: all or none.
fn is_there(wine: &Wine) -> bool {
    let registered = wine.run(&["reg", "query", KEY]).status.success();
    let known = wine.run(&["sc", "query", "ntwatch"]).status.success();
    let copied = wine.here(FILE).exists();
    assert_eq!((registered, copied), (known, known));
    known
}

#[test]
fn what_is_installed_is_all_there_and_what_is_uninstalled_leaves_nothing() {
    let wine = Wine::get();
    assert!(!is_there(&wine));
    for word in ["start", "stop", "uninstall"] {
        assert_ends(&wine, word, 3, "not installed; `ntwatch install`");
    }
    let none = wine.ntwatch(&["install", "--driver", r"C:\no such driver.sys"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains(r"cannot copy C:\no such driver.sys"));
    assert!(!is_there(&wine));
    assert_ends(&wine, "install", 0, "`ntwatch start`");
    assert!(is_there(&wine));
    let same = fs::read(wine.here(FILE)).unwrap() == fs::read(&wine.driver).unwrap();
    assert!(same, "it is the shipped file");
    let parameters = format!(r"{KEY}\Parameters");
    let told = wine.run(&["reg", "query", &parameters, "/v", "Altitude"]);
    let told = text(&told.stdout);
    assert!(told.contains("371250.94173"), "{told}");
    assert_ends(&wine, "install", 1, "`ntwatch uninstall` removes it");
    assert_ends(&wine, "stop", 0, "was not loaded");
    assert_ends(&wine, "uninstall", 0, "is uninstalled");
    assert!(!is_there(&wine));
    // And again.
    assert_ends(&wine, "install", 0, "`ntwatch start`");
    assert_ends(&wine, "uninstall", 0, "is uninstalled");
}
