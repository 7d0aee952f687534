//! Names of an image's functions, from the map that the linker writes beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The functions of an image.
#[derive(Debug, Default)]
pub(super) struct Symbols(BTreeMap<u64, String>);

impl Symbols {
    /// Those of the image at `path`; none if there is no map beside it.
    pub(super) fn beside(path: &Path) -> Symbols {
        let map = fs::read_to_string(path.with_extension("map"));
        map.map_or_else(|_| Symbols::default(), |map| Symbols::parse(&map))
    }

    /// Reads a map as LINK and LLD write it. Lines that are no symbols are passed over.
    fn parse(map: &str) -> Symbols {
        let base = map
            .lines()
            .find_map(|line| line.trim().strip_prefix("Preferred load address is "))
            .and_then(|base| u64::from_str_radix(base, 16).ok());
        let Some(base) = base else {
            return Symbols::default();
        };
        let symbol = |line: &str| {
            // Section and offset, name, address, and where it is from.
            let mut words = line.split_whitespace();
            words.next()?.split_once(':')?;
            let name = words.next()?;
            let address = u64::from_str_radix(words.next()?, 16).ok()?;
            let name = format!("{:#}", rustc_demangle::demangle(name));
            Some((address.checked_sub(base)?, name))
        };
        Symbols(map.lines().filter_map(symbol).collect())
    }

    /// The function that has the byte at `offset` of the image.
    pub(super) fn at(&self, offset: usize) -> Option<&str> {
        let (_, name) = self.0.range(..=offset as u64).next_back()?;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAP: &str = "\
 driver

 Preferred load address is 0000000180000000

 Start         Length     Name                   Class
 0001:00000000 00001000H .text                   CODE

  Address         Publics by Value              Rva+Base               Lib:Object

 0001:00000000       DriverEntry                0000000180001000     driver.o
 0001:00000020       _RNvNtCsbRRLXnrSwb4_7ntwatch6worker3run 0000000180001020     driver.o
";

    #[test]
    fn an_address_is_in_the_function_that_begins_before_it() {
        let symbols = Symbols::parse(MAP);
        assert_eq!(symbols.at(0xfff), None);
        assert_eq!(symbols.at(0x101f), Some("DriverEntry"));
        assert_eq!(symbols.at(0x1020), Some("ntwatch::worker::run"));
    }

    proptest! {
        #[test]
        fn whatever_is_in_a_map_is_read_or_passed_over(lines in prop::collection::vec(
            "( ?[0-9a-g]{1,20}[: ]?){0,5}", 0..8
        )) {
            let map = format!("Preferred load address is 0000000180000000\n{}", lines.join("\n"));
            Symbols::parse(&map).at(0x1000);
        }
    }
}
