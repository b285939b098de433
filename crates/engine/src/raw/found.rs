//! The rows that are found for an answer, and what they are put into.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::read::Pair;
use super::row::RowView;

/// What a row of an answer takes besides its key and value, about: so that many small ones are many bytes too.
pub const PAIR_BYTES: usize = 32;

/// What rows are put into as they are found: a list, or an answer as it travels, for which no row is to be kept.
///
/// ```
/// use charioteer_engine::raw::{BatchPut, Family, Pairs, Put, RawStore, RowView, Scan};
/// use charioteer_engine::{Clock, Db};
///
/// /// A line for each row.
/// struct Lines(Vec<u8>);
///
/// impl Pairs for Lines {
///     fn push(&mut self, row: RowView<'_>) {
///         self.push_key(row);
///         self.0.splice(self.0.len() - 1.., [b" = ", row.value(), b"\n"].concat());
///     }
///
///     fn push_key(&mut self, row: RowView<'_>) {
///         self.0.extend([row.key(), b"\n"].concat());
///     }
/// }
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// let puts = ["a", "b"].map(|key| Put::new(key.into(), "1".into()));
/// store.run(Family::Default, BatchPut::new(puts.to_vec()))?;
/// let scan = Scan::forward("".into(), "".into(), 10).collecting(Lines(Vec::new()));
/// assert_eq!(store.walk(Family::Default, scan)?.pairs.0, b"a = 1\nb = 1\n");
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
pub trait Pairs {
    /// Takes a row.
    fn push(&mut self, row: RowView<'_>);

    /// Takes a row of which only the key is wanted.
    fn push_key(&mut self, row: RowView<'_>);
}

impl Pairs for Vec<Pair> {
    fn push(&mut self, row: RowView<'_>) {
        self.push(Pair { key: row.to_key(), value: row.to_value() });
    }

    fn push_key(&mut self, row: RowView<'_>) {
        self.push(Pair { key: row.to_key(), value: Bytes::new() });
    }
}

/// The rows that a scan found.
///
/// ```
/// use charioteer_engine::raw::{Pair, Scanned};
///
/// let scanned = Scanned { pairs: Vec::<Pair>::new(), is_cut: false };
/// assert!(scanned.pairs.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned<P = Vec<Pair>> {
    /// They, in the direction of the scan.
    pub pairs: P,
    /// Whether the bytes asked for were too few for what would have followed.
    pub is_cut: bool,
}

/// The rows that were found so far.
#[derive(Debug)]
pub(super) struct Found<P> {
    pairs: P,
    rows: usize,
    pub(super) is_cut: bool,
    pub(super) keys_only: bool,
    pub(super) max_bytes: usize,
    bytes: usize,
}

impl Found<Vec<Pair>> {
    pub(super) const fn new() -> Self {
        Self { pairs: Vec::new(), rows: 0, is_cut: false, keys_only: false, max_bytes: usize::MAX, bytes: 0 }
    }
}

impl<P> Found<P> {
    /// The same, before any row was found, for something else.
    pub(super) fn collecting<Q>(self, pairs: Q) -> Found<Q> {
        let Self { rows, is_cut, keys_only, max_bytes, bytes, .. } = self;
        Found { pairs, rows, is_cut, keys_only, max_bytes, bytes }
    }

    /// How many there are.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn into_scanned(self) -> Scanned<P> {
        Scanned { pairs: self.pairs, is_cut: self.is_cut }
    }
}

impl<P: Pairs> Found<P> {
    /// Breaks if there is no room for the row.
    pub(super) fn take(&mut self, row: RowView<'_>) -> ControlFlow<()> {
        let value_bytes = if self.keys_only { 0 } else { row.value().len() };
        self.bytes = self.bytes.saturating_add(row.key().len() + value_bytes + PAIR_BYTES);
        if self.bytes > self.max_bytes && self.rows > 0 {
            self.is_cut = true;
            return ControlFlow::Break(());
        }
        self.rows += 1;
        if self.keys_only {
            self.pairs.push_key(row);
        } else {
            self.pairs.push(row);
        }
        ControlFlow::Continue(())
    }
}
