//! Where images lie, to tell which one an address belongs to.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Images remembered of one address space. Windows tells of no unloading, so only what is mapped
/// over an image shows that it is gone.
const MOST: usize = 4096;

/// The images of one address space.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    by_base: BTreeMap<u64, Module>,
}

#[derive(Debug)]
struct Module {
    /// The last address that belongs to it.
    last: u64,
    path: Arc<str>,
}

impl Modules {
    /// An image was mapped; whatever lay there before is gone.
    pub(crate) fn load(&mut self, base: u64, size: u64, path: Arc<str>) {
        let Some(last) = size.checked_sub(1).and_then(|size| base.checked_add(size)) else {
            return;
        };
        while let Some((below, module)) = self.by_base.range(..=last).next_back()
            && module.last >= base
        {
            let below = *below;
            self.by_base.remove(&below);
        }
        if self.by_base.len() >= MOST {
            self.by_base.pop_first();
        }
        self.by_base.insert(base, Module { last, path });
    }

    /// The image that `address` lies in, and how far, in bytes.
    pub(crate) fn find(&self, address: u64) -> Option<(Arc<str>, u64)> {
        let (base, module) = self.by_base.range(..=address).next_back()?;
        (address <= module.last).then(|| (Arc::clone(&module.path), address - base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_lies_in_the_image_around_it_and_in_no_other() {
        let mut modules = Modules::default();
        modules.load(0x1000, 0x1000, "a.dll".into());
        modules.load(0x3000, 0x1000, "b.dll".into());
        let find = |address| modules.find(address);
        assert_eq!(find(0x1000), Some(("a.dll".into(), 0)));
        assert_eq!(find(0x1fff), Some(("a.dll".into(), 0xfff)));
        assert_eq!(find(0x3010), Some(("b.dll".into(), 0x10)));
        for nowhere in [0, 0xfff, 0x2000, 0x2fff, 0x4000, u64::MAX] {
            assert_eq!(find(nowhere), None, "{nowhere:#x}");
        }
    }

    #[test]
    fn images_without_end_are_remembered_up_to_a_bound() {
        let mut modules = Modules::default();
        for nth in 0..3 * MOST as u64 {
            modules.load(nth << 12, 0x1000, "a.dll".into());
        }
        assert_eq!(modules.by_base.len(), MOST);
    }

    proptest! {
        /// Held against a list of all loads, of which the latest that covers an address counts,
        /// if nothing that came after it overlaps it.
        #[test]
        fn what_is_mapped_over_an_image_takes_its_place(
            loads in prop::collection::vec((0..64u64, 0..16u64), 0..24),
            address in 0..96u64,
        ) {
            let mut modules = Modules::default();
            for (nth, (base, size)) in loads.iter().enumerate() {
                modules.load(*base, *size, nth.to_string().into());
            }
            let overlap = |(a, n): (u64, u64), (b, m): (u64, u64)| a < b + m && b < a + n;
            let alive = |nth: usize| {
                let later = &loads[nth + 1..];
                !later.iter().any(|other| other.1 > 0 && overlap(loads[nth], *other))
            };
            let expected = (0..loads.len())
                .find(|nth| alive(*nth) && overlap(loads[*nth], (address, 1)))
                .map(|nth| (nth.to_string().into(), address - loads[nth].0));
            prop_assert_eq!(modules.find(address), expected);
        }
    }
}
