//! Scans and pages.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use charioteer::Error;
use charioteer::pegasus::{self, Entry, Row};
use futures_util::future::BoxFuture;
use futures_util::stream::{SelectAll, Stream};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::answers::seconds;
use crate::bridge::feed::{Feed, Source, Taken};
use crate::bridge::{Answer, Line, iterator_faces, named, python, raised};

/// Where rows come from: one scanner, or all of a table's, which are opened when the first row is asked for.
#[expect(clippy::large_enum_variant, reason = "each is in a feed of its own, and mostly a scanner")]
pub(super) enum Rows {
    One(pegasus::Scanner),
    Opening(BoxFuture<'static, Result<SelectAll<pegasus::Scanner>, Error>>),
    All(SelectAll<pegasus::Scanner>),
    Failed,
}

impl Rows {
    pub(super) fn all(opening: BoxFuture<'static, Result<SelectAll<pegasus::Scanner>, Error>>) -> Self {
        Self::Opening(opening)
    }
}

impl Source for Rows {
    type Item = Row;
    type Error = Error;
    type Mark = Option<pegasus::ResumeToken>;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        if let Self::Opening(opening) = self {
            match ready!(opening.as_mut().poll(cx)) {
                Ok(all) => *self = Self::All(all),
                Err(error) => {
                    *self = Self::Failed;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        match self {
            Self::One(scanner) => std::pin::Pin::new(scanner).poll_next(cx),
            Self::All(scanners) => std::pin::Pin::new(scanners).poll_next(cx),
            Self::Opening(_) | Self::Failed => Poll::Ready(None),
        }
    }

    fn mark(&self) -> Option<pegasus::ResumeToken> {
        match self {
            Self::One(scanner) => Some(scanner.token()),
            _ => None,
        }
    }
}

impl Answer for Row {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let ttl = self.ttl.map(seconds);
        let fields = [
            PyBytes::new(py, &self.hash_key).into_any(),
            PyBytes::new(py, &self.sort_key).into_any(),
            PyBytes::new(py, &self.value).into_any(),
            ttl.into_python(py)?,
        ];
        named(python!(py, "charioteer.pegasus", "Row")?, fields)
    }
}

/// Where a scan had come to, to go on with it later, also in another process: `bytes(token)`, `ResumeToken(…)`.
#[pyclass(frozen, eq, module = "charioteer.pegasus")]
#[derive(PartialEq)]
pub(crate) struct ResumeToken(pub(super) pegasus::ResumeToken);

#[pymethods]
impl ResumeToken {
    #[new]
    fn new(py: Python<'_>, token: &[u8]) -> PyResult<Self> {
        pegasus::ResumeToken::from_bytes(token).map(Self).map_err(|error| raised(py, &error))
    }

    /// Whether the scan had nothing left to find.
    #[getter]
    fn is_at_the_end(&self) -> bool {
        self.0.is_at_the_end()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    fn __repr__(&self) -> String {
        format!("ResumeToken(b\"{}\")", self.0.to_bytes().escape_ascii())
    }
}

/// What sync and asyncio scanners have in common.
#[pyclass(subclass, frozen, module = "charioteer.pegasus", name = "_Scanner")]
pub(crate) struct ScannerBase {
    line: Line,
    feed: Feed<Rows>,
}

impl ScannerBase {
    pub(super) fn new(line: &Line, rows: Rows) -> Self {
        Self { line: line.clone(), feed: Feed::new(line, rows) }
    }
}

#[pymethods]
impl ScannerBase {
    /// The next row, or `None` at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.feed.next(py)
    }

    /// How many rows there are, from here on. Servers count, and send no rows. The scan is at its end then.
    fn count<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Taken { waited_for, source } = self.feed.take()?;
        self.line.carry(py, async move {
            // A row that came when whoever had asked for it was gone is one of those that are left.
            let came = match waited_for {
                Some(Some(Ok(_))) => 1,
                Some(Some(Err(error))) => return Err(error),
                Some(None) => return Ok(0),
                None => 0,
            };
            let rest = match source {
                Some(Rows::One(scanner)) => scanner.count().await?,
                Some(mut rows) => rows.count_one_by_one().await?,
                None => 0,
            };
            Ok(came + rest)
        })
    }

    /// Where the scan is, so that another, also of another process, can go on after the last row that was taken. `None` for scans of
    /// several partitions at a time, and for those that were closed.
    fn token(&self) -> PyResult<Option<ResumeToken>> {
        Ok(self.feed.mark()?.flatten().map(ResumeToken))
    }

    /// Ends the scan, and lets the server know.
    fn close(&self) {
        self.feed.close();
    }
}

impl Rows {
    async fn count_one_by_one(&mut self) -> Result<u64, Error> {
        let mut counted = 0;
        while let Some(row) = std::future::poll_fn(|cx| self.poll_next(cx)).await {
            row?;
            counted += 1;
        }
        Ok(counted)
    }
}

/// A scan under way: an iterator of rows.
#[pyclass(extends = ScannerBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct Scanner;

/// A scan under way, for asyncio: rows come by `async for`.
#[pyclass(extends = ScannerBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct AsyncScanner;

iterator_faces! { ScannerBase: Scanner, AsyncScanner }

/// A range that is read page by page: an iterator of pages, each a dict of sort keys and values.
#[pyclass(extends = PagerBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct Pager;

/// A range that is read page by page, for asyncio.
#[pyclass(extends = PagerBase, frozen, module = "charioteer.pegasus")]
pub(crate) struct AsyncPager;

iterator_faces! { PagerBase: Pager, AsyncPager }

/// Pages of a range.
pub(crate) struct Pages(Paging);

/// What has come of asking for a page.
type Asked = Result<Option<Vec<Entry>>, Error>;

/// What a pager is while a page is waited for.
enum Paging {
    Idle(pegasus::Pager),
    Asking(BoxFuture<'static, (pegasus::Pager, Asked)>),
    /// Only while one becomes the other.
    Between,
}

impl Source for Pages {
    type Item = Page;
    type Error = Error;
    type Mark = ();

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Page, Error>>> {
        if let Paging::Idle(_) = &self.0
            && let Paging::Idle(mut pager) = std::mem::replace(&mut self.0, Paging::Between)
        {
            self.0 = Paging::Asking(Box::pin(async move {
                let page = pager.next_page().await;
                (pager, page)
            }));
        }
        let Paging::Asking(asking) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let (pager, page) = ready!(asking.as_mut().poll(cx));
        self.0 = Paging::Idle(pager);
        Poll::Ready(page.transpose().map(|page| page.map(Page)))
    }

    fn mark(&self) {}
}

/// The rows of a page.
pub(crate) struct Page(Vec<Entry>);

impl Answer for Page {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let rows = PyDict::new(py);
        for Entry { sort_key, value } in self.0 {
            let bytes = |bytes: &Bytes| PyBytes::new(py, bytes);
            rows.set_item(bytes(&sort_key), bytes(&value))?;
        }
        Ok(rows.into_any())
    }
}

/// What sync and asyncio pagers have in common.
#[pyclass(subclass, frozen, module = "charioteer.pegasus", name = "_Pager")]
pub(crate) struct PagerBase {
    line: Line,
    feed: Feed<Pages>,
}

impl PagerBase {
    pub(super) fn new(line: &Line, pager: pegasus::Pager) -> Self {
        Self { line: line.clone(), feed: Feed::new(line, Pages(Paging::Idle(pager))) }
    }
}

#[pymethods]
impl PagerBase {
    /// The next page, or `None` at the end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.feed.next(py)
    }

    /// Ends it.
    fn close(&self) {
        self.feed.close();
    }
}
