//! Names of an image's functions, from the PDB that the linker writes beside it.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use pdb_addr2line::pdb::PDB;
use pdb_addr2line::{Context, ContextPdbData, Frame, TypeFormatterFlags};
use self_cell::self_cell;

type Lines<'a> = Context<'a, 'static>;

self_cell! {
    /// What is read of a PDB, and what finds an address in it.
    struct Names {
        owner: ContextPdbData<'static, 'static, File>,
        #[not_covariant]
        dependent: Lines,
    }
}

/// An image's name and those of its functions, which are read when the first is asked for. They
/// outlive the image.
pub(crate) struct Symbols {
    path: PathBuf,
    image: String,
    names: OnceLock<Option<Mutex<Names>>>,
}

impl Symbols {
    /// Those of the image at `path`.
    pub(super) fn of(path: &Path) -> Symbols {
        let image = path.file_name().unwrap_or(path.as_os_str());
        Symbols {
            path: path.into(),
            image: image.to_string_lossy().into_owned(),
            names: OnceLock::new(),
        }
    }

    /// The image's file name.
    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    /// The functions that have the instruction at `offset` of the image, with their lines of source:
    /// what is inlined first, the one that is really there last. None if there is no PDB.
    pub(crate) fn functions_at(&self, offset: usize) -> Vec<String> {
        let names = self.names.get_or_init(|| read(&self.path).map(Mutex::new));
        let Some(names) = names else {
            return Vec::new();
        };
        let names = names.lock().unwrap();
        names.with_dependent(|_, lines| {
            let found = lines.find_frames(offset as u32).ok().flatten();
            let frames = found.map_or_else(Vec::new, |found| found.frames);
            frames.iter().map(describe).collect()
        })
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "symbols of {}", self.image)
    }
}

fn read(image: &Path) -> Option<Names> {
    let pdb = PDB::open(File::open(image.with_extension("pdb")).ok()?).ok()?;
    let data = ContextPdbData::try_from_pdb(pdb).ok()?;
    let flags = TypeFormatterFlags::default() | TypeFormatterFlags::NO_ARGUMENTS;
    Names::try_new(data, |data| data.make_context_with_formatter_flags(flags)).ok()
}

/// A function, and the file and line of the instruction.
fn describe(frame: &Frame<'_>) -> String {
    let mut text = frame.function.as_deref().unwrap_or("?").to_owned();
    if let (Some(file), Some(line)) = (&frame.file, frame.line) {
        let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let _ = write!(text, " ({file}:{line})");
    }
    text
}
