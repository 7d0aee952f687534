//! Copies of the shipped driver with something wrong in them, which the checks must notice.
#![allow(dead_code, reason = "not every room of tests has use for all of it")]

use ntwatch_wdk_check::{pe::Image, read};
use object::{LittleEndian as LE, pe::ImageSectionHeader};

/// Sizes of an image's headers (page "PE Format").
const FILE_HEADER: usize = 24;
const SECTION_HEADER: usize = 40;
/// Where the data directories begin in the optional header.
const DIRECTORIES: usize = 112;

/// The shipped driver with `bytes` at `address`, relative to its base.
pub(crate) fn at(address: u32, bytes: &[u8]) -> Vec<u8> {
    let file = read("driver");
    let image = Image::parse(&file);
    let sections = image.pe.section_table();
    let (start, end) = sections
        .iter()
        .find_map(|section| section.pe_file_range_at(address))
        .expect("a section with the address");
    assert!(bytes.len() <= end as usize);
    with(&file, start as usize, bytes)
}

/// The shipped driver with `code` where the system enters it.
pub(crate) fn at_entry_point(code: &[u8]) -> Vec<u8> {
    at(Image::parse(&read("driver")).entry_point(), code)
}

/// The shipped driver with `to`, which is no longer, where it first has the bytes `from`.
pub(crate) fn in_place_of(from: &[u8], to: &[u8]) -> Vec<u8> {
    let file = read("driver");
    let at = file.windows(from.len()).position(|bytes| bytes == from);
    assert!(to.len() <= from.len());
    with(&file, at.expect("the bytes"), to)
}

/// The shipped driver with `bytes` so far into the optional header.
pub(crate) fn in_optional_header(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let file = read("driver");
    with(&file, optional_header(&Image::parse(&file)) + offset, bytes)
}

/// The shipped driver with another address and size of a data directory.
pub(crate) fn with_directory(index: usize, address: u32, size: u32) -> Vec<u8> {
    let bytes = [address.to_le_bytes(), size.to_le_bytes()].concat();
    in_optional_header(DIRECTORIES + 8 * index, &bytes)
}

/// The shipped driver with a word in the header of the section `name` changed.
pub(crate) fn in_section_header(
    name: &str,
    offset: usize,
    change: impl FnOnce(u32) -> u32,
) -> Vec<u8> {
    let file = read("driver");
    let image = Image::parse(&file);
    let sections = image.pe.section_table();
    let is_named = |section: &ImageSectionHeader| section.raw_name() == name.as_bytes();
    let index = sections.iter().position(is_named).expect("the section");
    let size = image.pe.nt_headers().file_header.size_of_optional_header;
    let headers = optional_header(&image) + usize::from(size.get(LE));
    let field = headers + index * SECTION_HEADER + offset;
    let was = u32::from_le_bytes(*file[field..].first_chunk().expect("a header"));
    with(&file, field, &change(was).to_le_bytes())
}

fn optional_header(image: &Image<'_>) -> usize {
    image.pe.dos_header().nt_headers_offset() as usize + FILE_HEADER
}

fn with(file: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[offset..][..bytes.len()].copy_from_slice(bytes);
    file
}
