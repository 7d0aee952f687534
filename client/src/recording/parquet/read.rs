//! Parquet, read.

use super::ROWS;
use super::columns::TICKS;
use super::end::{self, End};
use super::pages::{Pages, unlike};
use crate::event::Counts;
use crate::field::{Field, Type, Value};
use crate::recording::cut_off::Rest;
use crate::recording::error::{Fault, Place, why};
use crate::recording::facts::Facts;
use crate::recording::next::Next;
use crate::time::Time;
use ntwatch_protocol::record::KIND_SLOTS;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows of a column that are in memory at once.
const BATCH: usize = 1024;

/// Events of row groups.
pub(in crate::recording) struct ParquetReader {
    file: Arc<File>,
    metadata: ParquetMetaData,
    /// The row group to open next.
    next_group: usize,
    columns: Vec<Column>,
    /// Rows of the row group that were not read yet.
    left: u64,
    /// Rows that were read.
    pub(in crate::recording) rows: u64,
    /// Is it a file whose writer has not come to its end?
    grows: bool,
    facts: Facts,
}

impl ParquetReader {
    pub(in crate::recording) fn open(path: &Path, file: File) -> Result<Self, Fault> {
        let End { says, is_beside } = end::read(path, &file)?;
        Ok(Self {
            file: Arc::new(file),
            metadata: says,
            next_group: 0,
            columns: Vec::new(),
            left: 0,
            rows: 0,
            grows: is_beside,
            facts: Facts::default(),
        })
    }

    /// Rows of the file.
    pub(in crate::recording) fn all_rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or_default()
    }

    pub(in crate::recording) fn next(&mut self) -> Result<Next, Fault> {
        while self.left == 0 {
            let Some(group) = self.metadata.row_groups().get(self.next_group) else {
                return Ok(match self.grows {
                    true => Next::CutOff(Rest::Rows { rows: self.rows }),
                    false => Next::End,
                });
            };
            self.next_group += 1;
            let place = Place::RowGroup(self.next_group);
            self.columns = columns(&self.file, group).map_err(|error| at(place, &error))?;
            self.left = rows(group).map_err(|error| at(place, &error))?;
        }
        self.left -= 1;
        self.rows += 1;
        let place = Place::Row {
            group: self.next_group,
            row: self.rows,
        };
        for column in &mut self.columns {
            let field = column.field;
            if let Some(value) = column.next().map_err(|error| at(place, &error))? {
                self.facts.put(field, &value);
            }
        }
        let event = self.facts.event();
        event
            .map(Next::Event)
            .map_err(|error| Fault::Damaged(place, why(&error)))
    }
}

/// A fact's columns.
struct Column {
    field: &'static Field,
    values: Values,
}

enum Values {
    Number(Batches<Int64Type>),
    Bool(Batches<BoolType>),
    Text(Batches<ByteArrayType>),
    Time(Batches<Int64Type>),
    Counts(Batches<ByteArrayType>, Box<Batches<Int64Type>>),
}

/// How many rows a row group has.
fn rows(group: &RowGroupMetaData) -> Result<u64, ParquetError> {
    let rows = u64::try_from(group.num_rows()).ok();
    rows.filter(|rows| *rows <= ROWS as u64)
        .ok_or_else(|| unlike(&format!("it has {} rows", group.num_rows())))
}

/// The columns of a row group that are facts.
fn columns(file: &Arc<File>, group: &RowGroupMetaData) -> Result<Vec<Column>, ParquetError> {
    let mut columns = Vec::new();
    for field in Field::all() {
        let mut place = field.name.to_owned();
        if field.kind == Type::Time {
            // The one that people read has not all of it.
            place.push_str(TICKS);
        }
        let values = match field.kind {
            Type::Number => Batches::open(file, group, &place, 1)?.map(Values::Number),
            Type::Bool => Batches::open(file, group, &place, 1)?.map(Values::Bool),
            Type::Text | Type::Hex => Batches::open(file, group, &place, 1)?.map(Values::Text),
            Type::Time => Batches::open(file, group, &place, 1)?.map(Values::Time),
            Type::Counts => {
                let [keys, values] =
                    ["key", "value"].map(|name| format!("{place}.key_value.{name}"));
                let keys = Batches::open(file, group, &keys, KIND_SLOTS)?;
                let values = Batches::open(file, group, &values, KIND_SLOTS)?;
                let both = keys.zip(values);
                both.map(|(keys, values)| Values::Counts(keys, Box::new(values)))
            }
        };
        columns.extend(values.map(|values| Column { field, values }));
    }
    Ok(columns)
}

impl Column {
    /// The fact of the next row.
    fn next(&mut self) -> Result<Option<Value<'_>>, ParquetError> {
        Ok(match &mut self.values {
            Values::Number(numbers) => {
                let number = numbers.row()?.values.first();
                number.map(|number| Value::Number(number.cast_unsigned()))
            }
            Values::Bool(truths) => truths.row()?.values.first().copied().map(Value::Bool),
            Values::Time(times) => {
                let ticks = times.row()?.values.first();
                ticks.map(|ticks| Value::Time(Time(*ticks)))
            }
            Values::Text(texts) => match texts.row()?.values.first() {
                Some(text) => Some(Value::Text(text.as_utf8()?.into())),
                None => None,
            },
            Values::Counts(keys, values) => {
                let (keys, values) = (keys.row()?, values.row()?);
                let entry = |(kind, count): (&ByteArray, &i64)| {
                    Ok((kind.as_utf8()?.to_owned(), (*count).into()))
                };
                let entries = keys.values.iter().zip(values.values).map(entry);
                let entries = entries.collect::<Result<serde_json::Map<_, _>, ParquetError>>()?;
                let counts = keys
                    .is_there
                    .then(|| serde_json::from_value::<Counts>(entries.into()));
                let counts = counts.transpose();
                let counts = counts.map_err(|error| ParquetError::General(error.to_string()))?;
                counts.map(Value::Counts)
            }
        })
    }
}

/// A column, read batch by batch.
struct Batches<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// The level of a value that is there.
    there: i16,
    levels: Vec<i16>,
    repetitions: Vec<i16>,
    values: Vec<T::T>,
    /// Levels and values of the rows before.
    passed: usize,
    passed_values: usize,
}

/// What a column has of one row.
struct Row<'b, T> {
    /// Is the outermost group there, or the value, if it is in none?
    is_there: bool,
    values: &'b [T],
}

impl<T: DataType> Batches<T> {
    /// The column at this place, which has up to so many values a row; `None` if there is none.
    fn open(
        file: &Arc<File>,
        group: &RowGroupMetaData,
        place: &str,
        most: usize,
    ) -> Result<Option<Self>, ParquetError> {
        let mut columns = group.columns().iter();
        let Some(column) = columns.find(|column| column.column_path().string() == place) else {
            return Ok(None);
        };
        let description = column.column_descr_ptr();
        if description.physical_type() != T::get_physical_type() {
            let found = description.physical_type();
            let why = format!(
                "{place} is a column of {found}, not {}",
                T::get_physical_type()
            );
            return Err(ParquetError::General(why));
        }
        if (description.max_rep_level() > 0) != (most > 1) {
            return Err(unlike(&format!("{place} repeats otherwise")));
        }
        let values = rows(group)? * most as u64;
        let pages = Pages::new(Arc::clone(file), column, values)?;
        Ok(Some(Self {
            there: description.max_def_level(),
            reader: ColumnReaderImpl::new(description, Box::new(pages)),
            levels: Vec::new(),
            repetitions: Vec::new(),
            values: Vec::new(),
            passed: 0,
            passed_values: 0,
        }))
    }

    /// What the next row has.
    fn row(&mut self) -> Result<Row<'_, T::T>, ParquetError> {
        if self.passed == self.levels.len() {
            self.read()?;
        }
        let (first, before) = (self.passed, self.passed_values);
        loop {
            let level = self.levels.get(self.passed);
            let level = level.ok_or_else(|| ParquetError::EOF("rows are missing".to_owned()))?;
            self.passed_values += usize::from(*level == self.there);
            self.passed += 1;
            // What repeats is of the same row.
            if self
                .repetitions
                .get(self.passed)
                .is_none_or(|level| *level == 0)
            {
                break;
            }
        }
        let values = self.values.get(before..self.passed_values);
        Ok(Row {
            is_there: self.levels[first] > 0 || self.there == 0,
            values: values.ok_or_else(|| ParquetError::EOF("values are missing".to_owned()))?,
        })
    }

    fn read(&mut self) -> Result<(), ParquetError> {
        let (levels, repetitions) = (&mut self.levels, &mut self.repetitions);
        levels.clear();
        repetitions.clear();
        self.values.clear();
        (self.passed, self.passed_values) = (0, 0);
        let (rows, _, _) =
            self.reader
                .read_records(BATCH, Some(levels), Some(repetitions), &mut self.values)?;
        if self.there == 0 {
            // A column that is always there has no levels.
            levels.resize(rows, 0);
        }
        Ok(())
    }
}

fn at(place: Place, error: &ParquetError) -> Fault {
    let why = match error {
        ParquetError::General(why) => why.clone(),
        other => other.to_string(),
    };
    Fault::Damaged(place, why)
}
