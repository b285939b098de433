//! Counters: values that hold an integer as text.

use bytes::Bytes;
use smallvec::smallvec;

use super::integer;
use super::key::lock_of;
use super::operation::{Operation, Status, Writes};
use super::row::{Context, Row, live};

/// What [`Increment`] answers.
///
/// ```
/// use charioteer_engine::table::{IncrementReply, Status};
///
/// let reply = IncrementReply { status: Status::Ok, new_value: 5 };
/// assert_eq!(reply.new_value, 5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncrementReply {
    /// [`Status::Ok`], or [`Status::InvalidArgument`] when the value is no integer or the sum does
    /// not fit 64 bits.
    pub status: Status,
    /// The sum; the old value when the sum does not fit; 0 when the value is no integer.
    pub new_value: i64,
}

/// Adds to the integer in a value, and stores the sum as decimal text.
///
/// A missing, expired or empty value counts as 0. The text may be decimal, octal with a leading `0`
/// or hexadecimal with a leading `0x`; white space before it is allowed, after it not.
///
/// ```
/// use charioteer_engine::table::{Context, Increment, Operation, Row, raw_key};
///
/// let increment = Increment::new(raw_key(b"h", b"s"), 5, 0);
/// let row = Row { expire_ts: 0, value: "0x10".into() };
/// let (reply, writes) = increment.apply(&[Some(row)], &Context { now: 100, default_ttl: 0 });
/// assert_eq!(reply.new_value, 21);
/// assert_eq!(writes[0].1.as_ref().map(|row| &row.value[..]), Some(&b"21"[..]));
/// ```
#[derive(Debug, Clone)]
pub struct Increment {
    keys: [Bytes; 1],
    increment: i64,
    expire_ts: i32,
}

impl Increment {
    /// Adds `increment`, which may be 0, to the value at `raw_key`.
    ///
    /// `expire_ts` is in seconds since [`PEGASUS_EPOCH`](super::PEGASUS_EPOCH): positive sets the
    /// row's expiry, 0 keeps the one it has, negative clears it.
    #[must_use]
    pub fn new(raw_key: Bytes, increment: i64, expire_ts: i32) -> Self {
        Self { keys: [raw_key], increment, expire_ts }
    }

    fn expire_ts(&self, existing: Option<&Row>) -> u32 {
        match self.expire_ts {
            0 => existing.map_or(0, |row| row.expire_ts),
            set => u32::try_from(set).unwrap_or(0),
        }
    }
}

impl Operation for Increment {
    type Reply = IncrementReply;

    fn keys(&self) -> &[Bytes] {
        &self.keys
    }

    fn lock(&self) -> Option<&[u8]> {
        let [raw_key] = &self.keys;
        Some(lock_of(raw_key))
    }

    fn apply(self, rows: &[Option<Row>], context: &Context) -> (Self::Reply, Writes) {
        let existing = live(rows.first(), context);
        let base = match existing {
            Some(row) if !row.value.is_empty() => integer::parse(&row.value),
            _ => Some(0),
        };
        let sum = base.and_then(|base| base.checked_add(self.increment));
        let Some(new_value) = sum else {
            let reply = IncrementReply { status: Status::InvalidArgument, new_value: base.unwrap_or(0) };
            return (reply, Writes::new());
        };
        // A row left without an expiry gets the table's default here too, even one that had none
        // before.
        let expire_ts = context.expire_or_default(self.expire_ts(existing));
        let row = Row { expire_ts, value: new_value.to_string().into() };
        let [raw_key] = self.keys;
        (IncrementReply { status: Status::Ok, new_value }, smallvec![(raw_key, Some(row))])
    }
}
