//! Chosen facts in columns, which grow with what they have to hold.

use super::DIM;
use super::text::{cut, pad, visible};
use ntwatch_client::format::Lines;
use ntwatch_client::{Event, Field};
use std::io::Write;
use unicode_width::UnicodeWidthStr;

/// Columns of a fact at most, but for the last one of a line.
const WIDEST: usize = 40;

/// A column for each of these facts.
pub(crate) struct Columns {
    columns: Vec<Column>,
    colours: bool,
    /// Columns to cut lines to.
    width: Option<usize>,
}

struct Column {
    field: &'static Field,
    width: usize,
}

impl Columns {
    pub(crate) fn new(
        fields: impl IntoIterator<Item = &'static Field>,
        colours: bool,
        width: Option<usize>,
    ) -> Self {
        let column = |field: &'static Field| Column {
            field,
            width: field.name.width(),
        };
        let columns = fields.into_iter().map(column).collect();
        Self {
            columns,
            colours,
            width,
        }
    }

    fn line(&mut self, cells: &[String]) -> String {
        let mut line = String::new();
        let last = self.columns.len().saturating_sub(1);
        for (nth, (column, cell)) in self.columns.iter_mut().zip(cells).enumerate() {
            let cell = visible(cell);
            if nth == last {
                line.push_str(&cell);
            } else {
                column.width = column.width.max(cell.width().min(WIDEST));
                line.push_str(&pad(&cell, column.width, self.width.is_some()));
                line.push_str("  ");
            }
        }
        let mut line = cut(&line, self.width).into_owned();
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

impl Lines for Columns {
    fn header(&mut self, out: &mut Vec<u8>) {
        let names = self
            .columns
            .iter()
            .map(|column| column.field.name.to_uppercase());
        let line = self.line(&names.collect::<Vec<_>>());
        let style = if self.colours {
            DIM
        } else {
            Default::default()
        };
        // Memory takes every byte.
        let _ = write!(out, "{style}{}{style:#}", line);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let fact = |column: &Column| column.field.of(event).map(|fact| fact.to_string());
        let cells = self.columns.iter().map(fact);
        let cells: Vec<_> = cells
            .map(|cell| cell.unwrap_or_else(|| "-".into()))
            .collect();
        out.extend_from_slice(self.line(&cells).as_bytes());
    }
}
