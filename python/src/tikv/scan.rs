//! Rows one after the other.

use std::pin::Pin;
use std::task::{Context, Poll};

use charioteer::Error;
use charioteer::tikv::{self, Row};
use futures_util::Stream;
use pyo3::prelude::*;

use crate::bridge::feed::{Feed, Source};
use crate::bridge::{Line, iterator_faces, object, raised};

/// Rows of raw keys, of a snapshot or of a transaction.
pub(super) enum Rows {
    Raw(Box<tikv::Scanner>),
    Txn(Box<tikv::TxnScanner>),
}

impl From<tikv::Scanner> for Rows {
    fn from(scanner: tikv::Scanner) -> Self {
        Self::Raw(Box::new(scanner))
    }
}

impl From<tikv::TxnScanner> for Rows {
    fn from(scanner: tikv::TxnScanner) -> Self {
        Self::Txn(Box::new(scanner))
    }
}

impl Source for Rows {
    type Item = Row;
    type Error = Error;
    type Mark = ();

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        match self {
            Self::Raw(scanner) => Pin::new(scanner).poll_next(cx),
            Self::Txn(scanner) => Pin::new(scanner).poll_next(cx),
        }
    }

    fn mark(&self) {}
}

/// What both scanners have.
#[pyclass(frozen, subclass, name = "_Scanner", module = "charioteer.tikv")]
pub(crate) struct ScannerBase {
    line: Line,
    feed: Feed<Rows>,
}

/// Rows one after the other, for callers who wait.
#[pyclass(frozen, extends = ScannerBase, name = "Scanner", module = "charioteer.tikv")]
pub(crate) struct Scanner;

/// Rows one after the other, for asyncio.
#[pyclass(frozen, extends = ScannerBase, name = "AsyncScanner", module = "charioteer.tikv")]
pub(crate) struct AsyncScanner;

/// A scanner, which reaches Python as what made it does. Nothing is asked yet.
pub(super) fn scanner<'py, R: Into<Rows>>(
    py: Python<'py>,
    line: &Line,
    make: impl FnOnce() -> PyResult<Result<R, Error>>,
) -> PyResult<Bound<'py, PyAny>> {
    let made = {
        let _entered = line.enter();
        make()?
    };
    let rows = made.map_err(|error| raised(py, &error))?.into();
    let base = ScannerBase { line: line.clone(), feed: Feed::new(line, rows) };
    object!(py, line, base => Scanner | AsyncScanner)
}

#[pymethods]
impl ScannerBase {
    /// The next row; `None` at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.feed.next(py)
    }

    /// Ends it.
    fn close(&self) {
        self.feed.close();
    }
}

iterator_faces! { ScannerBase: Scanner, AsyncScanner }
