//! `ntwatch install` by the package, with a stand-in for what installs packages on Windows
//! (`lab/wine/newdev`). What comes of Wine's own is in `service.rs`.

use ntwatch_wine_check::{Folder, Machine, Wine, assert_ends, text};
use std::path::PathBuf;
use std::{fs, thread};

const KEY: &str = r"HKLM\System\CurrentControlSet\Services\ntwatch";
/// Where Wine is told to prefer another's library to its own.
const OVERRIDES: &str = r"HKCU\Software\Wine\DllOverrides";
const STORE: &str = "windows/system32/DriverStore/FileRepository";

/// A Wine that may prefer another's `newdev.dll` to its own, as long as this lives.
struct Preferring {
    wine: Machine,
    newdev: PathBuf,
    own: Vec<u8>,
}

impl Preferring {
    /// One whose `newdev.dll` is the stand-in.
    fn stand_in() -> Self {
        let machine = Self::ordered("native,builtin");
        let stand_in = machine.wine.here("ntwatch/newdev.dll");
        // N.B. the other machines have the same file.
        fs::remove_file(&machine.newdev).expect("it was read");
        fs::copy(stand_in, &machine.newdev).expect("the stand-in is there");
        machine
    }

    /// One that has no other's yet.
    fn ordered(order: &str) -> Self {
        let wine = Wine::get();
        let newdev = wine.here("windows/system32/newdev.dll");
        let own = fs::read(&newdev).expect("Wine has one");
        let prefer = ["/v", "newdev", "/d", order, "/f"];
        let prefer = wine.run(&[&["reg", "add", OVERRIDES][..], &prefer].concat());
        assert!(prefer.status.success());
        Self { wine, newdev, own }
    }

    /// A folder with the program and a package of this catalogue, if it has one.
    fn package(&self, catalogue: Option<&str>) -> Folder {
        let folder = self.wine.folder("package");
        for file in ["ntwatch.exe", "ntwatch.sys"] {
            let from = self.wine.here("ntwatch").join(file);
            fs::copy(from, folder.here().join(file)).expect("it is there");
        }
        let inf = include_str!("../../../../../inf/ntwatch.inx");
        fs::write(folder.here().join("ntwatch.inf"), inf).unwrap();
        if let Some(text) = catalogue {
            fs::write(folder.here().join("ntwatch.cat"), text).unwrap();
        }
        folder
    }

    /// What is there of the driver: the service, its key, what the store has, and a file that is
    /// nobody's.
    fn has(&self) -> [bool; 4] {
        let knows = |words: &[&str]| self.wine.run(words).status.success();
        let store = fs::read_dir(self.wine.here(STORE));
        [
            knows(&["sc", "query", "ntwatch"]),
            knows(&["reg", "query", KEY]),
            store.is_ok_and(|mut store| store.next().is_some()),
            self.wine
                .here("windows/system32/drivers/ntwatch.sys")
                .exists(),
        ]
    }
}

impl Drop for Preferring {
    fn drop(&mut self) {
        let own = ["reg", "delete", OVERRIDES, "/v", "newdev", "/f"];
        let preferred = self.wine.run(&own).status.success();
        let _ = fs::remove_file(&self.newdev);
        let back = fs::write(&self.newdev, &self.own).is_ok();
        assert!(preferred && back || thread::panicking());
    }
}

const NOTHING: [bool; 4] = [false; 4];
const IN_STORE: [bool; 4] = [true, true, true, false];

#[test]
fn a_package_comes_into_the_store_and_goes_without_a_trace() {
    let machine = Preferring::stand_in();
    let folder = machine.package(Some("trusted"));
    let exe = folder.there("ntwatch.exe");
    let ends = |words: &[&str], code, says: &[&str]| {
        assert_ends(&machine.wine.run(&[&[&*exe], words].concat()), code, says);
    };
    let by = r"by its package, C:\package\ntwatch.inf; `ntwatch start`";
    ends(&["install"], 0, &[by]);
    assert_eq!(machine.has(), IN_STORE);
    let parameters = format!(r"{KEY}\Parameters");
    let told = machine
        .wine
        .run(&["reg", "query", &parameters, "/v", "Altitude"]);
    assert_ends(&told, 0, &["371250.94173"]);
    ends(&["install"], 1, &["`ntwatch uninstall` removes it"]);
    ends(&["start"], 0, &["The driver is loaded"]);
    ends(&["status"], 0, &[" 0 besides this one"]);
    // It is unloaded first.
    ends(&["uninstall"], 0, &["is uninstalled"]);
    assert_eq!(machine.has(), NOTHING);
    // And again, by another program that has no package beside it.
    let inf = folder.there("ntwatch.inf");
    let output = machine.wine.ntwatch(&["install", "--package", &inf]);
    assert_ends(&output, 0, &[by]);
    assert_eq!(machine.has(), IN_STORE);
    assert_ends(
        &machine.wine.ntwatch(&["uninstall"]),
        0,
        &["is uninstalled"],
    );
    assert_eq!(machine.has(), NOTHING);
}

#[test]
fn a_package_that_is_not_trusted_is_not_installed_and_what_to_do_is_said() {
    let machine = Preferring::stand_in();
    let catalogue = "lacks its signed catalogue ntwatch.cat";
    let trust = "certutil -addstore Root WDRLocalTestCert.cer";
    for (thought, says) in [
        (None, catalogue),
        (Some("0x800b0100"), catalogue),
        (Some("0x800b0109"), trust),
        (Some("0x800b010d"), "bcdedit /set testsigning on"),
        (Some("0xe0000242"), trust),
        (Some("0xe0000243"), "`--driver ntwatch.sys` does without"),
        (Some("0x5b3"), trust),
        (Some("0xe000024b"), "not the one that was signed"),
        (Some("0xe0000249"), "a policy of this machine's forbids it"),
        (Some("0xe0000235"), "the 64-bit ntwatch.exe"),
        (Some("0x5"), "Access denied"),
    ] {
        let folder = machine.package(thought);
        let output = machine.wine.run(&[&folder.there("ntwatch.exe"), "install"]);
        assert_ends(&output, 1, &["cannot install the driver: ", says]);
        let errors = text(&output.stderr);
        assert!(!errors.contains("takes an administrator"), "{errors}");
        assert_eq!(machine.has(), NOTHING, "{thought:?}");
    }
}

#[test]
fn nobody_is_asked_whether_to_trust_who_signed_a_package() {
    let machine = Preferring::stand_in();
    let folder = machine.package(Some("unknown"));
    let output = machine.wine.run(&[&folder.there("ntwatch.exe"), "install"]);
    let trust = "Windows does not trust who signed the package";
    assert_ends(&output, 1, &["cannot install the driver: ", trust]);
    assert_eq!(machine.has(), NOTHING);
}

#[test]
fn a_library_beside_the_program_is_not_taken_for_windows_own() {
    let machine = Preferring::ordered("native,builtin");
    let folder = machine.package(Some("trusted"));
    let stand_in = machine.wine.here("ntwatch/newdev.dll");
    fs::copy(stand_in, folder.here().join("newdev.dll")).unwrap();
    let exe = folder.there("ntwatch.exe");
    let output = machine.wine.run(&[&exe, "install"]);
    assert_ends(
        &output,
        0,
        &["by the service control manager", "made no service"],
    );
    assert_ends(
        &machine.wine.run(&[&exe, "uninstall"]),
        0,
        &["is uninstalled"],
    );
    assert_eq!(machine.has(), NOTHING);
}

#[test]
fn a_windows_without_the_library_has_the_service_control_manager_do_it() {
    let machine = Preferring::ordered("");
    let folder = machine.package(Some("trusted"));
    let exe = folder.there("ntwatch.exe");
    let says = ["by the service control manager", "has no DiInstallDriver"];
    assert_ends(&machine.wine.run(&[&exe, "install"]), 0, &says);
    assert_ends(
        &machine.wine.run(&[&exe, "uninstall"]),
        0,
        &["is uninstalled"],
    );
    assert_eq!(machine.has(), NOTHING);
}

#[test]
fn a_restart_that_windows_wants_is_passed_on() {
    let machine = Preferring::stand_in();
    let folder = machine.package(Some("restart"));
    let exe = folder.there("ntwatch.exe");
    let restart = "Restart the machine";
    for (word, has) in [("install", IN_STORE), ("uninstall", NOTHING)] {
        assert_ends(&machine.wine.run(&[&exe, word]), 0, &["installed", restart]);
        assert_eq!(machine.has(), has);
    }
}

#[test]
fn a_package_that_no_service_comes_of_is_taken_back_or_said_to_be_there() {
    let machine = Preferring::stand_in();
    for (thought, stays) in [("no service", false), ("stuck", true)] {
        let folder = machine.package(Some(thought));
        let exe = folder.there("ntwatch.exe");
        let install = || machine.wine.run(&[&exe, "install"]);
        let done = install();
        assert_ends(&done, 0, &["service control manager", "made no service"]);
        let hint = "whether the package is still in the driver store";
        assert_eq!(text(&done.stdout).contains(hint), stays);
        assert_eq!(machine.has(), [true, true, stays, true]);
        let uninstall = machine.wine.run(&[&exe, "uninstall"]);
        assert_ends(&uninstall, 0, &["is uninstalled"]);
        // Why the other way fails is said all the same.
        let _ = fs::remove_dir_all(machine.wine.here(STORE));
        let in_the_way = machine.wine.here("windows/system32/drivers/ntwatch.sys");
        fs::create_dir(&in_the_way).unwrap();
        let failed = install();
        fs::remove_dir(&in_the_way).unwrap();
        assert_ends(&failed, 1, &[r"cannot copy C:\package\ntwatch.sys"]);
        assert_eq!(text(&failed.stderr).contains(hint), stays);
        assert_eq!(machine.has(), [false, false, stays, false]);
        let _ = fs::remove_dir_all(machine.wine.here(STORE));
        assert_eq!(machine.has(), NOTHING);
    }
}
