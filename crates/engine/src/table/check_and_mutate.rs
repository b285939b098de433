//! Check-and-mutate: several writes that depend on a value.

use bytes::Bytes;

use super::check::{Check, CheckReply};
use super::key::raw_key;
use super::operation::{Operation, Status, Writes};
use super::row::{Context, Row, live};

/// One write of a [`CheckAndMutate`].
///
/// ```
/// use charioteer_engine::table::Mutation;
///
/// let put = Mutation { operation: 0, sort_key: "s".into(), value: "v".into(), expire_ts: 0 };
/// let remove = Mutation { operation: 1, sort_key: "s".into(), ..Mutation::default() };
/// assert_ne!(put, remove);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mutation {
    /// A `mutate_operation` of the protocol: 0 puts, 1 removes.
    pub operation: i32,
    /// The sort key of the row to write.
    pub sort_key: Bytes,
    /// The value to put.
    pub value: Bytes,
    /// Its expiry, as in [`Put`](super::Put).
    pub expire_ts: i32,
}

/// Makes several writes under one hash key if a value of it passes a check: all of them, in order,
/// or none.
///
/// Without mutations, with one that neither puts nor removes, or with an unknown check the answer
/// is [`Status::InvalidArgument`].
///
/// ```
/// use charioteer_engine::table::{CheckAndMutate, Context, Mutation, Operation, Status};
///
/// let remove = Mutation {
///     operation: 1,
///     sort_key: "b".into(),
///     ..Mutation::default()
/// };
/// let if_missing = 1;
/// let mutate = CheckAndMutate::new(
///     "h".into(),
///     "a".into(),
///     if_missing,
///     "".into(),
///     vec![remove],
///     false,
/// );
/// let (reply, writes) = mutate.apply(
///     &[None],
///     &Context {
///         now: 100,
///         default_ttl: 0,
///     },
/// );
/// assert_eq!((reply.status, writes.len()), (Status::Ok, 1));
/// ```
#[derive(Debug, Clone)]
pub struct CheckAndMutate {
    keys: [Bytes; 1],
    check: Check,
    hash_key: Bytes,
    mutations: Vec<Mutation>,
}

impl CheckAndMutate {
    /// Checks the row of `hash_key` and `check_sort_key`; `check_type` is a `cas_check_type` of the
    /// protocol, 0 to 17.
    #[must_use]
    pub fn new(
        hash_key: Bytes,
        check_sort_key: Bytes,
        check_type: i32,
        check_operand: Bytes,
        mutations: Vec<Mutation>,
        return_check_value: bool,
    ) -> Self {
        let keys = [raw_key(&hash_key, &check_sort_key)];
        Self { keys, check: Check::new(check_type, check_operand, return_check_value), hash_key, mutations }
    }

    /// `None` when there is nothing to write, or something that is no write.
    fn writes(&self, context: &Context) -> Option<Writes> {
        let write = |mutation: &Mutation| {
            let key = raw_key(&self.hash_key, &mutation.sort_key);
            let row = || Row { expire_ts: context.expire_at(mutation.expire_ts), value: mutation.value.clone() };
            match mutation.operation {
                0 => Some((key, Some(row()))),
                1 => Some((key, None)),
                _ => None,
            }
        };
        self.mutations.iter().map(write).collect::<Option<Writes>>().filter(|writes| !writes.is_empty())
    }
}

impl Operation for CheckAndMutate {
    type Reply = CheckReply;

    fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    fn lock(&self) -> Option<&[u8]> {
        Some(&self.hash_key)
    }

    fn row_count(&self) -> usize {
        self.mutations.len()
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        let Some(writes) = self.writes(context) else {
            return (CheckReply::invalid(), Writes::new());
        };
        let reply = self.check.evaluate(live(rows.first(), context));
        if reply.status == Status::Ok { (reply, writes) } else { (reply, Writes::new()) }
    }
}
