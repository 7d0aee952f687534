//! Sets the driver's link arguments.

fn main() -> Result<(), wdk_build::ConfigError> {
    // Executable, readable, and gone when `DriverEntry` has returned.
    println!("cargo::rustc-cdylib-link-arg=/SECTION:INIT,ERD");
    wdk_build::configure_wdk_binary_build()
}
