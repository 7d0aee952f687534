//! A file's end, the footer: it says where columns are.

use super::{ROWS, footer};
use crate::recording::error::{Fault, Place};
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// What a file begins with, and ends with once it is whole.
const MAGIC: [u8; 4] = *b"PAR1";

/// What the end of this file says.
pub(super) struct End {
    pub(super) says: ParquetMetaData,
    /// Is it the one beside a file whose writer has not come to its own?
    pub(super) is_beside: bool,
}

pub(super) fn read(path: &Path, file: &File) -> Result<End, Fault> {
    let mut first = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut first)?;
    let footer = footer(path);
    let is_ours = match &footer {
        // Its first bytes are written when others are.
        Some(_) => MAGIC.starts_with(&first),
        None => MAGIC == *first,
    };
    if !is_ours {
        return damaged(
            "this is not Parquet, which begins with PAR1; choose the format that it has",
        );
    }
    let own = own(file);
    let is_beside = footer.is_some() && own.is_err();
    let says = match footer {
        // A writer that was killed may have lacked nothing but the time to give the file its name.
        Some(footer) if is_beside => beside(&footer, file),
        _ => own,
    };
    says.map(|says| End { says, is_beside })
}

/// The end of a file that is whole.
fn own(mut file: &File) -> Result<ParquetMetaData, Fault> {
    let mut last = [0; MAGIC.len()];
    file.seek(SeekFrom::End(-(MAGIC.len() as i64)))?;
    file.read_exact(&mut last)?;
    if last != MAGIC || file.stream_position()? == MAGIC.len() as u64 {
        return damaged(
            "it is cut off: its end, which says where its columns are, is missing; \
             it has to be copied or recorded again",
        );
    }
    parsed(parser().parse_and_finish(file))
}

/// The end so far of a file that grows.
fn beside(footer: &Path, file: &File) -> Result<ParquetMetaData, Fault> {
    match fs::read(footer) {
        Ok(end) => parsed(parser().parse_and_finish(&Bytes::from(end))),
        Err(error) if error.kind() != io::ErrorKind::NotFound => damaged(format!(
            "{}, which says where its columns are, cannot be read: {error}",
            footer.display()
        )),
        Err(_) if file.metadata()?.len() <= MAGIC.len() as u64 => damaged(format!(
            "no row group was written yet; the first is after a minute, or {ROWS} events"
        )),
        Err(_) => damaged(format!(
            "{} is missing, which says where its columns are: either it was left behind, and has to \
             be put beside this file, or no row group was done yet",
            footer.display()
        )),
    }
}

/// Reads ends, without what only other programs look at.
fn parser() -> ParquetMetaDataReader {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ParquetMetaDataReader::new().with_metadata_options(Some(options))
}

fn parsed(end: Result<ParquetMetaData, ParquetError>) -> Result<ParquetMetaData, Fault> {
    end.or_else(|error| match error {
        ParquetError::External(error) if error.is::<io::Error>() => {
            Err(Fault::Io(io::Error::other(error)))
        }
        error => damaged(format!(
            "its end, which says where its columns are, is damaged: {error}; \
             it has to be copied or recorded again"
        )),
    })
}

fn damaged<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Damaged(Place::Nowhere, why.into()))
}
