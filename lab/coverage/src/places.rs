//! Where in the sources an address of the driver is.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use pdb_addr2line::{ContextPdbData, Frame, pdb::PDB};

/// Why an address could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// The PDB could not be opened.
    #[error("cannot open {path}: {source}; `cargo xtask build driver` makes it", path = path.display())]
    Open {
        /// The PDB.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The PDB could not be read.
    #[error("{path} is no PDB with line numbers: {source}", path = path.display())]
    Read {
        /// The PDB.
        path: PathBuf,
        /// Why not.
        source: pdb_addr2line::Error,
    },
}

/// A place in the sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the workspace if it is in it.
    pub file: String,
    /// The function that has the line, maybe inlined into another.
    pub function: String,
    /// The line, from 1; 0 where the compiler names none.
    pub line: u32,
}

/// Finds the places of `addresses` in the PDB at `path`, in their order.
///
/// Where code of a library was inlined, the place is the one in the workspace that it serves.
///
/// # Errors
/// [`PlacesError`].
pub fn places(
    path: &Path,
    workspace: &Path,
    addresses: impl IntoIterator<Item = u32>,
) -> Result<Vec<Place>, PlacesError> {
    let file = File::open(path).map_err(|source| PlacesError::Open {
        path: path.into(),
        source,
    })?;
    let unreadable = |source| PlacesError::Read {
        path: path.into(),
        source,
    };
    let pdb = PDB::open(file).map_err(|error| unreadable(error.into()))?;
    let data = ContextPdbData::try_from_pdb(pdb).map_err(unreadable)?;
    let context = data.make_context().map_err(unreadable)?;
    let place = |address| {
        let found = context.find_frames(address).map_err(unreadable)?;
        let frames = found.map_or_else(Vec::new, |found| found.frames);
        Ok(choose(&frames, workspace).unwrap_or_else(|| Place {
            file: "?".to_owned(),
            function: format!("{address:#x}"),
            line: 0,
        }))
    };
    addresses.into_iter().map(place).collect()
}

/// The innermost of `frames` that is in the workspace, else the outermost.
fn choose(frames: &[Frame<'_>], workspace: &Path) -> Option<Place> {
    let place = |frame: &Frame<'_>, file: &Path| Place {
        file: file.to_string_lossy().into_owned(),
        function: frame.function.as_deref().map_or_else(String::new, plain),
        line: frame.line.unwrap_or_default(),
    };
    let ours = frames.iter().find_map(|frame| {
        let file = Path::new(frame.file.as_deref()?);
        Some(place(frame, within(workspace, file)?))
    });
    ours.or_else(|| {
        let frame = frames.last()?;
        Some(place(frame, Path::new(frame.file.as_deref()?)))
    })
}

/// The end of `path` that is a file's path in the workspace: nobody has to know what the linker
/// was told to call the workspace.
fn within<'a>(workspace: &Path, path: &'a Path) -> Option<&'a Path> {
    let mut end = path.components();
    end.next();
    while end.next().is_some() {
        if workspace.join(end.as_path()).is_file() {
            return Some(end.as_path());
        }
    }
    None
}

/// A function's name without parameters, type parameters and closures: `T::f` for both
/// `<T<A>>::f::<B>` and `<T as Trait>::f::{closure#0}`.
#[must_use]
pub fn plain(name: &str) -> String {
    let (kind, path) = match name.strip_prefix('<').and_then(split_at_close) {
        Some((kind, path)) => (kind.split(" as ").next().map(plain), path),
        None => (None, name),
    };
    let end = path.find(['<', '(', '{']).unwrap_or(path.len());
    kind.unwrap_or_default() + path[..end].trim_end_matches("::")
}

/// What is before and after the `>` for which the `<` is gone.
fn split_at_close(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    for (at, bracket) in text.match_indices(['<', '>']) {
        match bracket {
            "<" => depth += 1,
            // The arrow of a function's type closes nothing.
            _ if text[..at].ends_with('-') => {}
            _ => depth -= 1,
        }
        if depth == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_told_without_what_is_in_brackets() {
        for (name, expected) in [
            ("ring::size", "ring::size"),
            ("ring::Ring::put<u32>", "ring::Ring::put"),
            ("<ring::Ring<fn() -> u8>>::put::<u32>", "ring::Ring::put"),
            ("<ring::Ring as core::ops::Drop>::drop", "ring::Ring::drop"),
            ("<ring::Ring>::put::{closure#0}", "ring::Ring::put"),
            ("ring::put(u32, u32)", "ring::put"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn the_end_of_a_path_that_is_a_file_of_the_workspace_is_found() {
        let room = tempfile::tempdir().unwrap();
        std::fs::create_dir(room.path().join("ring")).unwrap();
        std::fs::write(room.path().join("ring/size.rs"), "").unwrap();
        let found = |path| within(room.path(), Path::new(path)).and_then(Path::to_str);
        assert_eq!(found("/elsewhere/ring/size.rs"), Some("ring/size.rs"));
        assert_eq!(found("/rustc/library/size.rs"), None);
    }

    proptest! {
        #[test]
        fn any_name_is_told(name in "[a-z:<>(){ -é]{0,24}") {
            let _ = plain(&name);
        }
    }
}
