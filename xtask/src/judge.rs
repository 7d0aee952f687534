//! Has tools that nobody here wrote read what the client writes.
//!
//! A recording is replayed through the driver once, and the client makes every format of its
//! events, and of one event of each kind. Then each judge in `lab/judges` looks at the folder of
//! them, and after that at copies with planted faults.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    build::{self, Artifacts},
    command::{self, workspace},
    nthost::Nthost,
    pe, python,
    setup::{self, Missing},
    toolchain::in_path,
};

/// The events in ntwatch's own format, of which all else is made.
const EVENTS: &str = "events.jsonl";

/// What `ntwatch convert` makes of them.
const PARQUET: &str = "events.parquet";

/// What `ntwatch show` makes of them, by format.
const SHOWN: &[(&str, &str)] = &[
    ("csv", "events.csv"),
    ("ecs", "ecs.jsonl"),
    ("ocsf", "ocsf.jsonl"),
    ("sysmon", "sysmon.jsonl"),
];

/// Judges that look only when they are named: this one wants Java and half a gigabyte.
const ON_DEMAND: &[&str] = &[SPARK];
const SPARK: &str = "spark";

/// Names the folder of the recordings, as for the tests.
const RECORDINGS: &str = "NTWATCH_RECORDINGS";

/// Builds, makes the outputs, and has the judges of these names look at them, or all but those on
/// demand.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if cfg!(windows) {
        bail!("the events come from the driver in the lab, which needs Linux");
    }
    let judges = judges(names)?;
    let artifacts = build::all()?;
    let recording = Recording::choose();
    let folder = pe::lab().join("judged");
    // Nothing of an earlier run is to be judged.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    recording.replay(&artifacts, &folder.join(EVENTS))?;
    show(&artifacts, &folder)?;
    // What a recording has not: losses, drivers, WSL.
    let kinds = folder.join("kinds");
    fs::create_dir(&kinds).with_context(|| kinds.display().to_string())?;
    let mut one_of_each = Command::new(artifacts.path("ntwatch")?);
    one_of_each.args(["show", "--format", "jsonl"]);
    one_of_each.arg(workspace().join("client/tests/common/kinds.jsonl"));
    command::run(one_of_each.stdout(create(&kinds.join(EVENTS))?))?;
    show(&artifacts, &kinds)?;
    for judge in &judges {
        judge.look_at(&folder, &recording)?;
    }
    Ok(())
}

/// Makes every format of the events in a folder.
fn show(artifacts: &Artifacts, folder: &Path) -> Result<()> {
    for (format, name) in SHOWN {
        let mut show = Command::new(artifacts.path("ntwatch")?);
        show.arg("show").arg(folder.join(EVENTS));
        show.args(["--format", format]);
        command::run(show.stdout(create(&folder.join(name))?))?;
    }
    let mut convert = Command::new(artifacts.path("ntwatch")?);
    let files = [EVENTS, PARQUET].map(|name| folder.join(name));
    command::run(convert.arg("convert").args(files))
}

/// One program that judges.
struct Judge {
    name: String,
    /// Its `judge.py`, and `requirements.txt` with all that it needs.
    room: PathBuf,
}

/// Those of these names, or all but those on demand, in order.
fn judges(names: &[String]) -> Result<Vec<Judge>> {
    let rooms = workspace().join("lab/judges");
    let mut judges = Vec::new();
    for entry in fs::read_dir(&rooms).with_context(|| rooms.display().to_string())? {
        let room = entry?.path();
        if let Some(name) = room.file_name().and_then(|name| name.to_str())
            && room.join("judge.py").exists()
        {
            let name = name.to_owned();
            judges.push(Judge { name, room });
        }
    }
    judges.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(unknown) = names
        .iter()
        .find(|name| !judges.iter().any(|j| j.name == **name))
    {
        let known: Vec<_> = judges.iter().map(|judge| judge.name.as_str()).collect();
        bail!("there is no judge {unknown:?}, only {}", known.join(", "));
    }
    judges.retain(|judge| match names {
        [] => !ON_DEMAND.contains(&judge.name.as_str()),
        names => names.contains(&judge.name),
    });
    Ok(judges)
}

impl Judge {
    /// Fails if anything is wrong with the outputs, or if a planted fault goes unnoticed.
    fn look_at(&self, folder: &Path, recording: &Recording) -> Result<()> {
        if self.name == SPARK {
            let (package, reason) = ("default-jre-headless", "Java, which Spark runs on");
            let java = || in_path("java").is_some();
            setup::install(|| Missing::default().package(package, reason, java()))?;
        }
        let environment = format!("judge-{}", self.name);
        let python = python::with(&environment, &self.room.join("requirements.txt"))?;
        for mode in [None, Some("--self-test")] {
            eprintln!(
                "xtask: judge {}{}",
                self.name,
                mode.map_or("", |_| ", of planted faults")
            );
            let mut judge = Command::new(&python);
            // No caches among the sources.
            judge.arg("-B").arg(self.room.join("judge.py")).args(mode);
            command::run(judge.arg(folder).arg(&recording.path))?;
        }
        Ok(())
    }
}

/// A recording, and the host in it that is replayed.
struct Recording {
    path: PathBuf,
    host: &'static str,
}

impl Recording {
    /// One that has all kinds of events; where it is absent a small one of our own.
    fn choose() -> Self {
        let beside = || workspace().join("../shared/data");
        let folder = env::var_os(RECORDINGS).map_or_else(beside, PathBuf::from);
        let path = folder.join("empire_run_keys_standard_user.zip");
        if path.exists() {
            let host = "WORKSTATION5.theshire.local";
            return Self { path, host };
        }
        let absent = path.display();
        eprintln!(
            "xtask: {absent} is absent ({RECORDINGS} names its folder): a small one is judged"
        );
        let path = workspace().join("tests/tests/fixtures/intrusion.json");
        let host = "DESK.lab.example";
        Self { path, host }
    }

    /// Writes what the client sees of it.
    fn replay(&self, artifacts: &Artifacts, to: &Path) -> Result<()> {
        let arguments: [&OsStr; 7] = [
            "--replay".as_ref(),
            self.path.as_ref(),
            "--host".as_ref(),
            self.host.as_ref(),
            "--speed".as_ref(),
            "max".as_ref(),
            "--exit-when-done".as_ref(),
        ];
        let mut nthost = Nthost::serve(artifacts, arguments)?;
        let mut watch = Command::new(artifacts.path("ntwatch")?);
        watch.arg("--device").arg(nthost.device());
        watch.args(["watch", "--access", "all", "--fail-on-loss"]);
        command::run(watch.args(["--format", "jsonl"]).stdout(create(to)?))?;
        nthost.finish()
    }
}

fn create(file: &Path) -> Result<File> {
    File::create(file).with_context(|| file.display().to_string())
}
