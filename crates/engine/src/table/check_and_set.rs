//! Check-and-set: one write that depends on a value.

use bytes::Bytes;
use smallvec::smallvec;

use super::check::{Check, CheckReply};
use super::key::raw_key;
use super::operation::{Operation, Status, Writes};
use super::row::{Context, Row, live};

/// What a [`CheckAndSet`] is asked to do.
///
/// ```
/// use charioteer_engine::table::CheckAndSetRequest;
///
/// let if_missing = CheckAndSetRequest {
///     hash_key: "user".into(),
///     check_sort_key: "lock".into(),
///     check_type: 1,
///     set_value: "me".into(),
///     ..CheckAndSetRequest::default()
/// };
/// assert_eq!(if_missing.set_sort_key, None, "the row that is checked is the one that is set");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckAndSetRequest {
    /// The hash key of both rows.
    pub hash_key: Bytes,
    /// The sort key of the row to check.
    pub check_sort_key: Bytes,
    /// A `cas_check_type` of the protocol, 0 to 17.
    pub check_type: i32,
    /// What the value is compared with, if the check compares.
    pub check_operand: Bytes,
    /// The sort key of the row to set; `None` is the one that was checked.
    pub set_sort_key: Option<Bytes>,
    /// The value to set.
    pub set_value: Bytes,
    /// Its expiry, as in [`Put`](super::Put): an existing one is not kept.
    pub set_expire_ts: i32,
    /// Whether the answer shall carry the value that was checked.
    pub return_check_value: bool,
}

/// Writes one row if the value of another, or its own, passes a check.
///
/// ```
/// use charioteer_engine::table::{
///     CheckAndSet, CheckAndSetRequest, Context, Operation, Row, Status,
/// };
///
/// let if_missing = CheckAndSetRequest {
///     check_type: 1,
///     set_value: "me".into(),
///     ..CheckAndSetRequest::default()
/// };
/// let held = Row {
///     expire_ts: 100,
///     value: "you".into(),
/// };
/// let context = |now| Context {
///     now,
///     default_ttl: 0,
/// };
///
/// let (reply, writes) =
///     CheckAndSet::new(if_missing.clone()).apply(&[Some(held.clone())], &context(99));
/// assert_eq!((reply.status, writes.len()), (Status::TryAgain, 0));
/// let (reply, writes) = CheckAndSet::new(if_missing).apply(&[Some(held)], &context(100));
/// assert_eq!((reply.status, writes.len()), (Status::Ok, 1));
/// ```
#[derive(Debug, Clone)]
pub struct CheckAndSet {
    keys: [Bytes; 1],
    check: Check,
    hash_key: Bytes,
    set_sort_key: Option<Bytes>,
    value: Bytes,
    expire_ts: i32,
}

impl CheckAndSet {
    /// Does what `request` says.
    #[must_use]
    pub fn new(request: CheckAndSetRequest) -> Self {
        Self {
            keys: [raw_key(&request.hash_key, &request.check_sort_key)],
            check: Check::new(request.check_type, request.check_operand, request.return_check_value),
            hash_key: request.hash_key,
            set_sort_key: request.set_sort_key,
            value: request.set_value,
            expire_ts: request.set_expire_ts,
        }
    }
}

impl Operation for CheckAndSet {
    type Reply = CheckReply;

    fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    fn lock(&self) -> Option<&[u8]> {
        Some(&self.hash_key)
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        let reply = self.check.evaluate(live(rows.first(), context));
        if reply.status != Status::Ok {
            return (reply, Writes::new());
        }
        let [checked_key] = self.keys;
        let set_key = self.set_sort_key.map_or(checked_key, |sort_key| raw_key(&self.hash_key, &sort_key));
        let row = Row { expire_ts: context.expire_at(self.expire_ts), value: self.value };
        (reply, smallvec![(set_key, Some(row))])
    }
}
