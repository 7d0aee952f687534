//! Lays out the kit: a directory in the shape of an installed WDK, from `lab/wdk`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    command::{run, workspace},
    toolchain::Toolchain,
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

    let libraries = Libraries {
        source: source.join("lib"),
        system: root.join("Lib").join(VERSION).join("km/x64"),
        framework: root.join("Lib/wdf/kmdf/x64/1.31"),
        toolchain,
    };
    libraries.make(&[
        system.join("km/crt"),
        system.join("km"),
        system.join("shared"),
        framework,
    ])
}

struct Libraries<'a> {
    source: PathBuf,
    system: PathBuf,
    framework: PathBuf,
    toolchain: &'a Toolchain,
}

impl Libraries<'_> {
    fn make(&self, include: &[PathBuf]) -> Result<()> {
        create(&self.system)?;
        create(&self.framework)?;
        self.import(&self.system.join("ntoskrnl.lib"), "ntoskrnl.def")?;
        self.import(&self.system.join("hal.lib"), "hal.def")?;
        self.import(&self.framework.join("WdfLdr.lib"), "wdfldr.def")?;
        for name in EMPTY_LIBRARIES {
            let library = self.system.join(name).with_extension("lib");
            run(self.librarian(&library).arg("/llvmlibempty"))?;
        }
        self.driver_entry(include)
    }

    /// An import library from a module-definition file.
    fn import(&self, library: &Path, definitions: &str) -> Result<()> {
        let definitions = self.source.join(definitions);
        run(self
            .librarian(library)
            .arg(format!("/def:{}", definitions.display())))
    }

    /// The library with the framework's entry point.
    fn driver_entry(&self, include: &[PathBuf]) -> Result<()> {
        let object = self.framework.join("driver_entry.obj");
        let mut clang = Command::new(&self.toolchain.clang);
        clang.args([
            "--target=x86_64-pc-windows-msvc",
            "-c",
            "-O2",
            "-ffreestanding",
            "-g",
        ]);
        clang.args(["-Wall", "-Wextra", "-Werror", "-DKMDF_VERSION_MAJOR=1"]);
        clang.arg("-DKMDF_VERSION_MINOR=31");
        clang.args(include.iter().map(|path| format!("-I{}", path.display())));
        clang
            .arg("-o")
            .arg(&object)
            .arg(self.source.join("driver_entry.c"));
        run(&mut clang)?;
        run(self
            .librarian(&self.framework.join("WdfDriverEntry.lib"))
            .arg(&object))
    }

    fn librarian(&self, library: &Path) -> Command {
        let mut command = Command::new(&self.toolchain.lld);
        command.args(["-flavor", "link", "/lib", "/machine:x64"]);
        command.arg(format!("/out:{}", library.display()));
        command
    }
}

/// Copies the headers of one directory. One that has not changed keeps its time: bindings are made
/// anew when a header is.
fn copy_headers(from: &Path, to: &Path) -> Result<()> {
    create(to)?;
    let entries = fs::read_dir(from).with_context(|| from.display().to_string())?;
    for entry in entries {
        let source = entry?.path();
        let (true, Some(name)) = (source.is_file(), source.file_name()) else {
            continue;
        };
        let target = to.join(name);
        let header = fs::read(&source).with_context(|| source.display().to_string())?;
        if fs::read(&target).ok().as_ref() != Some(&header) {
            fs::write(&target, header).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

fn create(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())
}
