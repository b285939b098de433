//! A stored row and the time it lives by.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The Unix time, in seconds, from which Pegasus counts its own: 2016-01-01 00:00:00 UTC.
pub const PEGASUS_EPOCH: u64 = 1_451_606_400;

const EXPIRE_TS_BYTES: usize = size_of::<u32>();

/// What a rule must know besides the rows: the time, and what the table sets for rows written
/// without an expiry.
///
/// ```
/// use charioteer_engine::table::{Context, PEGASUS_EPOCH};
/// use std::time::Duration;
///
/// let context = Context::at(Duration::from_secs(PEGASUS_EPOCH + 100), 60);
/// assert_eq!(context.now, 100);
/// assert_eq!(
///     context.expire_at(0),
///     160,
///     "no expiry asked for: the table's default"
/// );
/// assert_eq!(context.expire_at(110), 110);
/// assert_eq!(
///     context.expire_at(-1),
///     u32::MAX,
///     "negative times are read as unsigned: the year 2152"
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Seconds since [`PEGASUS_EPOCH`].
    pub now: u32,
    /// Seconds that a row written without an expiry lives; 0 is for ever.
    pub default_ttl: u32,
}

impl Context {
    /// The context at `unix`, the time since the Unix epoch. Times before [`PEGASUS_EPOCH`] count
    /// as 0.
    #[must_use]
    pub fn at(unix: Duration, default_ttl: u32) -> Self {
        let now = u32::try_from(unix.as_secs().saturating_sub(PEGASUS_EPOCH)).unwrap_or(u32::MAX);
        Self { now, default_ttl }
    }

    /// The expiry to store for one that came as `expire_ts` seconds since [`PEGASUS_EPOCH`]; 0 is
    /// "none asked for".
    #[must_use]
    pub fn expire_at(&self, expire_ts: i32) -> u32 {
        self.expire_or_default(expire_ts.cast_unsigned())
    }

    pub(super) fn expire_or_default(&self, expire_ts: u32) -> u32 {
        if expire_ts == 0 && self.default_ttl != 0 { self.now.saturating_add(self.default_ttl) } else { expire_ts }
    }
}

/// A row as it is stored: when it expires, and its value.
///
/// Encoded, it is the expiry as a big-endian `u32` and then the value.
///
/// ```
/// use charioteer_engine::table::Row;
///
/// let row = Row { expire_ts: 7, value: "v".into() };
/// assert_eq!(&row.encode()[..], b"\0\0\0\x07v");
/// assert_eq!(Row::decode(row.encode()), Some(row));
/// assert_eq!(Row::decode("abc".into()), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Seconds since [`PEGASUS_EPOCH`] from which the row is gone; 0 is never.
    pub expire_ts: u32,
    /// The user's bytes.
    pub value: Bytes,
}

impl Row {
    /// Whether the row is gone at `now`, in seconds since [`PEGASUS_EPOCH`].
    #[must_use]
    pub fn is_expired(&self, now: u32) -> bool {
        self.expire_ts > 0 && self.expire_ts <= now
    }

    /// The bytes to store, in an allocation of their own.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut stored = BytesMut::with_capacity(EXPIRE_TS_BYTES + self.value.len());
        stored.put_u32(self.expire_ts);
        stored.put_slice(&self.value);
        stored.freeze()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for bytes too short to be a row. The value
    /// is not copied.
    #[must_use]
    pub fn decode(mut stored: Bytes) -> Option<Self> {
        let expire_ts = stored.try_get_u32().ok()?;
        Some(Self { expire_ts, value: stored })
    }

    /// The expiry of a stored row.
    pub(super) fn expiry_of(mut stored: &[u8]) -> Option<u32> {
        stored.try_get_u32().ok()
    }
}

/// A row, looked at where it lies: nothing of it is kept in memory by looking.
///
/// ```
/// use bytes::Bytes;
/// use charioteer_engine::table::{Row, RowView};
///
/// let stored = Row { expire_ts: 7, value: "value".into() }.encode();
/// let view = RowView::of(&stored).ok_or("it is a row")?;
/// assert_eq!((view.expire_ts, view.value()), (7, &b"value"[..]));
/// assert_eq!(view.to_value(), Bytes::from("value"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    /// When it expires, in seconds since [`PEGASUS_EPOCH`]; 0 is never.
    pub expire_ts: u32,
    stored: &'a Bytes,
}

impl<'a> RowView<'a> {
    /// A stored row; `None` for bytes too short to be one.
    #[must_use]
    pub fn of(stored: &'a Bytes) -> Option<Self> {
        Some(Self { expire_ts: Row::expiry_of(stored)?, stored })
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        &self.stored[EXPIRE_TS_BYTES..]
    }

    /// The value, to be kept, which keeps the row in memory.
    #[must_use]
    pub fn to_value(&self) -> Bytes {
        self.stored.slice(EXPIRE_TS_BYTES..)
    }

    /// Whether readers do not see it any more.
    #[must_use]
    pub const fn is_expired(&self, now: u32) -> bool {
        self.expire_ts > 0 && self.expire_ts <= now
    }
}

/// The row as readers see it: an expired one is missing.
pub(super) fn live<'a>(row: Option<&'a Option<Row>>, context: &Context) -> Option<&'a Row> {
    row?.as_ref().filter(|row| !row.is_expired(context.now))
}
