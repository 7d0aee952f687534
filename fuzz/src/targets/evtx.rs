//! A log of Windows', as small as one can be: a file of one chunk, whose records are binary XML
//! without templates (page "[MS-EVEN6] BinXml"; file and chunk as Metz' "Windows XML Event Log
//! (EVTX) format" has them). It says that it has no checksums, so that what is changed in it is
//! read all the same.

/// Bytes of the file's header, of a chunk, and of a chunk's header.
const HEADER: usize = 4096;
const CHUNK: usize = 65536;
const CHUNK_HEADER: usize = 512;

/// The flag of file and chunk, and where it is in both.
const NO_CHECKSUMS: u32 = 4;
const FLAGS: usize = 120;

/// When each record was written: 2020-10-09 22:27, in 100 ns since 1601.
const WRITTEN: u64 = 132_467_488_200_000_000;

/// An element: its name, an attribute and its value, and what is inside.
pub(super) struct Element<'a> {
    pub(super) name: &'a str,
    pub(super) attribute: Option<(&'a str, &'a str)>,
    pub(super) content: Content<'a>,
}

pub(super) enum Content<'a> {
    Text(&'a str),
    Elements(Vec<Element<'a>>),
}

/// A file with these records.
pub(super) fn log(records: &[Element<'_>]) -> Vec<u8> {
    let count = records.len() as u64;
    let mut chunk = vec![0; CHUNK_HEADER];
    let mut last = 0;
    for (id, record) in (1..).zip(records) {
        last = chunk.len();
        add_record(id, record, &mut chunk);
    }
    put(&mut chunk, 0, b"ElfChnk\0");
    for (at, number) in [(8, 1), (16, count), (24, 1), (32, count)] {
        put(&mut chunk, at, &number.to_le_bytes());
    }
    let end = chunk.len() as u32;
    for (at, number) in [
        (40, 128),
        (44, last as u32),
        (48, end),
        (FLAGS, NO_CHECKSUMS),
    ] {
        put(&mut chunk, at, &number.to_le_bytes());
    }
    chunk.resize(CHUNK, 0);
    let mut file = vec![0; HEADER];
    put(&mut file, 0, b"ElfFile\0");
    put(&mut file, 24, &(count + 1).to_le_bytes());
    put(&mut file, 32, &128_u32.to_le_bytes());
    for (at, number) in [(36, 1), (38, 3), (40, HEADER as u16), (42, 1)] {
        put(&mut file, at, &number.to_le_bytes());
    }
    put(&mut file, FLAGS, &NO_CHECKSUMS.to_le_bytes());
    [file, chunk].concat()
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

fn add_record(id: u64, root: &Element<'_>, chunk: &mut Vec<u8>) {
    let start = chunk.len();
    chunk.extend(b"**\0\0");
    let size_at = leave_size(chunk);
    chunk.extend(id.to_le_bytes());
    chunk.extend(WRITTEN.to_le_bytes());
    // The beginning of a fragment, version 1.1, and its end.
    chunk.extend([0x0f, 1, 1, 0]);
    add_element(root, chunk);
    chunk.push(0);
    // At the end as at the beginning.
    let size = (chunk.len() + size_of::<u32>() - start) as u32;
    chunk.extend(size.to_le_bytes());
    put(chunk, size_at, &size.to_le_bytes());
}

fn add_element(element: &Element<'_>, chunk: &mut Vec<u8>) {
    // What has attributes is another token.
    chunk.push(if element.attribute.is_some() {
        0x41
    } else {
        0x01
    });
    let size_at = leave_size(chunk);
    add_name(element.name, chunk);
    if let Some((name, value)) = element.attribute {
        let size_at = leave_size(chunk);
        chunk.push(0x06);
        add_name(name, chunk);
        add_text(value, chunk);
        fill_size(size_at, chunk);
    }
    // The start is complete; then comes the end.
    chunk.push(0x02);
    match &element.content {
        Content::Text(text) => add_text(text, chunk),
        Content::Elements(elements) => elements.iter().for_each(|e| add_element(e, chunk)),
    }
    chunk.push(0x04);
    fill_size(size_at, chunk);
}

/// Where a name stands, which is right behind.
fn add_name(name: &str, chunk: &mut Vec<u8>) {
    let at = chunk.len() + size_of::<u32>();
    chunk.extend((at as u32).to_le_bytes());
    // Neither a next name of the same hash nor a hash: nobody looks it up.
    chunk.extend([0; 6]);
    add_wide(name, chunk);
    chunk.extend([0; 2]);
}

fn add_text(text: &str, chunk: &mut Vec<u8>) {
    // A value, of the type string.
    chunk.extend([0x05, 0x01]);
    add_wide(text, chunk);
}

fn add_wide(text: &str, chunk: &mut Vec<u8>) {
    let units = text.encode_utf16().count() as u16;
    chunk.extend(units.to_le_bytes());
    chunk.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
}

/// Room for the size of what follows it.
fn leave_size(chunk: &mut Vec<u8>) -> usize {
    let at = chunk.len();
    chunk.extend([0; size_of::<u32>()]);
    at
}

fn fill_size(at: usize, chunk: &mut [u8]) {
    let size = (chunk.len() - at - size_of::<u32>()) as u32;
    put(chunk, at, &size.to_le_bytes());
}
