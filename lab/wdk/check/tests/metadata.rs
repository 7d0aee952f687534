//! The kit's NT structures, held against Microsoft's metadata. (That every function the images
//! import is known is checked when this crate compiles.)

use ntwatch_lab_figures::tell;
use ntwatch_wdk_check::metadata::COMPARISONS;

#[test]
fn every_nt_structure_is_laid_out_as_in_microsofts_metadata() {
    let differences: Vec<_> = COMPARISONS.iter().filter(|c| c.kit != c.metadata).collect();
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(
        COMPARISONS
            .iter()
            .any(|c| c.what == "offset of PS_CREATE_NOTIFY_INFO_0::Flags")
    );
    let compared = COMPARISONS.len() as u64;
    tell(
        "structures as in Microsoft's metadata",
        compared,
        "sizes and offsets",
    );
}
