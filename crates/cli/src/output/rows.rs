//! Rows, as they come.

use std::io;

use super::{Cell, Format, Output};

/// Rows that are looked at before a table's columns get their widths; those that come later may be wider.
const MEASURED: usize = 100;

/// An answer of rows under way. One that is not ended, because of an error, leaves an array that does not parse.
pub(crate) struct Rows<'o, 'w> {
    output: &'o mut Output<'w>,
    columns: Vec<&'static str>,
    /// Which columns are raw.
    raw: Vec<usize>,
    written: u64,
    table: Table,
}

/// Columns of a table.
enum Table {
    /// Lines that wait until enough of them are known.
    Measuring(Vec<Vec<String>>),
    /// How wide each column is.
    Measured(Vec<usize>),
}

impl<'o, 'w> Rows<'o, 'w> {
    pub(super) fn new(output: &'o mut Output<'w>, columns: &[&'static str], raw: &[&'static str]) -> Self {
        let heads = columns.iter().map(|column| (*column).to_owned()).collect();
        let is_raw = |at: &usize| columns.get(*at).is_some_and(|column| raw.contains(column));
        Self {
            output,
            columns: columns.to_vec(),
            raw: (0..columns.len()).filter(is_raw).collect(),
            written: 0,
            table: Table::Measuring(vec![heads]),
        }
    }

    /// The next row, with a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        match self.output.format {
            Format::Table => self.line(cells.iter().map(Cell::text).collect())?,
            Format::Json => {
                self.output.to.write_all(if self.written == 0 { b"[\n  " } else { b",\n  " })?;
                self.output.bare_object(&self.columns, &cells)?;
            }
            Format::Jsonl => self.output.object(&self.columns, &cells)?,
            Format::Raw => self.raw(&cells)?,
        }
        self.written += 1;
        Ok(())
    }

    /// There are no more.
    pub(crate) fn end(mut self) -> io::Result<()> {
        match self.output.format {
            Format::Table => self.measure(),
            Format::Json if self.written == 0 => writeln!(self.output.to, "[]"),
            Format::Json => writeln!(self.output.to, "\n]"),
            Format::Jsonl | Format::Raw => Ok(()),
        }
    }

    fn raw(&mut self, cells: &[Cell]) -> io::Result<()> {
        for (at, column) in self.raw.iter().enumerate() {
            if at > 0 {
                self.output.to.write_all(b"\t")?;
            }
            if let Some(cell) = cells.get(*column) {
                self.output.to.write_all(&cell.raw())?;
            }
        }
        self.output.to.write_all(b"\n")
    }

    fn line(&mut self, line: Vec<String>) -> io::Result<()> {
        match &mut self.table {
            Table::Measured(widths) => write_line(self.output, widths, &line),
            Table::Measuring(lines) => {
                lines.push(line);
                if lines.len() > MEASURED { self.measure() } else { Ok(()) }
            }
        }
    }

    /// Gives the columns their widths, and writes what has waited for them.
    fn measure(&mut self) -> io::Result<()> {
        let Table::Measuring(lines) = &self.table else {
            return Ok(());
        };
        let width = |column: usize| lines.iter().filter_map(move |line| Some(line.get(column)?.chars().count()));
        let widths: Vec<_> = (0..self.columns.len()).map(|column| width(column).max().unwrap_or(0)).collect();
        for line in lines {
            write_line(self.output, &widths, line)?;
        }
        self.table = Table::Measured(widths);
        Ok(())
    }
}

/// The last column is as wide as it is.
fn write_line(output: &mut Output<'_>, widths: &[usize], line: &[String]) -> io::Result<()> {
    if let Some((last, before)) = line.split_last() {
        for (text, width) in before.iter().zip(widths) {
            write!(output.to, "{text:width$}  ")?;
        }
        writeln!(output.to, "{last}")?;
    }
    Ok(())
}
