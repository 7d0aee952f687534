//! Lays out the kit: a directory in the shape of an installed WDK, from `lab/wdk`.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    command::{run, workspace},
    toolchain::{TARGET, Toolchain},
};

/// The version whose directories the kit has: the first Windows with KMDF 1.31.
pub(crate) const VERSION: &str = "10.0.19041.0";

/// Libraries that the WDK's build rules name, and that ntwatch needs nothing of.
const EMPTY_LIBRARIES: &[&str] = &["BufferOverflowFastFailK", "wmilib"];

/// Brings the kit in `root` up to date.
pub(crate) fn lay_out(root: &Path, toolchain: &Toolchain) -> Result<()> {
    let source = workspace().join("lab/wdk");
    let system = root.join("Include").join(VERSION);
    let framework = root.join("Include/wdf/kmdf/1.31");
    copy_headers(&source.join("include/km"), &system.join("km"))?;
    copy_headers(&source.join("include/km/crt"), &system.join("km/crt"))?;
    copy_headers(&source.join("include/shared"), &system.join("shared"))?;
    copy_headers(&source.join("include/kmdf"), &framework)?;
    // wdk-build wants this directory to be there, for headers that ntwatch does not use.
    create(&system.join("km/ufx/1.1"))?;

    let include = [
        system.join("km/crt"),
        system.join("km"),
        system.join("shared"),
        framework,
    ];
    Libraries {
        source: source.join("lib"),
        system: root.join("Lib").join(VERSION).join("km/x64"),
        framework: root.join("Lib/wdf/kmdf/x64/1.31"),
        scratch: root.join("scratch"),
        toolchain,
    }
    .make(&include)
}

struct Libraries<'a> {
    source: PathBuf,
    system: PathBuf,
    framework: PathBuf,
    scratch: PathBuf,
    toolchain: &'a Toolchain,
}

impl Libraries<'_> {
    fn make(&self, include: &[PathBuf]) -> Result<()> {
        for directory in [&self.system, &self.framework, &self.scratch] {
            create(directory)?;
        }
        self.import(&self.system, "ntoskrnl", "ntoskrnl.def")?;
        self.import(&self.system, "hal", "hal.def")?;
        self.import(&self.framework, "WdfLdr", "wdfldr.def")?;
        for name in EMPTY_LIBRARIES {
            self.library(&self.system, name, "/llvmlibempty".as_ref())?;
        }
        let object = self.driver_entry(include)?;
        let member = from_workspace(&object).as_os_str();
        self.library(&self.framework, "WdfDriverEntry", member)
    }

    /// An import library from a module-definition file.
    fn import(&self, directory: &Path, name: &str, definitions: &str) -> Result<()> {
        let mut argument = OsString::from("/def:");
        argument.push(from_workspace(&self.source.join(definitions)));
        self.library(directory, name, &argument)
    }

    /// The framework's entry point, compiled.
    fn driver_entry(&self, include: &[PathBuf]) -> Result<PathBuf> {
        let object = self.scratch.join("driver_entry.obj");
        let mut clang = Command::new(&self.toolchain.clang);
        clang
            .current_dir(workspace())
            .arg(format!("--target={TARGET}"))
            .args(["-c", "-g", "-O2", "-ffreestanding"]);
        clang.args([
            "-fasynchronous-unwind-tables",
            "-mno-incremental-linker-compatible",
        ]);
        clang.args(["-ffile-compilation-dir=.", "-gno-codeview-command-line"]);
        clang.args(["-Wall", "-Wextra", "-Werror"]);
        clang.args(["-DKMDF_VERSION_MAJOR=1", "-DKMDF_VERSION_MINOR=31"]);
        clang.args(
            include
                .iter()
                .flat_map(|path| [OsStr::new("-I"), from_workspace(path).as_os_str()]),
        );
        clang
            .arg("-o")
            .arg(from_workspace(&object))
            .arg(from_workspace(&self.source.join("driver_entry.c")));
        run(&mut clang)?;
        Ok(object)
    }

    /// A library of one member, by an argument of the librarian.
    fn library(&self, directory: &Path, name: &str, member: &OsStr) -> Result<()> {
        let library = self.scratch.join(name).with_extension("lib");
        let mut librarian = Command::new(&self.toolchain.lld);
        librarian
            .current_dir(workspace())
            .args(["-flavor", "link", "/lib", "/machine:x64"])
            .arg(member);
        librarian.arg(format!("/out:{}", library.display()));
        run(&mut librarian)?;
        copy_changed(&library, directory)
    }
}

/// A file as tools are told it: libraries and debug information keep the path, and none is to have
/// the place of the workspace in it.
fn from_workspace(path: &Path) -> &Path {
    path.strip_prefix(workspace()).unwrap_or(path)
}

/// Copies the headers of one directory.
fn copy_headers(from: &Path, to: &Path) -> Result<()> {
    create(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let source = entry?.path();
        if source.is_file() {
            copy_changed(&source, to)?;
        }
    }
    Ok(())
}

/// Copies a file into a directory. What has not changed keeps its time: bindings are made anew
/// when a header is, and drivers linked when a library is.
fn copy_changed(source: &Path, directory: &Path) -> Result<()> {
    let target = directory.join(source.file_name().context("a file has a name")?);
    let contents = fs::read(source).with_context(|| source.display().to_string())?;
    if fs::read(&target).ok().as_ref() == Some(&contents) {
        return Ok(());
    }
    fs::write(&target, contents).with_context(|| target.display().to_string())
}

fn create(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())
}
