//! Operations on one row: get, ttl, put, remove.

use bytes::Bytes;
use smallvec::smallvec;

use super::key::lock_of;
use super::operation::{Operation, Writes};
use super::row::{Context, Row, live};

/// Reads one value; a missing or expired row is `None`.
///
/// ```
/// use charioteer_engine::table::{Context, Get, Operation, Row, raw_key};
///
/// let get = Get::new(raw_key(b"h", b"s"));
/// let row = Row { expire_ts: 100, value: "v".into() };
/// let (value, _) = get.apply(&[Some(row)], &Context { now: 99, default_ttl: 0 });
/// assert_eq!(value.as_deref(), Some(&b"v"[..]));
/// ```
#[derive(Debug, Clone)]
pub struct Get {
    keys: [Bytes; 1],
}

impl Get {
    /// Reads the row at `raw_key`.
    #[must_use]
    pub fn new(raw_key: Bytes) -> Self {
        Self { keys: [raw_key] }
    }
}

impl Operation for Get {
    type Reply = Option<Bytes>;

    fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    fn lock(&self) -> Option<&[u8]> {
        None
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        (live(rows.first(), context).map(|row| row.value.clone()), Writes::new())
    }
}

/// How long a row still lives.
///
/// ```
/// use charioteer_engine::table::TimeToLive;
///
/// assert_ne!(TimeToLive::Never, TimeToLive::Seconds(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeToLive {
    /// It never expires.
    Never,
    /// It expires in so many seconds.
    Seconds(u32),
}

/// Reads how long a row still lives; a missing or expired one is `None`.
///
/// ```
/// use charioteer_engine::table::{Context, Operation, Row, TimeToLive, Ttl, raw_key};
///
/// let row = Row {
///     expire_ts: 100,
///     value: "v".into(),
/// };
/// let (ttl, _) = Ttl::new(raw_key(b"h", b"s")).apply(
///     &[Some(row)],
///     &Context {
///         now: 40,
///         default_ttl: 0,
///     },
/// );
/// assert_eq!(ttl, Some(TimeToLive::Seconds(60)));
/// ```
#[derive(Debug, Clone)]
pub struct Ttl {
    keys: [Bytes; 1],
}

impl Ttl {
    /// Reads the row at `raw_key`.
    #[must_use]
    pub fn new(raw_key: Bytes) -> Self {
        Self { keys: [raw_key] }
    }
}

impl Operation for Ttl {
    type Reply = Option<TimeToLive>;

    fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    fn lock(&self) -> Option<&[u8]> {
        None
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        let ttl = live(rows.first(), context).map(|row| match row.expire_ts.checked_sub(context.now) {
            _ if row.expire_ts == 0 => TimeToLive::Never,
            left => TimeToLive::Seconds(left.unwrap_or(0)),
        });
        (ttl, Writes::new())
    }
}

/// Writes one row, its value and its expiry, whatever is there.
///
/// ```
/// use charioteer_engine::table::{Context, Operation, Put, raw_key};
///
/// let put = Put::new(raw_key(b"h", b"s"), "v".into(), 500);
/// let ((), writes) = put.apply(&[], &Context { now: 100, default_ttl: 0 });
/// assert_eq!(writes.len(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct Put {
    raw_key: Bytes,
    value: Bytes,
    expire_ts: i32,
}

impl Put {
    /// Writes `value` at `raw_key`, to expire at `expire_ts` seconds since
    /// [`PEGASUS_EPOCH`](super::PEGASUS_EPOCH); 0 leaves it to the table, and a negative one is
    /// read as unsigned.
    #[must_use]
    pub fn new(raw_key: Bytes, value: Bytes, expire_ts: i32) -> Self {
        Self { raw_key, value, expire_ts }
    }
}

impl Operation for Put {
    type Reply = ();

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn lock(&self) -> Option<&[u8]> {
        Some(lock_of(&self.raw_key))
    }

    fn apply(self, _: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        let row = Row { expire_ts: context.expire_at(self.expire_ts), value: self.value };
        ((), smallvec![(self.raw_key, Some(row))])
    }
}

/// Removes one row; removing a missing one is fine.
///
/// ```
/// use charioteer_engine::table::{Context, Operation, Remove, raw_key};
///
/// let ((), writes) = Remove::new(raw_key(b"h", b"s")).apply(
///     &[],
///     &Context {
///         now: 100,
///         default_ttl: 0,
///     },
/// );
/// assert_eq!(writes[0].1, None);
/// ```
#[derive(Debug, Clone)]
pub struct Remove {
    raw_key: Bytes,
}

impl Remove {
    /// Removes the row at `raw_key`.
    #[must_use]
    pub fn new(raw_key: Bytes) -> Self {
        Self { raw_key }
    }
}

impl Operation for Remove {
    type Reply = ();

    fn keys(&self) -> &[Bytes] {
        &[]
    }

    fn lock(&self) -> Option<&[u8]> {
        Some(lock_of(&self.raw_key))
    }

    fn apply(self, _: &[Option<Row>], _: &Context) -> (Self::Reply, Writes) {
        ((), smallvec![(self.raw_key, None)])
    }
}
