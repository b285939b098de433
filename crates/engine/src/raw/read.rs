//! Reading rows by their keys.

use std::slice;

use bytes::Bytes;

use super::operation::{Operation, Writes};
use super::row::Row;

/// A key and its value.
///
/// ```
/// use charioteer_engine::raw::Pair;
///
/// let pair = Pair { key: "k".into(), value: "v".into() };
/// assert_eq!(pair.key, "k");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Bytes,
    /// The value; empty where values were not asked for.
    pub value: Bytes,
}

/// Reads the value of a key.
///
/// ```
/// use charioteer_engine::raw::{Family, Get, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::system())?;
/// store.run(Family::Default, Put::new("key".into(), "".into()))?;
/// assert_eq!(store.run(Family::Default, Get::new("key".into()))?.as_deref(), Some(&b""[..]));
/// assert_eq!(store.run(Family::Write, Get::new("key".into()))?, None);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    key: Bytes,
}

impl Get {
    /// Of this key.
    #[must_use]
    pub const fn new(key: Bytes) -> Self {
        Self { key }
    }
}

impl Operation for Get {
    type Reply = Option<Bytes>;

    fn keys(&self) -> &[Bytes] {
        slice::from_ref(&self.key)
    }

    fn writes(&self) -> bool {
        false
    }

    fn apply(self, rows: &[Option<Row>], now: u64) -> (Option<Bytes>, Writes) {
        (live(rows.first(), now).map(|row| row.value.clone()), Writes::new())
    }
}

/// How long a row still lives.
///
/// ```
/// use charioteer_engine::raw::TimeToLive;
///
/// assert_eq!(TimeToLive::Never.seconds(), 0);
/// assert_eq!(TimeToLive::Seconds(5).seconds(), 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeToLive {
    /// It does not expire.
    Never,
    /// So many seconds, at least one.
    Seconds(u64),
}

impl TimeToLive {
    /// As it travels: 0 for a row that does not expire.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Never => 0,
            Self::Seconds(seconds) => seconds,
        }
    }
}

/// Asks how long the row of a key still lives; `None` if there is none.
///
/// ```
/// use charioteer_engine::raw::{Family, Put, RawStore, TimeToLive, Ttl};
/// use charioteer_engine::{Clock, Db};
///
/// let store = RawStore::open(Db::memory(), Clock::stopped_at(std::time::Duration::from_secs(1_700_000_000)))?;
/// store.run(Family::Default, Put::new("key".into(), "value".into()).with_ttl(60))?;
/// assert_eq!(store.run(Family::Default, Ttl::new("key".into()))?, Some(TimeToLive::Seconds(60)));
/// assert_eq!(store.run(Family::Default, Ttl::new("other".into()))?, None);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ttl {
    key: Bytes,
}

impl Ttl {
    /// Of this key.
    #[must_use]
    pub const fn new(key: Bytes) -> Self {
        Self { key }
    }
}

impl Operation for Ttl {
    type Reply = Option<TimeToLive>;

    fn keys(&self) -> &[Bytes] {
        slice::from_ref(&self.key)
    }

    fn writes(&self) -> bool {
        false
    }

    fn apply(self, rows: &[Option<Row>], now: u64) -> (Option<TimeToLive>, Writes) {
        let time_to_live = live(rows.first(), now).map(|row| match row.expires_at {
            0 => TimeToLive::Never,
            expires_at => TimeToLive::Seconds(expires_at - now),
        });
        (time_to_live, Writes::new())
    }
}

/// The row as readers see it: an expired one is missing.
pub(super) fn live(row: Option<&Option<Row>>, now: u64) -> Option<&Row> {
    row?.as_ref().filter(|row| !row.is_expired(now))
}
