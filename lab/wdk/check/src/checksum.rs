//! The checksum of an image, which the system looks at before it loads a driver.

use object::{LittleEndian as LE, read::pe::PeFile64};

/// The offset of `CheckSum` in the optional header (page "PE Format").
const CHECKSUM: usize = 64;
/// The size of what is between the start of the NT headers and the optional header.
const FILE_HEADER: usize = 24;

/// The checksum that the headers of `pe`, read from `file`, have.
#[must_use]
pub fn recorded(pe: &PeFile64<'_>) -> u32 {
    pe.nt_headers().optional_header.check_sum.get(LE)
}

/// The checksum that they should have: the sum of all words but its own, with carries added, and
/// the length of the file (page "CheckSumMappedFile").
#[must_use]
pub fn computed(pe: &PeFile64<'_>, file: &[u8]) -> u32 {
    let field = pe.dos_header().nt_headers_offset() as usize + FILE_HEADER + CHECKSUM;
    let words = file.chunks(2).enumerate();
    let others = words.filter(|(word, _)| !(field..field + 4).contains(&(word * 2)));
    let sum = others.fold(0, |sum, (_, word)| {
        let word = u32::from(word[0]) | u32::from(word.get(1).copied().unwrap_or_default()) << 8;
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    });
    sum + file.len() as u32
}
