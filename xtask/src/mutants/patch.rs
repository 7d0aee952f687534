//! What a patch of `lab/mutants` says of itself.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::command::workspace;

/// A bug to plant.
#[derive(Debug)]
pub(crate) struct Patch {
    /// The name of its file.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) needs: Needs,
    /// The program of tests to run first, as it is known to catch it.
    pub(super) first: Option<String>,
    /// Is it planted in every run of the tests?
    pub(super) short: bool,
    /// Why nothing catches it, if that is known.
    pub(super) known: Option<String>,
}

/// What has to happen for the bug to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    Race,
    /// Of what two processors see, which seldom happens and which loom explores.
    Ordering,
    Fault,
    HostileInput,
    /// It may never show in what the driver does.
    LookAtTheFile,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Race => "a race",
            Self::Ordering => "an ordering",
            Self::Fault => "a fault",
            Self::HostileInput => "hostile input",
            Self::LookAtTheFile => "a look at the file",
        })
    }
}

impl Needs {
    const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Race,
        Self::Ordering,
        Self::Fault,
        Self::HostileInput,
        Self::LookAtTheFile,
    ];
}

impl Patch {
    /// All that there are, by name.
    pub(super) fn all() -> Result<Vec<Self>> {
        let directory = workspace().join("lab/mutants");
        let entries = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "patch")
            {
                paths.push(path);
            }
        }
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let name = path.file_stem().context("a patch has a name")?;
        let name = name.to_string_lossy().into_owned();
        Self::parse(name, path, &text).with_context(|| path.display().to_string())
    }

    /// What stands before the difference: a text that says what is wrong, and lines of the form
    /// `Needs: a race`, `First: places`, `Short: yes` and `Known: not caught, because …`.
    fn parse(name: String, path: &Path, text: &str) -> Result<Self> {
        let header = text.split("\n--- ").next().unwrap_or_default();
        let line = |key: &str| header.lines().find_map(|line| line.strip_prefix(key));
        let needs = line("Needs: ").context("no line says what it needs")?;
        let Some(needs) = Needs::ALL.into_iter().find(|of| of.to_string() == needs) else {
            bail!("needs {needs:?}, which nobody can give");
        };
        let short = match line("Short: ") {
            None => false,
            Some("yes") => true,
            Some(other) => bail!("Short: {other:?} is not \"yes\""),
        };
        let known = match line("Known: ") {
            None => None,
            Some(known) => {
                let why = known.strip_prefix("not caught, because ");
                Some(why.context("Known: has no \"not caught, because \"")?)
            }
        };
        let first = line("First: ").map(str::to_owned);
        if needs == Needs::Ordering && first.is_some() {
            bail!("an ordering is for loom alone: First: has no meaning");
        }
        Ok(Self {
            name,
            path: path.to_owned(),
            needs,
            first,
            short,
            known: known.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Patch> {
        Patch::parse("bug".into(), Path::new("bug.patch"), text)
    }

    #[test]
    fn a_patch_says_what_it_needs() {
        let patch = parse(
            "A bug.\n\nNeeds: a race\nFirst: places\nShort: yes\n\n--- a/x\n+Needs: a fault\n",
        );
        let patch = patch.unwrap();
        let first = patch.first.as_deref();
        assert_eq!(
            (patch.needs, first, patch.short, patch.known),
            (Needs::Race, Some("places"), true, None)
        );
        let missed = parse("Needs: nothing\nKnown: not caught, because of this\n").unwrap();
        assert_eq!(missed.known.as_deref(), Some("of this"));
    }

    #[test]
    fn what_a_patch_does_not_say_is_asked_for() {
        for text in ["A bug.\n", "Needs: luck\n", "Needs: a race\nShort: no\n"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("Needs: a race\nKnown: yes\n").is_err());
    }
}
