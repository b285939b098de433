//! Reads of rows under different hash keys.

use bytes::Bytes;

use super::key::raw_key;
use super::multi_get::MAX_SIZE;
use super::operation::{Operation, Status, Writes};
use super::row::{Context, Row, live};

/// What [`BatchGet`] answers.
///
/// ```
/// use charioteer_engine::table::{BatchGetReply, Status};
///
/// let reply = BatchGetReply {
///     status: Status::Ok,
///     rows: vec![("hash".into(), "sort".into(), "value".into())],
/// };
/// assert_eq!(reply.rows.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchGetReply {
    /// [`Status::Ok`], [`Status::InvalidArgument`] without keys, or [`Status::Incomplete`] when the
    /// rows would take more than 30 MiB.
    pub status: Status,
    /// Hash keys, sort keys and values.
    pub rows: Vec<(Bytes, Bytes, Bytes)>,
}

/// Reads rows by their full keys. Their number has no limit; rows beyond 30 MiB are left out, and
/// the answer is [`Status::Incomplete`] then.
///
/// The rows come in the order they were asked for; missing and expired ones are left out. All keys
/// are looked for in the partition the operation is run on.
///
/// ```
/// use charioteer_engine::table::{BatchGet, Context, Operation, Row};
///
/// let get = BatchGet::new(vec![("h1".into(), "s".into()), ("h2".into(), "s".into())]);
/// let row = Row { expire_ts: 0, value: "v".into() };
/// let (reply, _) = get.apply(&[None, Some(row)], &Context { now: 100, default_ttl: 0 });
/// assert_eq!(reply.rows, [("h2".into(), "s".into(), "v".into())]);
/// ```
#[derive(Debug, Clone)]
pub struct BatchGet {
    full_keys: Vec<(Bytes, Bytes)>,
    keys: Vec<Bytes>,
}

impl BatchGet {
    /// Reads the rows with these hash keys and sort keys.
    #[must_use]
    pub fn new(full_keys: Vec<(Bytes, Bytes)>) -> Self {
        let keys = full_keys.iter().map(|(hash_key, sort_key)| raw_key(hash_key, sort_key)).collect();
        Self { full_keys, keys }
    }
}

impl Operation for BatchGet {
    type Reply = BatchGetReply;

    fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    fn lock(&self) -> Option<&[u8]> {
        None
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        let status = if self.full_keys.is_empty() { Status::InvalidArgument } else { Status::Ok };
        let mut reply = BatchGetReply { status, rows: Vec::new() };
        let mut size = 0;
        for ((hash_key, sort_key), row) in self.full_keys.into_iter().zip(rows) {
            let Some(row) = live(Some(row), context) else {
                continue;
            };
            if size >= MAX_SIZE {
                reply.status = Status::Incomplete;
                break;
            }
            size += hash_key.len() + sort_key.len() + row.value.len();
            reply.rows.push((hash_key, sort_key, row.value.clone()));
        }
        (reply, Writes::new())
    }
}
