//! The driver as a service, from `install` to `uninstall`.

use ntwatch_wine_check::{Client, Driver, Folder, Wine, assert_ends, output, wait};
use std::fs;

const KEY: &str = r"HKLM\System\CurrentControlSet\Services\ntwatch";
const FILE: &str = "windows/system32/drivers/ntwatch.sys";

/// Whether the service control manager, the registry and the disk know the driver: all or none.
fn is_there(wine: &Wine) -> bool {
    let registered = wine.run(&["reg", "query", KEY]).status.success();
    let asked = wine.run(&["sc", "query", "ntwatch"]);
    let known = asked.status.success();
    let copied = wine.here(FILE).exists();
    assert_eq!((registered, copied), (known, known), "{asked:?}");
    known
}

/// Has somebody else make the service, of this image.
fn create(wine: &Wine, image: &str) {
    let create = ["sc", "create", "ntwatch", "type=", "kernel", "start="];
    let output = wine.run(&[&create[..], &["demand", "binpath=", image]].concat());
    assert!(output.status.success(), "{output:?}");
}

/// A folder with the program, and with nothing to install.
fn program(wine: &Wine, name: &str) -> Folder {
    let folder = wine.folder(name);
    let from = wine.here("ntwatch/ntwatch.exe");
    fs::copy(from, folder.here().join("ntwatch.exe")).expect("the program is there");
    folder
}

#[test]
fn what_is_installed_is_all_there_and_what_is_uninstalled_leaves_nothing() {
    let wine = Wine::get();
    let ends = |word, code, says: &[&str]| assert_ends(&wine.ntwatch(&[word]), code, says);
    assert!(!is_there(&wine));
    for word in ["start", "stop", "uninstall"] {
        ends(word, 3, &["not installed; `ntwatch install`"]);
    }
    let by = [
        "by the service control manager",
        "no ntwatch.inf",
        "`ntwatch start`",
    ];
    ends("install", 0, &by);
    assert!(is_there(&wine));
    let same = fs::read(wine.here(FILE)).unwrap() == fs::read(&wine.driver).unwrap();
    assert!(same, "it is the shipped file");
    let parameters = format!(r"{KEY}\Parameters");
    let told = wine.run(&["reg", "query", &parameters, "/v", "Altitude"]);
    assert_ends(&told, 0, &["371250.94173"]);
    ends("install", 1, &["`ntwatch uninstall` removes it"]);
    ends("stop", 0, &["was not loaded"]);
    ends("uninstall", 0, &["is uninstalled"]);
    assert!(!is_there(&wine));
    // And again.
    ends("install", 0, &["`ntwatch start`"]);
    ends("uninstall", 0, &["is uninstalled"]);
    assert!(!is_there(&wine));
}

#[test]
fn what_takes_an_administrator_is_refused_before_anything_is_changed() {
    let wine = Wine::get();
    let refused = |word: &str, says| {
        let output = output(&mut wine.by_hand(&["unelevated"], &[word]));
        let says = [says, "takes an administrator", "\"Run as administrator\""];
        assert_ends(&output, 3, &says);
    };
    refused("install", "cannot install the driver");
    assert!(!is_there(&wine));
    assert_ends(&wine.ntwatch(&["install"]), 0, &["`ntwatch start`"]);
    refused("uninstall", "cannot uninstall the driver");
    assert!(is_there(&wine));
    assert_ends(&wine.ntwatch(&["uninstall"]), 0, &["is uninstalled"]);
}

#[test]
fn what_is_not_there_is_not_installed() {
    let wine = Wine::get();
    let folder = program(&wine, "bare");
    let exe = folder.there("ntwatch.exe");
    let output = wine.run(&[&exe, "install"]);
    assert_ends(
        &output,
        1,
        &["ntwatch.inf", "ntwatch.sys", r"in C:\bare;", "--package"],
    );
    for (word, says) in [("--driver", "cannot copy"), ("--package", "cannot find")] {
        let output = wine.run(&[&exe, "install", word, r"C:\no such file"]);
        assert_ends(&output, 1, &[says, r"C:\no such file"]);
    }
    let both = wine.run(&[&exe, "install", "--package", "a.inf", "--driver", "b.sys"]);
    assert_ends(&both, 2, &["cannot be used with"]);
    assert!(!is_there(&wine));
}

/// Wine says that it took the package, and did nothing.
#[test]
fn a_package_that_no_service_comes_of_is_left_for_the_service_control_manager() {
    let wine = Wine::get();
    let folder = program(&wine, "package");
    let inf = folder.here().join("ntwatch.inf");
    fs::write(inf, include_str!("../../../../../inf/ntwatch.inx")).unwrap();
    let exe = folder.there("ntwatch.exe");
    let output = wine.run(&[&exe, "install"]);
    assert_ends(&output, 1, &[r"cannot copy C:\package\ntwatch.sys"]);
    assert!(!is_there(&wine));

    fs::copy(&wine.driver, folder.here().join("ntwatch.sys")).unwrap();
    let named = folder.there("ntwatch.inf");
    for words in [&["install"][..], &["install", "--package", &named]] {
        let output = wine.run(&[&[&*exe], words].concat());
        let by = "by the service control manager, as this Windows took the package";
        let why = format!("{named} and made no service of it");
        // Nor has it what takes it back.
        let stays = "whether the package is still in the driver store";
        assert_ends(&output, 0, &[by, &why, stays]);
        assert!(is_there(&wine));
        assert_ends(&wine.run(&[&exe, "uninstall"]), 0, &["is uninstalled"]);
        assert!(!is_there(&wine));
    }
    let file = folder.there("ntwatch.sys");
    let output = wine.run(&[&exe, "install", "--driver", &file]);
    assert_ends(&output, 0, &["--driver names a file without a package"]);
    assert_ends(&wine.run(&[&exe, "uninstall"]), 0, &["is uninstalled"]);
    assert!(!is_there(&wine));
}

#[test]
fn a_file_that_somebody_else_put_somewhere_stays_there() {
    let wine = Wine::get();
    let folder = wine.folder("elsewhere");
    let here = folder.here().join("ntwatch.sys");
    fs::copy(&wine.driver, &here).unwrap();
    create(&wine, &folder.there("ntwatch.sys"));
    let stays = r"C:\elsewhere\ntwatch.sys is still there";
    assert_ends(&wine.ntwatch(&["uninstall"]), 0, &["is uninstalled", stays]);
    assert!(here.exists());
    assert!(!is_there(&wine));
}

/// Wine has no driver store, and nothing that would remove a package from it.
#[test]
fn a_driver_in_the_store_is_its_packages_to_remove() {
    let wine = Wine::get();
    let store = r"System32\DriverStore\FileRepository\ntwatch.inf_amd64_0123456789abcdef";
    create(&wine, &format!(r"\SystemRoot\{store}\ntwatch.sys"));
    let inf = format!(r"{store}\ntwatch.inf");
    let output = wine.ntwatch(&["uninstall"]);
    assert_ends(&output, 1, &["this Windows lacks", &inf, "pnputil"]);
    assert!(
        wine.run(&["sc", "query", "ntwatch"]).status.success(),
        "it stays"
    );
    let deleted = wine.run(&["sc", "delete", "ntwatch"]);
    assert!(deleted.status.success(), "{deleted:?}");
    assert!(!is_there(&wine));
}

#[test]
fn a_driver_that_has_no_room_to_be_told_in_is_not_stopped() {
    let wine = Wine::get();
    let _driver = Driver::load(&wine);
    let held = |count| output(&mut wine.by_hand(&["hold", count, r"\\.\ntwatch"], &["stop"]));
    // Windows says why: Wine opens it, and has no more to say than that there is no such handle.
    assert_ends(&held("16"), 3, &[r"\\.\ntwatch", "nvalid handle"]);
    assert_ends(&wine.ntwatch(&["status"]), 0, &[" 0 besides this one"]);
    // Wine does not wait until it is closed.
    assert_ends(&held("15"), 0, &["The driver is unloaded"]);
}

/// Wine unloads a driver at once; another service does what a driver does on Windows.
#[test]
fn a_driver_that_is_still_to_go_is_not_said_to_be_loaded_and_can_be_waited_for_again() {
    let wine = Wine::get();
    let folder = wine.folder("lingers");
    let held = folder.here().join("held");
    fs::write(&held, "").unwrap();
    let service = format!(r"C:\ntwatch\hand.exe linger {}", folder.there("held"));
    let succeeds = |words: &[&str]| {
        let output = wine.run(&[&["sc"], words].concat());
        assert!(output.status.success(), "{words:?}: {output:?}");
    };
    succeeds(&["create", "ntwatch", "type=", "own", "binpath=", &service]);
    succeeds(&["start", "ntwatch"]);
    assert_ends(&wine.ntwatch(&["start"]), 0, &["was loaded already"]);
    succeeds(&["stop", "ntwatch"]);
    let says = ["cannot be loaded yet", "close them, and start it again"];
    assert_ends(&wine.ntwatch(&["start"]), 1, &says);
    let says = "still held by whoever has it open; close them, and it goes";
    assert_ends(&wine.ntwatch(&["stop"]), 1, &[says]);
    fs::remove_file(&held).unwrap();
    assert_ends(&wine.ntwatch(&["stop"]), 0, &["The driver"]);
    assert_ends(&wine.ntwatch(&["stop"]), 0, &["was not loaded"]);
    succeeds(&["delete", "ntwatch"]);
    // Once its program has ended.
    let known = || wine.run(&["sc", "query", "ntwatch"]).status.success();
    wait("the service stays", || !known());
    assert!(!is_there(&wine));
}

#[test]
fn of_those_who_install_at_once_one_does_and_the_others_leave_it_whole() {
    let wine = Wine::get();
    let all = [(); 4].map(|()| wine.start(&["install"])).map(Client::end);
    let (done, others): (Vec<_>, Vec<_>) = all.iter().partition(|ended| ended.status.success());
    assert_eq!(done.len(), 1, "{all:?}");
    for other in others {
        assert!(other.errors.contains("is installed already"), "{other:?}");
    }
    assert!(is_there(&wine));
    assert_ends(&wine.ntwatch(&["uninstall"]), 0, &["is uninstalled"]);
    assert!(!is_there(&wine));
}
