//! Names of functions and variables, from the linker's PDB.

use std::{collections::BTreeMap, fs::File, path::Path};

use pdb_addr2line::{
    ContextPdbData,
    pdb::{FallibleIterator as _, PDB, SymbolData},
};

/// The names in a PDB, by address.
#[derive(Debug, Default)]
pub struct Symbols {
    functions: BTreeMap<u32, String>,
    variables: BTreeMap<u32, String>,
}

impl Symbols {
    /// Reads the PDB at `path`.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let mut pdb = PDB::open(File::open(path).expect("the PDB")).expect("a PDB");
        let variables = variables(&mut pdb);
        let data = ContextPdbData::try_from_pdb(pdb).expect("a PDB with modules");
        let context = data.make_context().expect("a PDB with modules");
        let functions = context.functions();
        let functions = functions.filter_map(|f| Some((f.start_rva, plain(&f.name?))));
        Self {
            functions: functions.collect(),
            variables,
        }
    }

    /// The name of the function that begins at `address`.
    #[must_use]
    pub fn function(&self, address: u32) -> String {
        let name = self.functions.get(&address).cloned();
        name.unwrap_or_else(|| format!("{address:#x}"))
    }

    /// Where the function of a name begins.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn address(&self, name: &str) -> u32 {
        let mut functions = self.functions.iter();
        let function = functions.find(|(_, function)| *function == name);
        *function.unwrap_or_else(|| panic!("no function {name}")).0
    }

    /// The name of the public variable at `address`.
    #[must_use]
    pub fn variable(&self, address: u32) -> Option<&str> {
        self.variables.get(&address).map(String::as_str)
    }
}

/// The public symbols that are no functions.
fn variables(pdb: &mut PDB<'_, File>) -> BTreeMap<u32, String> {
    let addresses = pdb.address_map().expect("an address map");
    let symbols = pdb.global_symbols().expect("public symbols");
    let mut symbols = symbols.iter();
    let mut variables = BTreeMap::new();
    while let Some(symbol) = symbols.next().expect("a symbol") {
        if let Ok(SymbolData::Public(public)) = symbol.parse()
            && let Some(address) = public.offset.to_rva(&addresses)
        {
            variables.insert(address.0, public.name.to_string().into_owned());
        }
    }
    variables
}

/// A name without its parameters.
fn plain(name: &str) -> String {
    let name = name.split_once(['<', '(']).map_or(name, |(name, _)| name);
    name.to_owned()
}
