//! Writing and removing rows, whatever was there.

use bytes::Bytes;

use super::operation::{Operation, Writes};
use super::row::Row;

/// Writes the value of a key. It lives for ever, whatever the old one did, unless it is given a time.
///
/// ```
/// use charioteer_engine::raw::{Family, Get, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let clock = Clock::system();
/// let store = RawStore::open(Db::memory(), clock.clone())?;
/// store.submit(Family::Default, Put::new("key".into(), "value".into()).with_ttl(60)).wait()?;
/// clock.advance(std::time::Duration::from_secs(60));
/// assert_eq!(store.run(Family::Default, Get::new("key".into()))?, None);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    key: Bytes,
    value: Bytes,
    ttl: u64,
}

impl Put {
    /// This value, for ever.
    #[must_use]
    pub const fn new(key: Bytes, value: Bytes) -> Self {
        Self { key, value, ttl: 0 }
    }

    /// For so many seconds; 0 is for ever.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: u64) -> Self {
        self.ttl = ttl;
        self
    }

    fn into_write(self, now: u64) -> (Bytes, Option<Row>) {
        (self.key, Some(Row::with_ttl(self.value, self.ttl, now)))
    }
}

impl Operation for Put {
    type Reply = ();

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn writes(&self) -> bool {
        true
    }

    fn apply(self, _: &[Option<Row>], now: u64) -> ((), Writes) {
        ((), Writes::from_iter([self.into_write(now)]))
    }
}

/// Writes several values, each with its own time, at one instant; of those for the same key the last stays.
///
/// ```
/// use charioteer_engine::raw::{BatchPut, Family, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// let puts = vec![Put::new("a".into(), "1".into()), Put::new("b".into(), "2".into()).with_ttl(5)];
/// store.run(Family::Default, BatchPut::new(puts))?;
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPut {
    puts: Vec<Put>,
}

impl BatchPut {
    /// These.
    #[must_use]
    pub const fn new(puts: Vec<Put>) -> Self {
        Self { puts }
    }
}

impl Operation for BatchPut {
    type Reply = ();

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn writes(&self) -> bool {
        true
    }

    fn row_count(&self) -> usize {
        self.puts.len()
    }

    fn apply(self, _: &[Option<Row>], now: u64) -> ((), Writes) {
        ((), self.puts.into_iter().map(|put| put.into_write(now)).collect())
    }
}

/// Removes the row of a key, if there is one.
///
/// ```
/// use charioteer_engine::raw::{Delete, Family, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// store.run(Family::Default, Delete::new("key".into()))?;
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    key: Bytes,
}

impl Delete {
    /// Of this key.
    #[must_use]
    pub const fn new(key: Bytes) -> Self {
        Self { key }
    }
}

impl Operation for Delete {
    type Reply = ();

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn writes(&self) -> bool {
        true
    }

    fn apply(self, _: &[Option<Row>], _: u64) -> ((), Writes) {
        ((), Writes::from_iter([(self.key, None)]))
    }
}

/// Removes the rows of several keys, as far as they are there, at one instant.
///
/// ```
/// use charioteer_engine::raw::{BatchDelete, Family, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// store.run(Family::Default, BatchDelete::new(vec!["a".into(), "b".into()]))?;
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchDelete {
    keys: Vec<Bytes>,
}

impl BatchDelete {
    /// Of these keys.
    #[must_use]
    pub const fn new(keys: Vec<Bytes>) -> Self {
        Self { keys }
    }
}

impl Operation for BatchDelete {
    type Reply = ();

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn writes(&self) -> bool {
        true
    }

    fn row_count(&self) -> usize {
        self.keys.len()
    }

    fn apply(self, _: &[Option<Row>], _: u64) -> ((), Writes) {
        ((), self.keys.into_iter().map(|key| (key, None)).collect())
    }
}
