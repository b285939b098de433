//! Writes of several rows under one hash key: multi-put, multi-remove.

use bytes::Bytes;

use super::key::raw_key;
use super::operation::{Operation, Status, Writes};
use super::row::{Context, Row};

/// Writes several rows of one hash key at once, all with the same expiry. Of a sort key given twice
/// the last value stays. Without rows the answer is [`Status::InvalidArgument`].
///
/// ```
/// use charioteer_engine::table::{Context, MultiPut, Operation, Status};
///
/// let put = MultiPut::new(
///     "h".into(),
///     vec![("a".into(), "1".into()), ("b".into(), "2".into())],
///     0,
/// );
/// let (status, writes) = put.apply(
///     &[],
///     &Context {
///         now: 100,
///         default_ttl: 0,
///     },
/// );
/// assert_eq!((status, writes.len()), (Status::Ok, 2));
/// ```
#[derive(Debug, Clone)]
pub struct MultiPut {
    hash_key: Bytes,
    rows: Vec<(Bytes, Bytes)>,
    expire_ts: i32,
}

impl MultiPut {
    /// Writes `rows`, pairs of sort key and value; `expire_ts` as in [`Put`](super::Put).
    #[must_use]
    pub fn new(hash_key: Bytes, rows: Vec<(Bytes, Bytes)>, expire_ts: i32) -> Self {
        Self { hash_key, rows, expire_ts }
    }
}

impl Operation for MultiPut {
    type Reply = Status;

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn lock(&self) -> Option<&[u8]> {
        Some(&self.hash_key)
    }

    fn row_count(&self) -> usize {
        self.rows.len()
    }

    fn apply(self, _: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        if self.rows.is_empty() {
            return (Status::InvalidArgument, Writes::new());
        }
        let expire_ts = context.expire_at(self.expire_ts);
        let hash_key = &self.hash_key;
        let writes = self.rows.into_iter();
        let writes = writes.map(|(sort_key, value)| (raw_key(hash_key, &sort_key), Some(Row { expire_ts, value })));
        (Status::Ok, writes.collect())
    }
}

/// What [`MultiRemove`] answers.
///
/// ```
/// use charioteer_engine::table::{MultiRemoveReply, Status};
///
/// let reply = MultiRemoveReply { status: Status::Ok, count: 2 };
/// assert_eq!(reply.count, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultiRemoveReply {
    /// [`Status::Ok`], or [`Status::InvalidArgument`] without sort keys.
    pub status: Status,
    /// How many sort keys were given, whether they existed or not.
    pub count: i64,
}

/// Removes several rows of one hash key at once.
///
/// ```
/// use charioteer_engine::table::{Context, MultiRemove, Operation};
///
/// let remove = MultiRemove::new("h".into(), vec!["a".into(), "b".into()]);
/// let (reply, writes) = remove.apply(&[], &Context { now: 100, default_ttl: 0 });
/// assert_eq!((reply.count, writes.len()), (2, 2));
/// ```
#[derive(Debug, Clone)]
pub struct MultiRemove {
    hash_key: Bytes,
    sort_keys: Vec<Bytes>,
}

impl MultiRemove {
    /// Removes the rows of `hash_key` with these sort keys.
    #[must_use]
    pub fn new(hash_key: Bytes, sort_keys: Vec<Bytes>) -> Self {
        Self { hash_key, sort_keys }
    }
}

impl Operation for MultiRemove {
    type Reply = MultiRemoveReply;

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn lock(&self) -> Option<&[u8]> {
        Some(&self.hash_key)
    }

    fn row_count(&self) -> usize {
        self.sort_keys.len()
    }

    fn apply(self, _: &[Option<Row>], _: &Context) -> (Self::Reply, Writes) {
        let status = if self.sort_keys.is_empty() { Status::InvalidArgument } else { Status::Ok };
        let count = i64::try_from(self.sort_keys.len()).unwrap_or(i64::MAX);
        let writes = self.sort_keys.iter().map(|sort_key| (raw_key(&self.hash_key, sort_key), None)).collect();
        (MultiRemoveReply { status, count }, writes)
    }
}
