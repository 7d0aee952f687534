//! Parquet: columns that nest as the facts do in JSON.
//!
//! `process.pid` is the column `pid` of the group `process`. A group is null where an event has
//! none of its facts. Beside a time, which has microseconds in UTC, is the same as Windows counts
//! it, with `_100ns` behind the name: units of 100 ns since 1601. Numbers are signed, of 64 bits;
//! what is `0x…` in JSON is the same text here.

mod columns;
mod end;
mod page_header;
mod pages;
mod read;
mod write;

pub(super) use read::ParquetReader;
pub(super) use write::ParquetWriter;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A row group has at most so many events.
const ROWS: usize = 65_536;
/// A page is full with so many bytes.
const PAGE: usize = 1 << 20;
/// No fact is longer, in bytes: a record of the driver's has less than half of it.
const FACT: usize = 1 << 20;

/// What the name of the file ends in that has the end so far of one that grows.
const FOOTER: &str = "footer";

/// The file beside one that grows which has its footer: `day.parquet.footer` for
/// `day.parquet.growing`. With it every row group that was written can be read.
pub(super) fn footer(growing: &Path) -> Option<PathBuf> {
    let grows = growing.extension() == Some(OsStr::new(super::GROWING));
    grows.then(|| growing.with_extension(FOOTER))
}
