//! Wine: its programs, and a drive and registry that a server keeps.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    command::{self, output},
    pe,
    setup::Missing,
    toolchain::in_path,
};

/// Where Debian's package has its programs, which are in nobody's path.
const DEBIAN: &str = "/usr/lib/wine";

/// What servers leave.
const SERVERS: &str = "servers";

/// What each machine begins with, and the note of what it was made with.
const PRISTINE: &str = "pristine";
const NOTE: &str = "made-with";

/// Values of its registry: the oldest Windows that ntwatch is for, and how many milliseconds a service
/// has for each step, which are 10,000 and few for a host that writes to its disk meanwhile.
const VALUES: [[&str; 3]; 2] = [
    [r"HKCU\Software\Wine", "Version", "win10"],
    [
        r"HKLM\System\CurrentControlSet\Control",
        "ServicesPipeTimeout",
        "60000",
    ],
];

/// What Wine would download, what writes menus to the user's home, and what makes mouse, keyboard and
/// the host's other devices of input and USB. N.B. They are installed by a thread that nobody waits for:
/// on a slow host after `wineboot` has ended, by whichever machine has the time.
const WITHOUT: &str = "mscoree=;mshtml=;winemenubuilder.exe=;winebus.sys=;wineusb.sys=";

/// Folders of Windows' that are nearly all of a drive, and are not written to.
const SHARED: [&str; 2] = ["system32", "winsxs"];

/// What has programs lie where they always do. N.B. Debian's `wine64` lies at 0x7d000000, and its heap
/// anywhere in the GiB above: in one start of some thousand where Windows has its shared data, at
/// 0x7ffe0000. Such a program ends before it begins, with 1, and says nothing.
const FIXED: [&str; 2] = ["setarch", "--addr-no-randomize"];

/// How long programs may take to be gone once their server is.
const GOING: Duration = Duration::from_secs(10);

/// Its programs.
#[derive(Clone)]
pub(super) struct Tools {
    /// The words of a command that runs a program for Windows.
    wine: Vec<OsString>,
    server: PathBuf,
}

impl Tools {
    /// Finds them, or says that they are not there.
    pub(super) fn get() -> Result<Self> {
        let (wine, server) = Self::find().context("there is no wine64")?;
        let fixed = Command::new(FIXED[0]).args([FIXED[1], "true"]).output();
        let mut words = Vec::new();
        if fixed.is_ok_and(|output| output.status.success()) {
            words.extend(FIXED.map(OsString::from));
        } else {
            let refused = FIXED.join(" ");
            eprintln!(
                "xtask: `{refused}` is refused here, as in many containers: \
                 Wine may end a program as it begins"
            );
        }
        words.push(wine.into());
        Ok(Self {
            wine: words,
            server,
        })
    }

    /// What of them is not there.
    pub(super) fn missing() -> Missing {
        let reason = "Wine, on which programs for Windows run";
        Missing::default().package("wine64", reason, Self::find().is_some())
    }

    fn find() -> Option<(PathBuf, PathBuf)> {
        let find = |name: &str| {
            let debian = Path::new(DEBIAN).join(name);
            in_path(name).or_else(|| debian.exists().then_some(debian))
        };
        find("wine64").zip(find("wineserver64"))
    }

    fn wine(&self) -> Command {
        let mut command = Command::new(&self.wine[0]);
        command.args(&self.wine[1..]);
        command
    }

    /// What a drive is made with: another Wine makes another one.
    fn made_with(&self) -> Result<String> {
        let version = output(self.wine().arg("--version"))?;
        Ok(version + WITHOUT + " " + &VALUES.concat().join(" "))
    }
}

/// Waits for whoever else uses the drives, and keeps others waiting.
pub(super) fn alone() -> Result<File> {
    let lock = room("lock");
    let taken = || {
        fs::create_dir_all(room(""))?;
        let file = File::create(&lock)?;
        if file.try_lock().is_err() {
            eprintln!("xtask: waiting for another `cargo xtask wine`");
            file.lock()?;
        }
        // Now, as the other one has removed it.
        fs::create_dir_all(room(SERVERS))?;
        io::Result::Ok(file)
    };
    taken().with_context(|| lock.display().to_string())
}

/// Removes what servers left, once all machines have ended. Fails if what machines begin with is not
/// what it was: they share its files.
pub(super) fn leave() -> Result<()> {
    remove(&room(SERVERS))?;
    let note = room(PRISTINE).join(NOTE);
    let mut find = Command::new("find");
    find.arg(room(PRISTINE)).args(["-type", "f", "-newer"]);
    let written = output(find.arg(&note))?;
    if !written.is_empty() {
        // And so it is made anew.
        fs::remove_file(&note).with_context(|| note.display().to_string())?;
        bail!("written to, though all machines have it:\n{written}");
    }
    Ok(())
}

/// Where drives lie, and what else there is of machines.
fn room(name: &str) -> PathBuf {
    pe::lab().join("wine").join(name)
}

/// A Wine that serves until this is dropped.
pub(super) struct Wine {
    tools: Tools,
    prefix: PathBuf,
}

impl Wine {
    /// Makes the drive and registry that each one begins with, once.
    pub(super) fn make(tools: &Tools) -> Result<()> {
        let [pristine, making] = [PRISTINE, "making"].map(room);
        let note = pristine.join(NOTE);
        let made_with = tools.made_with()?;
        if fs::read_to_string(&note).is_ok_and(|known| known == made_with) {
            return Ok(());
        }
        let wine = Self::new(tools.clone(), making.clone());
        remove(&pristine)?;
        wine.end()?;
        remove(&making)?;
        fs::create_dir_all(&making).with_context(|| making.display().to_string())?;
        wine.serve()?;
        wine.run(&["wineboot", "--init"])?;
        for [key, name, value] in VALUES {
            wine.run(&["reg", "add", key, "/v", name, "/d", value, "/f"])?;
        }
        wine.end()?;
        // N.B. A server that takes too long to write its registry is killed.
        for (file, [_, name, value]) in ["user.reg", "system.reg"].iter().zip(VALUES) {
            let file = making.join(file);
            let registry = fs::read(&file).with_context(|| file.display().to_string())?;
            if !String::from_utf8_lossy(&registry).contains(&format!("{name:?}={value:?}")) {
                bail!("{}: Wine ended before it had written it", file.display());
            }
        }
        fs::rename(&making, &pristine).with_context(|| pristine.display().to_string())?;
        fs::write(&note, made_with).with_context(|| note.display().to_string())
    }

    /// A machine of this name, whose drive and registry are new.
    pub(super) fn begin(tools: &Tools, name: &str) -> Result<Self> {
        let [pristine, prefix] = [PRISTINE, name].map(room);
        let wine = Self::new(tools.clone(), prefix.clone());
        wine.end()?;
        remove(&prefix)?;
        let mut link = Command::new("cp");
        link.args(["--archive", "--link"]);
        output(link.arg(&pristine).arg(&prefix))?;
        // Wine writes some of the rest in place, as the registry's files.
        let mut own = Command::new("find");
        own.arg(&prefix).args(["-type", "f"]);
        for folder in SHARED {
            own.args(["-not", "-path", &format!("*/windows/{folder}/*")]);
        }
        for file in output(&mut own)?.lines() {
            let copy = format!("{file}.copy");
            fs::copy(file, &copy)
                .and_then(|_| fs::rename(&copy, file))
                .with_context(|| file.to_owned())?;
        }
        wine.serve()?;
        // N.B. what Wine starts beside the first program stays, and holds that one's output open.
        wine.run(&["cmd", "/c", "exit"])?;
        Ok(wine)
    }

    fn new(tools: Tools, prefix: PathBuf) -> Self {
        Self { tools, prefix }
    }

    /// N.B. Services stop with the last program, unless the server is told to stay. It goes by itself
    /// when nobody is left to end it.
    fn serve(&self) -> Result<()> {
        output(self.server().arg("--persistent=120"))?;
        Ok(())
    }

    /// Runs a program of Wine's own, of which nothing is heard but whether it failed.
    fn run(&self, words: &[&str]) -> Result<()> {
        let mut command = self.tools.wine();
        command.envs(self.environment()).env_remove("DISPLAY");
        for set in [Command::stdin, Command::stdout, Command::stderr] {
            set(&mut command, Stdio::null());
        }
        command::run(command.args(words))
    }

    fn server(&self) -> Command {
        let mut command = Command::new(&self.tools.server);
        command.envs(self.environment());
        command
    }

    /// The words that a program's are put behind.
    pub(super) fn words(&self) -> &[OsString] {
        &self.tools.wine
    }

    /// What its programs find it by; quiet, and in English. N.B. the server leaves a folder where
    /// temporary files lie; Debian's wants that without a `/` at its end.
    pub(super) fn environment(&self) -> BTreeMap<&str, OsString> {
        BTreeMap::from([
            ("WINEPREFIX", self.prefix.clone().into()),
            ("WINESERVER", self.tools.server.clone().into()),
            ("WINEARCH", "win64".into()),
            ("TMPDIR", room(SERVERS).into()),
            ("WINEDEBUG", "-all".into()),
            ("WINEDLLOVERRIDES", WITHOUT.into()),
            ("LC_ALL", "C.UTF-8".into()),
        ])
    }

    /// Where its drive C: lies.
    pub(super) fn drive(&self) -> PathBuf {
        self.prefix.join("drive_c")
    }

    /// Where Windows' own programs and libraries lie on it.
    pub(super) fn system(&self) -> PathBuf {
        self.drive().join("windows/system32")
    }

    /// Ends it, and fails if a program stays.
    fn end(&self) -> Result<()> {
        self.kill();
        let began = Instant::now();
        loop {
            let left = self.programs()?;
            if left.is_empty() {
                return Ok(());
            }
            if began.elapsed() > GOING {
                bail!(
                    "Wine has ended, and its programs have not: {}",
                    left.join(", ")
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it, and removes its drive.
    pub(super) fn discard(self) -> Result<()> {
        self.end()?;
        remove(&self.prefix)
    }

    /// Ends whatever runs with this drive, and nothing else. An error means that nothing did.
    fn kill(&self) {
        if !self.prefix.exists() {
            return;
        }
        for how in ["--kill", "--wait"] {
            let _ = self.server().arg(how).status();
        }
    }

    /// The processes that have its drive in their environment.
    fn programs(&self) -> Result<Vec<String>> {
        let mark = format!("WINEPREFIX={}", self.prefix.display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").context("/proc")? {
            let process = entry.context("/proc")?.path();
            // Most are others', or gone by now.
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            if environment
                .split(|byte| *byte == 0)
                .any(|set| set == mark.as_bytes())
            {
                let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
                found.push(format!("{} {}", process.display(), name.trim_end()));
            }
        }
        Ok(found)
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}
