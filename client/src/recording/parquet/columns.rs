//! The columns, one or two for each fact.

use crate::field::{Field, Type};
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::Result;
use parquet::schema::types::{Type as Schema, TypePtr};
use std::sync::Arc;

/// What stands behind the name of the column that has a time as Windows counts it.
pub(super) const TICKS: &str = "_100ns";

/// All facts of an event.
pub(super) fn schema() -> Result<TypePtr> {
    let schema = Schema::group_type_builder("event");
    schema
        .with_fields(group("", Field::all())?)
        .build()
        .map(Arc::new)
}

/// The columns of facts that are all in the same group, whose name `before` ends in a dot.
fn group(before: &str, fields: &[Field]) -> Result<Vec<TypePtr>> {
    let name = |field: &Field| &field.name[before.len()..];
    let outermost = |field: &Field| name(field).split('.').next().unwrap_or_default();
    let mut columns = Vec::new();
    for fields in fields.chunk_by(|a, b| outermost(a) == outermost(b)) {
        // Chunks are not empty. A fact and a group of one name never follow on each other.
        let first = &fields[0];
        let group_name = outermost(first);
        if group_name == name(first) {
            columns.extend(column(group_name, first.kind)?);
        } else {
            let inside = group(&format!("{before}{group_name}."), fields)?;
            let group = Schema::group_type_builder(group_name)
                .with_repetition(Repetition::OPTIONAL)
                .with_fields(inside);
            columns.push(Arc::new(group.build()?));
        }
    }
    Ok(columns)
}

/// The columns of one fact.
fn column(name: &str, kind: Type) -> Result<Vec<TypePtr>> {
    let number = |name: &str| leaf(name, Physical::INT64, None);
    Ok(match kind {
        Type::Number => vec![number(name)?],
        Type::Bool => vec![leaf(name, Physical::BOOLEAN, None)?],
        Type::Text | Type::Hex => vec![text(name, Repetition::OPTIONAL)?],
        Type::Time => {
            let micros = LogicalType::timestamp(true, TimeUnit::MICROS);
            let shown = leaf(name, Physical::INT64, Some(micros))?;
            vec![shown, number(&format!("{name}{TICKS}"))?]
        }
        Type::Counts => vec![counts(name)?],
    })
}

fn leaf(name: &str, physical: Physical, logical: Option<LogicalType>) -> Result<TypePtr> {
    let column = Schema::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    column.build().map(Arc::new)
}

fn text(name: &str, repetition: Repetition) -> Result<TypePtr> {
    let column = Schema::primitive_type_builder(name, Physical::BYTE_ARRAY)
        .with_repetition(repetition)
        .with_logical_type(Some(LogicalType::String));
    column.build().map(Arc::new)
}

/// A map from kinds to numbers.
fn counts(name: &str) -> Result<TypePtr> {
    let value = Schema::primitive_type_builder("value", Physical::INT64)
        .with_repetition(Repetition::REQUIRED)
        .build()?;
    let entry = Schema::group_type_builder("key_value")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![text("key", Repetition::REQUIRED)?, Arc::new(value)])
        .build()?;
    let map = Schema::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::Map))
        .with_converted_type(ConvertedType::MAP)
        .with_fields(vec![Arc::new(entry)]);
    map.build().map(Arc::new)
}
