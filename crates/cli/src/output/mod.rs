//! Answers, in the form that was asked for.

mod cell;
pub(crate) mod escape;
mod rows;

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::Value;

pub(crate) use cell::Cell;
pub(crate) use rows::Rows;

/// What answers look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: aligned columns, bytes escaped so that they can be typed back
    #[default]
    Table,
    /// One object or array for each command
    Json,
    /// One object for each row, as rows come
    Jsonl,
    /// The bytes of the value themselves; a newline stands behind each where several may come, and at a terminal
    Raw,
}

/// Where answers go. What is written is flushed by whoever made it.
pub(crate) struct Output<'w> {
    to: &'w mut dyn Write,
    format: Format,
    /// Whether a person reads it, whose next prompt would overwrite a line without an end.
    is_terminal: bool,
}

impl<'w> Output<'w> {
    /// Answers in this form.
    pub(crate) fn new(to: &'w mut dyn Write, format: Format, is_terminal: bool) -> Self {
        Self { to, format, is_terminal }
    }

    /// It is done, and there is nothing else to say.
    pub(crate) fn done(&mut self) -> io::Result<()> {
        match self.format {
            Format::Table => writeln!(self.to, "ok"),
            Format::Json | Format::Jsonl => writeln!(self.to, "{{\"ok\":true}}"),
            Format::Raw => Ok(()),
        }
    }

    /// One fact. A person sees nothing here where there is none.
    pub(crate) fn fact(&mut self, name: &'static str, fact: impl Into<Cell>) -> io::Result<()> {
        let fact = fact.into();
        match self.format {
            Format::Table if matches!(fact, Cell::Nothing) => Ok(()),
            Format::Table => writeln!(self.to, "{}", fact.text()),
            Format::Json | Format::Jsonl => self.object(&[name], &[fact]),
            Format::Raw => self.raw(&fact.raw()),
        }
    }

    /// Several facts about one thing. The raw form has the first only.
    pub(crate) fn facts<const N: usize>(&mut self, facts: [(&'static str, Cell); N]) -> io::Result<()> {
        match self.format {
            Format::Table => {
                let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
                facts.iter().try_for_each(|(name, fact)| writeln!(self.to, "{name:width$}  {}", fact.text()))
            }
            Format::Json | Format::Jsonl => {
                let (names, facts): (Vec<_>, Vec<_>) = facts.into_iter().unzip();
                self.object(&names, &facts)
            }
            Format::Raw => facts.first().map_or(Ok(()), |(_, fact)| self.raw(&fact.raw())),
        }
    }

    /// Text that a server has written, which may have several lines.
    pub(crate) fn prose(&mut self, name: &'static str, text: &str) -> io::Result<()> {
        match self.format {
            Format::Table => writeln!(self.to, "{}", escape::prose(text).trim_end_matches('\n')),
            Format::Json | Format::Jsonl => self.object(&[name], &[text.into()]),
            Format::Raw => self.raw(text.as_bytes()),
        }
    }

    /// Rows with these columns, of which the raw form has `raw` only.
    pub(crate) fn rows<'o>(&'o mut self, columns: &[&'static str], raw: &[&'static str]) -> Rows<'o, 'w> {
        Rows::new(self, columns, raw)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        if self.is_terminal { self.to.write_all(b"\n") } else { Ok(()) }
    }

    /// An object and a newline; its members stay in this order.
    fn object(&mut self, names: &[&str], facts: &[Cell]) -> io::Result<()> {
        self.bare_object(names, facts)?;
        writeln!(self.to)
    }

    fn bare_object(&mut self, names: &[&str], facts: &[Cell]) -> io::Result<()> {
        for (at, (name, fact)) in names.iter().zip(facts).enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            write!(self.to, "{before}{}:{}", Value::from(*name), fact.json())?;
        }
        self.to.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, write: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut Output::new(&mut bytes, format, false)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn one_fact_is_itself_an_object_or_its_bytes() {
        let fact = |output: &mut Output<'_>| output.fact("value", "New York");
        assert_eq!(written(Format::Table, fact), "'New York'\n");
        assert_eq!(written(Format::Json, fact), "{\"value\":\"New York\"}\n");
        assert_eq!(written(Format::Raw, fact), "New York");
    }

    #[test]
    fn objects_keep_the_order_of_their_members() {
        let facts = |output: &mut Output<'_>| output.facts([("b", 1.into()), ("a", Cell::Nothing)]);
        assert_eq!(written(Format::Json, facts), "{\"b\":1,\"a\":null}\n");
        assert_eq!(written(Format::Table, facts), "b  1\na  (none)\n");
    }

    #[test]
    fn rows_are_aligned_listed_or_one_to_a_line() {
        let rows = |output: &mut Output<'_>| {
            let mut rows = output.rows(&["key", "value"], &["value"]);
            rows.row(vec!["a".into(), 1.into()])?;
            rows.row(vec!["longer".into(), 22.into()])?;
            rows.end()
        };
        assert_eq!(written(Format::Table, rows), "key     value\na       1\nlonger  22\n");
        let listed = "[\n  {\"key\":\"a\",\"value\":1},\n  {\"key\":\"longer\",\"value\":22}\n]\n";
        assert_eq!(written(Format::Json, rows), listed);
        let lines = "{\"key\":\"a\",\"value\":1}\n{\"key\":\"longer\",\"value\":22}\n";
        assert_eq!(written(Format::Jsonl, rows), lines);
        assert_eq!(written(Format::Raw, rows), "1\n22\n");
    }

    #[test]
    fn no_rows_are_an_empty_array() {
        let rows = |output: &mut Output<'_>| output.rows(&["key"], &["key"]).end();
        assert_eq!(written(Format::Json, rows), "[]\n");
        assert_eq!(written(Format::Jsonl, rows), "");
        assert_eq!(written(Format::Raw, rows), "");
        assert_eq!(written(Format::Table, rows), "key\n");
    }

    #[test]
    fn a_long_table_is_written_before_it_has_ended() {
        let mut bytes = Vec::new();
        let mut output = Output::new(&mut bytes, Format::Table, false);
        let mut rows = output.rows(&["number"], &["number"]);
        for number in 0..1000 {
            rows.row(vec![number.into()]).unwrap();
        }
        drop(rows);
        assert!(String::from_utf8(bytes).unwrap().ends_with("\n999\n"));
    }
}
