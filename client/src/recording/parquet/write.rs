//! Parquet, written.

use super::super::write::Out;
use super::{FACT, PAGE, ROWS, columns};
use crate::event::{Body, Counts, Event};
use crate::field::{Field, Type, Value};
use crate::time::Time;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{AsBytes, BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{FileMetaData, ParquetMetaData, ParquetMetaDataWriter};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A row group of a stream has the events of at most so long, unless there was none to end it.
const TIME: Duration = Duration::from_secs(60);

/// Bytes of text at most that wait for their row group. One command line may have 64 KiB.
const TEXT: usize = 32 << 20;

/// Gathers events and writes them in row groups.
pub(in super::super) struct ParquetWriter {
    file: SerializedFileWriter<Out>,
    /// Of the next row group.
    rows: Vec<Event>,
    /// When the first of them came.
    began: Instant,
    /// Bytes of their texts.
    text: usize,
}

impl ParquetWriter {
    pub(in super::super) fn new(out: Out) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // Nobody looks for single pages in so small groups.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_data_page_size_limit(PAGE)
            .set_dictionary_page_size_limit(PAGE)
            .set_created_by(format!("ntwatch {}", env!("CARGO_PKG_VERSION")));
        let schema = columns::schema()?;
        Ok(Self {
            file: SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?,
            rows: Vec::new(),
            began: Instant::now(),
            text: 0,
        })
    }

    pub(in super::super) fn write(&mut self, event: &Event) -> io::Result<()> {
        if self.rows.is_empty() {
            self.began = Instant::now();
        }
        self.rows.push(event.clone());
        self.text += text(event);
        if self.rows.len() == ROWS || self.text >= TEXT {
            self.write_rows().map_err(io_error)?;
        }
        Ok(())
    }

    /// Writes what has waited for long.
    pub(in super::super) fn flush(&mut self) -> io::Result<()> {
        if !self.rows.is_empty() && self.began.elapsed() >= TIME {
            self.write_rows().map_err(io_error)?;
        }
        Ok(())
    }

    /// Bytes of all that was written.
    pub(in super::super) fn written(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// How many row groups there are.
    pub(in super::super) fn groups(&self) -> usize {
        self.file.flushed_row_groups().len()
    }

    /// The bytes that would now be the file's last.
    pub(in super::super) fn footer(&self) -> io::Result<Vec<u8>> {
        let groups = self.file.flushed_row_groups().to_vec();
        let rows = groups.iter().map(|group| group.num_rows()).sum();
        let schema = Arc::new(self.file.schema_descr().clone());
        let properties = self.file.properties();
        let version = properties.writer_version().as_num();
        let by = properties.created_by().to_owned();
        let file = FileMetaData::new(version, rows, Some(by), None, schema, None);
        let mut footer = Vec::new();
        let metadata = ParquetMetaData::new(file, groups);
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
        Ok(footer)
    }

    pub(in super::super) fn finish(mut self) -> io::Result<()> {
        self.write_rows().map_err(io_error)?;
        self.file.finish().map_err(io_error)?;
        Ok(())
    }

    fn write_rows(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for field in Field::all() {
            write_field(field, &self.rows, &mut group)?;
        }
        group.close()?;
        self.rows.clear();
        self.text = 0;
        self.file.flush()?;
        Ok(())
    }
}

/// What the file said, if it was the file.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => error.into(),
    }
}

type Group<'g> = SerializedRowGroupWriter<'g, Out>;

/// Bytes of an event's texts that no other event shares.
fn text(event: &Event) -> usize {
    match &event.body {
        Body::ProcessRunning(start) | Body::ProcessStart(start) => {
            start.process.command_line.as_ref().map_or(0, String::len)
        }
        Body::ImageLoad(load) => load.image.path.as_ref().map_or(0, |path| path.len()),
        _ => 0,
    }
}

/// Writes the columns of one fact.
fn write_field(field: &Field, rows: &[Event], group: &mut Group<'_>) -> Result<()> {
    let groups = groups(field);
    match field.kind {
        Type::Number => {
            write::<Int64Type>(group, &groups, rows, |event| match field.of(event)? {
                Value::Number(number) => Some(number.cast_signed()),
                _ => None,
            })
        }
        Type::Bool => write::<BoolType>(group, &groups, rows, |event| match field.of(event)? {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }),
        Type::Text | Type::Hex => write::<ByteArrayType>(group, &groups, rows, |event| {
            let text = match field.of(event)? {
                Value::Text(text) => text.into_owned(),
                other => other.to_string(),
            };
            Some(text.into_bytes().into())
        }),
        Type::Time => {
            let time = |event: &Event| match field.of(event)? {
                Value::Time(time) => Some(time),
                _ => None,
            };
            write::<Int64Type>(group, &groups, rows, |event| time(event).map(micros))?;
            write::<Int64Type>(group, &groups, rows, |event| time(event).map(|time| time.0))
        }
        Type::Counts => write_counts(group, rows, |event| match field.of(event)? {
            Value::Counts(counts) => Some(counts),
            _ => None,
        }),
    }
}

/// Microseconds since 1970.
const fn micros(time: Time) -> i64 {
    (time.0 - Time::UNIX_EPOCH.0).div_euclid(10)
}

/// For each group that a fact is in, from the outermost, the facts that are in it.
fn groups(field: &Field) -> Vec<Vec<&'static Field>> {
    let dots = field.name.match_indices('.').map(|(at, _)| at);
    let inside = |dot| {
        let prefix = &field.name[..=dot];
        let all = Field::all().iter();
        all.filter(|field| field.name.starts_with(prefix)).collect()
    };
    dots.map(inside).collect()
}

/// How many of these groups an event has.
fn depth(groups: &[Vec<&Field>], event: &Event) -> i16 {
    let is_there = |group: &&Vec<&Field>| group.iter().any(|field| field.of(event).is_some());
    groups.iter().take_while(is_there).count() as i16
}

/// Writes a column of one value an event.
fn write<T: DataType>(
    group: &mut Group<'_>,
    groups: &[Vec<&Field>],
    rows: &[Event],
    value: impl Fn(&Event) -> Option<T::T>,
) -> Result<()> {
    let mut values = Vec::new();
    let mut levels = Vec::with_capacity(rows.len());
    for event in rows {
        match value(event) {
            Some(value) => {
                values.push(value);
                levels.push(groups.len() as i16 + 1);
            }
            None => levels.push(depth(groups, event)),
        }
    }
    let mut column = next_column(group)?;
    let of_values = column.typed::<T>();
    if values.iter().any(|value| value.as_bytes().len() > FACT) {
        let place = of_values.get_descriptor().path();
        let why = format!("{place} of an event has more than {FACT} bytes");
        return Err(ParquetError::General(why));
    }
    of_values.write_batch(&values, Some(&levels), None)?;
    column.close()
}

/// Writes the two columns of a map.
fn write_counts(
    group: &mut Group<'_>,
    rows: &[Event],
    counts: impl Fn(&Event) -> Option<Counts>,
) -> Result<()> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let (mut levels, mut repetitions) = (Vec::new(), Vec::new());
    for event in rows {
        let counts = counts(event);
        let before = keys.len();
        for (kind, count) in counts.iter().flat_map(Counts::iter) {
            repetitions.push(i16::from(keys.len() > before));
            keys.push(ByteArray::from(kind.to_string().into_bytes()));
            values.push(count.cast_signed());
            levels.push(2);
        }
        if keys.len() == before {
            repetitions.push(0);
            levels.push(i16::from(counts.is_some()));
        }
    }
    let mut column = next_column(group)?;
    let (levels, repetitions) = (Some(&levels[..]), Some(&repetitions[..]));
    let of_keys = column.typed::<ByteArrayType>();
    of_keys.write_batch(&keys, levels, repetitions)?;
    column.close()?;
    let mut column = next_column(group)?;
    let of_values = column.typed::<Int64Type>();
    of_values.write_batch(&values, levels, repetitions)?;
    column.close()
}

fn next_column<'c>(
    group: &'c mut Group<'_>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'c>> {
    let column = group.next_column()?;
    column.ok_or_else(|| ParquetError::General("there are more facts than columns".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(path: &str) -> Event {
        let line = serde_json::json!({
            "seq": 1,
            "time": "2026-11-22T03:03:27.0000000Z",
            "event": "image_load",
            "image": {
                "path": path,
                "kernel": true,
                "signature_level": "windows",
                "signature_type": "embedded",
                "partial_map": false,
                "machine_mismatch": false,
            },
        });
        Event::from_json(&line.to_string()).unwrap()
    }

    #[test]
    fn a_row_group_of_a_stream_ends_in_time() {
        let mut writer = ParquetWriter::new(Box::new(io::sink())).unwrap();
        writer.write(&event("a.sys")).unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.groups(), 0);
        writer.began -= TIME;
        writer.flush().unwrap();
        assert_eq!(writer.groups(), 1);
    }

    #[test]
    fn no_more_text_is_kept_than_memory_is_to_have() {
        let mut writer = ParquetWriter::new(Box::new(io::sink())).unwrap();
        let event = event(&"x".repeat(64 << 10));
        (0..TEXT >> 16).for_each(|_| writer.write(&event).unwrap());
        assert_eq!(writer.groups(), 1);
    }
}
