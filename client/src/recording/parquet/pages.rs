//! The pages of a column, held against what ntwatch writes before anything is made of them.
//!
//! N.B. `parquet`'s own reader of pages believes their headers: it takes the memory that they speak
//! of, and panics where one names a dictionary that is not there. Recordings may come from anywhere.

use super::page_header::{Kind, LONGEST, PageHeader};
use super::{FACT, PAGE};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::sync::Arc;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

/// A page may have a fact more than it is meant to, and levels.
const MOST: usize = 2 * PAGE + FACT;
/// No value of a dictionary has fewer bytes.
const LEAST_VALUE: usize = 4;

/// The pages of a column in one row group.
pub(super) struct Pages {
    file: Arc<File>,
    at: u64,
    /// Bytes that were not read yet.
    left: u64,
    /// Values that were not read yet.
    values: u64,
    has_dictionary: bool,
    unpacker: Decompressor<'static>,
}

impl Pages {
    /// Those of a column that has so many values.
    pub(super) fn new(file: Arc<File>, column: &ColumnChunkMetaData, values: u64) -> Result<Self> {
        if !matches!(column.compression(), Compression::ZSTD(_)) {
            return Err(unlike("a column is packed otherwise"));
        }
        let data = column.data_page_offset();
        let at = u64::try_from(column.dictionary_page_offset().unwrap_or(data))?;
        let left = u64::try_from(column.compressed_size())?;
        let end = at.checked_add(left);
        if end.is_none_or(|end| end > file.len()) {
            return Err(ParquetError::EOF("the file ends before it".to_owned()));
        }
        Ok(Self {
            file,
            at,
            left,
            values,
            has_dictionary: false,
            unpacker: Decompressor::new()?,
        })
    }

    /// The header of the next page, and where the page is; `None` behind the last one.
    fn header(&self) -> Result<Option<(PageHeader, u64)>> {
        if self.left == 0 {
            return Ok(None);
        }
        let longest = self.left.min(LONGEST as u64) as usize;
        let bytes = self.file.get_bytes(self.at, longest)?;
        let (header, len) =
            PageHeader::read(&bytes).ok_or_else(|| unlike("the header of a page is another"))?;
        let room = self.left - len as u64;
        if header.packed as u64 > room || header.unpacked > MOST {
            return Err(unlike("a page is too large"));
        }
        let is_too_many = match header.kind {
            Kind::Dictionary => header.values as usize > header.unpacked / LEAST_VALUE,
            Kind::Data(_) => u64::from(header.values) > self.values,
        };
        if is_too_many {
            return Err(unlike("a page has too many values"));
        }
        Ok(Some((header, self.at + len as u64)))
    }

    /// Goes on behind this page, which begins there.
    fn pass(&mut self, header: &PageHeader, begins: u64) -> Result<()> {
        match header.kind {
            Kind::Dictionary if self.has_dictionary => {
                return Err(unlike("a column has two dictionaries"));
            }
            Kind::Dictionary => self.has_dictionary = true,
            Kind::Data(Encoding::RLE_DICTIONARY) if !self.has_dictionary => {
                return Err(unlike("a column lacks its dictionary"));
            }
            Kind::Data(_) => self.values -= u64::from(header.values),
        }
        let end = begins + header.packed as u64;
        self.left -= end - self.at;
        self.at = end;
        Ok(())
    }

    /// What is in a page.
    fn unpack(&mut self, header: &PageHeader, begins: u64) -> Result<Bytes> {
        let packed = self.file.get_bytes(begins, header.packed)?;
        // Memory is taken only if both say so.
        let says = get_frame_content_size(&packed).ok().flatten();
        if says != Some(header.unpacked as u64) {
            return Err(unlike("two sizes of a page differ"));
        }
        let mut unpacked = Vec::with_capacity(header.unpacked);
        self.unpacker.decompress_to_buffer(&packed, &mut unpacked)?;
        Ok(unpacked.into())
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some((header, begins)) = self.header()? else {
            return Ok(None);
        };
        self.pass(&header, begins)?;
        let buf = self.unpack(&header, begins)?;
        let num_values = header.values;
        Ok(Some(match header.kind {
            Kind::Dictionary => Page::DictionaryPage {
                buf,
                num_values,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            },
            Kind::Data(encoding) => Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            },
        }))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let next = self.header()?.map(|(header, _)| {
            let is_dict = header.kind == Kind::Dictionary;
            PageMetadata {
                num_rows: None,
                num_levels: (!is_dict).then_some(header.values as usize),
                is_dict,
            }
        });
        Ok(next)
    }

    fn skip_next_page(&mut self) -> Result<()> {
        match self.header()? {
            Some((header, begins)) => self.pass(&header, begins),
            None => Ok(()),
        }
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// No recording has this.
pub(super) fn unlike(what: &str) -> ParquetError {
    ParquetError::General(format!("{what}, unlike in what ntwatch writes"))
}
