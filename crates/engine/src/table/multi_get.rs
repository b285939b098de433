//! Multi-get of sort keys named one by one.

use bytes::Bytes;

use super::key::raw_key;
use super::operation::{Operation, Status, Writes};
use super::row::{Context, Row, live};

/// The most rows that one multi-get returns, and the most that one range of it looks at.
pub(super) const MAX_ROWS: usize = 3000;

/// The most bytes of keys and values that an answer has before it gets no further row. The original
/// knows this limit for ranges only, and lets a request of some kilobytes ask for gigabytes
/// otherwise.
pub(super) const MAX_SIZE: usize = 30 << 20;

/// What [`MultiGet`] and [`MultiGetRange`](super::MultiGetRange) answer.
///
/// ```
/// use charioteer_engine::table::{MultiGetReply, Status};
///
/// let reply = MultiGetReply { status: Status::Ok, rows: vec![("sort".into(), "value".into())] };
/// assert_eq!(reply.rows.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiGetReply {
    /// [`Status::Ok`] when all there is was returned, [`Status::Incomplete`] when there may be
    /// more, [`Status::InvalidArgument`] for an unknown filter.
    pub status: Status,
    /// Sort keys and values.
    pub rows: Vec<(Bytes, Bytes)>,
}

/// Reads rows of one hash key by their sort keys.
///
/// The rows come in the order they were asked for, twice if asked for twice; missing and expired
/// ones are left out. A limit is looked at before each row, so the last one may go beyond
/// `max_size`; a row that is left out because of a limit makes the answer [`Status::Incomplete`].
///
/// ```
/// use charioteer_engine::table::{Context, MultiGet, Operation, Row, Status};
///
/// let get = MultiGet::new("h".into(), vec!["b".into(), "a".into()], 1, 0, false);
/// let row = |value: &'static str| Some(Row { expire_ts: 0, value: value.into() });
/// let (reply, _) = get.apply(&[row("2"), row("1")], &Context { now: 100, default_ttl: 0 });
/// assert_eq!(reply.status, Status::Incomplete);
/// assert_eq!(reply.rows, [("b".into(), "2".into())]);
/// ```
#[derive(Debug, Clone)]
pub struct MultiGet {
    sort_keys: Vec<Bytes>,
    keys: Vec<Bytes>,
    max_count: usize,
    max_size: usize,
    no_value: bool,
}

impl MultiGet {
    /// Reads `sort_keys` of `hash_key`: at most `max_count` rows (at most 3000 in any case) and, in
    /// bytes of sort keys and values, about `max_size` (at most 30 MiB in any case); neither limits
    /// when it is not positive. With `no_value` values come empty.
    #[must_use]
    pub fn new(hash_key: Bytes, sort_keys: Vec<Bytes>, max_count: i32, max_size: i32, no_value: bool) -> Self {
        let keys = sort_keys.iter().map(|sort_key| raw_key(&hash_key, sort_key)).collect();
        let max_count = positive(max_count).map_or(MAX_ROWS, |count| count.min(MAX_ROWS));
        let max_size = positive(max_size).map_or(MAX_SIZE, |size| size.min(MAX_SIZE));
        Self { sort_keys, keys, max_count, max_size, no_value }
    }
}

impl Operation for MultiGet {
    type Reply = MultiGetReply;

    fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    fn lock(&self) -> Option<&[u8]> {
        None
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        let mut reply = MultiGetReply { status: Status::Ok, rows: Vec::new() };
        let mut size = 0;
        for (sort_key, row) in self.sort_keys.into_iter().zip(rows) {
            let Some(row) = live(Some(row), context) else {
                continue;
            };
            if reply.rows.len() >= self.max_count || size >= self.max_size {
                reply.status = Status::Incomplete;
                break;
            }
            let value = if self.no_value { Bytes::new() } else { row.value.clone() };
            size += sort_key.len() + value.len();
            reply.rows.push((sort_key, value));
        }
        (reply, Writes::new())
    }
}

/// A limit of the protocol, where zero and less mean none.
pub(super) fn positive(limit: i32) -> Option<usize> {
    usize::try_from(limit).ok().filter(|limit| *limit > 0)
}
