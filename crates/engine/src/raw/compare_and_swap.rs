//! Writing only what is known.

use std::slice;

use bytes::Bytes;

use super::operation::{Operation, Writes};
use super::read::live;
use super::row::Row;

/// Writes or removes the value of a key if it is the expected one; `None` expects that there is none. Tells what was there,
/// whether or not it was as expected.
///
/// ```
/// use charioteer_engine::raw::{CompareAndSwap, Family, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// let swap = |expected: Option<&'static str>, value: &'static str| {
///     store.run(Family::Default, CompareAndSwap::put("key".into(), expected.map(Into::into), value.into()))
/// };
/// assert!(swap(None, "Messala")?.succeeded);
/// let refused = swap(Some("Arrius"), "Ben-Hur")?;
/// assert_eq!((refused.succeeded, refused.previous.as_deref()), (false, Some(&b"Messala"[..])));
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareAndSwap {
    key: Bytes,
    expected: Option<Bytes>,
    /// `None` removes the row.
    value: Option<Bytes>,
    ttl: u64,
}

/// What came of a [`CompareAndSwap`].
///
/// ```
/// use charioteer_engine::raw::Swap;
///
/// let swap = Swap { succeeded: true, previous: None };
/// assert!(swap.succeeded);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Whether it was as expected, and so was replaced.
    pub succeeded: bool,
    /// The value that was there before, if there was one.
    pub previous: Option<Bytes>,
}

impl CompareAndSwap {
    /// To this value, for ever.
    #[must_use]
    pub const fn put(key: Bytes, expected: Option<Bytes>, value: Bytes) -> Self {
        Self { key, expected, value: Some(value), ttl: 0 }
    }

    /// To none.
    #[must_use]
    pub const fn delete(key: Bytes, expected: Option<Bytes>) -> Self {
        Self { key, expected, value: None, ttl: 0 }
    }

    /// For so many seconds; 0 is for ever.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: u64) -> Self {
        self.ttl = ttl;
        self
    }
}

impl Operation for CompareAndSwap {
    type Reply = Swap;

    fn keys(&self) -> &[Bytes] {
        slice::from_ref(&self.key)
    }

    fn writes(&self) -> bool {
        true
    }

    fn apply(self, rows: &[Option<Row>], now: u64) -> (Swap, Writes) {
        let previous = live(rows.first(), now).map(|row| row.value.clone());
        let succeeded = previous == self.expected;
        let mut writes = Writes::new();
        if succeeded {
            writes.push((self.key, self.value.map(|value| Row::with_ttl(value, self.ttl, now))));
        }
        (Swap { succeeded, previous }, writes)
    }
}
