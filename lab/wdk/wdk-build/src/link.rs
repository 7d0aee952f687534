//! How a KMDF driver is linked.

use crate::{ApiSubset, Architecture, Config, ConfigError, variable};

/// What the kit's build rules give the linker for every driver, for KMDF drivers, and for all.
const LINK_ARGS: &[&str] = &[
    "/DRIVER",
    "/NODEFAULTLIB",
    "/SUBSYSTEM:NATIVE",
    "/KERNEL",
    "/ENTRY:FxDriverEntry",
    // rustc cannot compile for the kernel mode of Microsoft's linker.
    "/IGNORE:4257",
    "/NXCOMPAT",
    "/DYNAMICBASE",
    "/MAP",
    "/MAPINFO:EXPORTS",
    "/OPT:REF,ICF",
    "/INTEGRITYCHECK",
    "/MANIFEST:NO",
];

/// The libraries of every KMDF driver.
const LIBRARIES: &[&str] = &[
    "BufferOverflowFastFailK",
    "ntoskrnl",
    "hal",
    "wmilib",
    "WdfLdr",
    "WdfDriverEntry",
];

impl Config {
    /// Tells cargo how to link the driver, and rustc the driver model.
    ///
    /// # Errors
    /// A library directory does not exist, or the C run-time is not linked statically.
    pub fn configure_binary_build(&self) -> Result<(), ConfigError> {
        if !variable("CARGO_CFG_TARGET_FEATURE")?
            .split(',')
            .any(|f| f == "crt-static")
        {
            return Err(ConfigError::StaticCrtNotEnabled);
        }
        for path in self.library_paths()? {
            println!("cargo::rustc-link-search={}", path.display());
            // The kit is made anew with the driver; Microsoft's is installed once.
            println!("cargo::rerun-if-changed={}", path.display());
        }
        for arg in LINK_ARGS {
            println!("cargo::rustc-cdylib-link-arg={arg}");
        }
        self.configure_library_build()
    }

    /// The `#[link]` attributes that the bindings of a subset begin with.
    #[must_use]
    pub fn bindgen_library_link_raw_lines(&self, subset: ApiSubset) -> Option<String> {
        if subset != ApiSubset::Base {
            return None;
        }
        let arm64 = (self.architecture == Architecture::Arm64).then_some(&"arm64rt");
        Some(
            LIBRARIES
                .iter()
                .chain(arm64)
                .map(|name| link_attribute(name))
                .collect(),
        )
    }
}

/// An attribute that links `name` unless the bindings are compiled for tests.
fn link_attribute(name: &str) -> String {
    format!(
        "#[cfg(not(any(test, feature = \"suppress-wdk-linking\")))]\n\
         #[link(name = \"{name}\", kind = \"static\", modifiers = \"-bundle\")]\n\
         unsafe extern \"C\" {{}}\n"
    )
}
