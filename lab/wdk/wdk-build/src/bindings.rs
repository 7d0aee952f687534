//! bindgen, set as Microsoft's crate sets it: the driver must compile against either's bindings.

use std::borrow::Borrow;

use bindgen::{
    Builder, EnumVariation, Formatter, RustEdition, RustTarget,
    callbacks::{ItemInfo, ItemKind, ParseCallbacks},
};

use crate::{Config, ConfigError};

/// Flags for headers that are written for Microsoft's compiler.
const CLANG_FLAGS: &[&str] = &[
    "-fno-builtin",
    "-fms-compatibility",
    "-fms-extensions",
    "-fdelayed-template-parsing",
    "--warn-=no-pragma-pack",
    "--warn-=no-ignored-attributes",
    "--warn-=no-ignored-pragma-intrinsic",
    "--warn-=no-deprecated-declarations",
    "--warn-=no-microsoft",
];

/// Makes a [`bindgen::Builder`] for the kit's headers.
pub trait BuilderExt {
    /// A builder that knows the kit of `config`.
    ///
    /// # Errors
    /// A directory of headers does not exist.
    fn wdk_default(config: impl Borrow<Config>) -> Result<Builder, ConfigError>;
}

impl BuilderExt for Builder {
    fn wdk_default(config: impl Borrow<Config>) -> Result<Builder, ConfigError> {
        let config = config.borrow();
        let includes = config
            .include_paths()?
            .map(|path| format!("--include-directory={}", path.display()));
        let definitions = config
            .preprocessor_definitions()
            .map(|(name, value)| match value {
                Some(value) => format!("--define-macro={name}={value}"),
                None => format!("--define-macro={name}"),
            });
        Ok(Builder::default()
            .use_core()
            .derive_default(true)
            .generate_cstr(true)
            .detect_include_paths(false)
            .clang_args(CLANG_FLAGS)
            .clang_args(includes)
            .clang_args(definitions)
            .must_use_type("NTSTATUS")
            .must_use_type("HRESULT")
            .default_enum_style(EnumVariation::ModuleConsts)
            .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
            .parse_callbacks(Box::new(FunctionTable(
                config.compute_wdffunctions_symbol_name(),
            )))
            .formatter(Formatter::Prettyplease)
            .rust_target(rust_target()?)
            .rust_edition(RustEdition::Edition2024))
    }
}

/// The Rust version that the bindings may ask for: the `rust-version` of Microsoft's crate.
fn rust_target() -> Result<RustTarget, ConfigError> {
    RustTarget::stable(91, 0).map_err(|error| ConfigError::RustTarget {
        reason: error.to_string(),
    })
}

/// Gives the framework's function table the name that its macro has in C.
#[derive(Debug)]
struct FunctionTable(Option<String>);

impl ParseCallbacks for FunctionTable {
    fn generated_name_override(&self, item: ItemInfo<'_>) -> Option<String> {
        let is_table = matches!(item.kind, ItemKind::Var) && Some(item.name) == self.0.as_deref();
        is_table.then(|| "WdfFunctions".to_owned())
    }
}
