//! Scanners, which hand out a batch of rows at a time.

use std::sync::Arc;

use bytes::Bytes;
use charioteer::Error;
use charioteer::pegasus::{Row, ScanOptions, Scanner, Table};
use futures_util::FutureExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use tokio::sync::{Mutex, OnceCell};

use super::arguments::Text;
use crate::bridge::{Answer, Line, Own};

/// Rows that are there already are handed out together, but no more of them than this.
const ROWS_AT_A_TIME: usize = 1000;

/// Where a scanner comes from; it is made when it is first asked for rows.
pub(super) enum Source {
    /// A range of a hash key.
    Range(Box<Range>),
    /// One of those that share the table.
    Share { all: Arc<Shares>, index: usize },
}

/// A range of a hash key.
pub(super) struct Range {
    pub(super) table: Table,
    pub(super) hash_key: Text,
    pub(super) start: Text,
    pub(super) stop: Text,
    pub(super) options: ScanOptions,
}

/// The scanners that share a table.
pub(super) struct Shares {
    table: Table,
    count: usize,
    options: ScanOptions,
    made: OnceCell<Mutex<Vec<Option<Scanner>>>>,
}

impl Source {
    pub(super) fn shares(table: &Table, count: usize, options: &ScanOptions) -> impl Iterator<Item = Self> {
        let (table, options) = (table.clone(), options.clone());
        let all = Arc::new(Shares { table, count, options, made: OnceCell::new() });
        (0..count).map(move |index| Self::Share { all: Arc::clone(&all), index })
    }

    /// The scanner; none where the table has become smaller meanwhile, and others have all of it.
    async fn scanner(&self) -> Result<Option<Scanner>, Error> {
        match self {
            Self::Range(range) => {
                let Range { table, hash_key, start, stop, options } = &**range;
                table.get_scanner(hash_key, start, stop, options).map(Some)
            }
            Self::Share { all, index } => {
                let make = || async {
                    let made = all.table.get_unordered_scanners(all.count, &all.options).await?;
                    Ok::<_, Error>(Mutex::new(made.into_iter().map(Some).collect()))
                };
                let made = all.made.get_or_try_init(make).await?;
                Ok(made.lock().await.get_mut(*index).and_then(Option::take))
            }
        }
    }
}

/// A scanner of a table, or of a part of it.
#[pyclass(frozen, module = "charioteer._charioteer.pypegasus")]
pub(crate) struct TableScanner {
    line: Line,
    own: Own<Arc<Mutex<State>>>,
}

enum State {
    Fresh(Source),
    Open(Scanner),
    /// What failed when rows had been found already.
    Failed(Scanner, Error),
    Over,
}

impl TableScanner {
    pub(super) fn new(line: Line, source: Source) -> Self {
        Self { line, own: Own::new(Arc::new(Mutex::new(State::Fresh(source)))) }
    }
}

#[pymethods]
impl TableScanner {
    /// Gives the rows that come next, in a list; an empty one at the end.
    fn next_rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let state = Arc::clone(self.own.get()?);
        self.line.carry(py, async move { state.lock().await.next_rows().await })
    }

    /// Lets the server forget the scan.
    fn close(&self) {
        let Some(state) = self.own.unless_forked() else { return };
        let _entered = self.line.enter();
        match state.try_lock() {
            Ok(mut state) => *state = State::Over,
            // Rows are being fetched.
            Err(_) => drop(tokio::spawn({
                let state = Arc::clone(state);
                async move { *state.lock().await = State::Over }
            })),
        }
    }
}

impl State {
    async fn next_rows(&mut self) -> Result<Rows, Error> {
        if let Self::Fresh(source) = self {
            *self = source.scanner().await?.map_or(Self::Over, Self::Open);
        }
        let mut scanner = match std::mem::replace(self, Self::Over) {
            Self::Open(scanner) => scanner,
            Self::Failed(scanner, error) => {
                *self = Self::Open(scanner);
                return Err(error);
            }
            Self::Fresh(_) | Self::Over => return Ok(Rows(Vec::new())),
        };
        let mut rows = Vec::new();
        let mut next = Some(scanner.next().await);
        while let Some(Ok(Some(row))) = next {
            rows.push(row);
            next = if rows.len() < ROWS_AT_A_TIME { scanner.next().now_or_never() } else { None };
        }
        match next {
            Some(Ok(_)) => {}
            None => *self = Self::Open(scanner),
            Some(Err(error)) if !rows.is_empty() => *self = Self::Failed(scanner, error),
            Some(Err(error)) => {
                // It goes on where it has stopped, should somebody ask.
                *self = Self::Open(scanner);
                return Err(error);
            }
        }
        Ok(Rows(rows))
    }
}

/// Rows as the original gives them: `((hash_key, sort_key), value)`, the keys as text without the bytes that are none.
struct Rows(Vec<Row>);

impl Answer for Rows {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let list = PyList::empty(py);
        let mut last: Option<(Bytes, Bound<'_, PyString>)> = None;
        for Row { hash_key, sort_key, value, .. } in self.0 {
            // Rows that follow one another mostly have the same hash key.
            let hash_key = match &last {
                Some((known, text)) if *known == hash_key => text.clone(),
                _ => {
                    let text = text(py, &hash_key);
                    last = Some((hash_key, text.clone()));
                    text
                }
            };
            list.append(((hash_key, text(py, &sort_key)), PyBytes::new(py, &value)))?;
        }
        Ok(list.into_any())
    }
}

fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    match std::str::from_utf8(bytes) {
        Ok(text) => PyString::new(py, text),
        Err(_) => PyString::new(py, &bytes.utf8_chunks().map(|chunk| chunk.valid()).collect::<String>()),
    }
}
