//! Copies of the shipped driver with something wrong in them, which the checks must notice.

use ntwatch_wdk_check::{pe::Image, read};
use object::LittleEndian as LE;

/// The shipped driver with `bytes` at `address`, relative to its base.
pub(crate) fn at(address: u32, bytes: &[u8]) -> Vec<u8> {
    let mut file = read("driver");
    let image = Image::parse(&file);
    let sections = image.pe.section_table();
    let (start, end) = sections
        .iter()
        .find_map(|section| section.pe_file_range_at(address))
        .expect("a section with the address");
    assert!(bytes.len() <= end as usize);
    file[start as usize..][..bytes.len()].copy_from_slice(bytes);
    file
}

/// The shipped driver with `code` where the system enters it.
pub(crate) fn at_entry_point(code: &[u8]) -> Vec<u8> {
    at(Image::parse(&read("driver")).entry_point(), code)
}

/// The shipped driver with more characteristics of the section with its entry point.
#[allow(dead_code, reason = "not every room of tests has use for it")]
pub(crate) fn with_code_characteristics(characteristics: u32) -> Vec<u8> {
    let mut file = read("driver");
    let image = Image::parse(&file);
    let sections = image.pe.section_table();
    let mut sections = sections.iter();
    let code = sections
        .position(|section| image.is_code(section.virtual_address.get(LE)))
        .expect("code");
    let headers = image.pe.dos_header().nt_headers_offset() as usize;
    let optional = image.pe.nt_headers().file_header.size_of_optional_header;
    let field = headers + 24 + usize::from(optional.get(LE)) + code * 40 + 36;
    let was = u32::from_le_bytes(*file[field..].first_chunk().expect("a header"));
    file[field..][..4].copy_from_slice(&(was | characteristics).to_le_bytes());
    file
}
