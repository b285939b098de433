//! A stored row and the time it lives by.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::stored::KEY_PREFIX;

const EXPIRY_BYTES: usize = size_of::<u64>();

/// A row as it is stored: when it expires, and its value.
///
/// Encoded, it is the expiry as a big-endian `u64` and then the value.
///
/// ```
/// use charioteer_engine::raw::Row;
///
/// let row = Row::with_ttl("value".into(), 60, 1_700_000_000);
/// assert_eq!(row.expires_at, 1_700_000_060);
/// assert!(!row.is_expired(1_700_000_059) && row.is_expired(1_700_000_060));
/// assert_eq!(Row::decode(row.encode()), Some(row));
/// assert_eq!(Row::decode("short".into()), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The Unix time, in seconds, from which the row is gone; 0 is never.
    pub expires_at: u64,
    /// The user's bytes.
    pub value: Bytes,
}

impl Row {
    /// A row that is written at `now` and lives for `ttl` seconds; 0 is for ever.
    #[must_use]
    pub const fn with_ttl(value: Bytes, ttl: u64, now: u64) -> Self {
        let expires_at = if ttl == 0 { 0 } else { now.saturating_add(ttl) };
        Self { expires_at, value }
    }

    /// Whether the row is gone at `now`, in Unix seconds.
    #[must_use]
    pub const fn is_expired(&self, now: u64) -> bool {
        has_come(self.expires_at, now)
    }

    /// The bytes to store, in an allocation of their own.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut stored = BytesMut::with_capacity(EXPIRY_BYTES + self.value.len());
        stored.put_u64(self.expires_at);
        stored.put_slice(&self.value);
        stored.freeze()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for bytes too short to be a row. The value is not copied.
    #[must_use]
    pub fn decode(mut stored: Bytes) -> Option<Self> {
        let expires_at = stored.try_get_u64().ok()?;
        Some(Self { expires_at, value: stored })
    }

    /// Whether a stored row has expired; what is too short to be one has not.
    pub(super) fn stored_is_expired(mut stored: &[u8], now: u64) -> bool {
        stored.try_get_u64().is_ok_and(|expires_at| has_come(expires_at, now))
    }
}

/// A row and its key, looked at where they lie.
///
/// ```
/// use std::ops::ControlFlow;
/// use charioteer_engine::raw::{RowView, Walk, WalkRange};
///
/// /// The bytes of all values of some ranges.
/// struct ValueBytes { ranges: Vec<WalkRange>, bytes: usize }
///
/// impl Walk for ValueBytes {
///     type Reply = usize;
///
///     fn next_range(&mut self) -> Option<WalkRange> {
///         self.ranges.pop()
///     }
///
///     fn visit(&mut self, row: RowView<'_>) -> ControlFlow<()> {
///         self.bytes += row.value().len();
///         ControlFlow::Continue(())
///     }
///
///     fn finish(self) -> usize {
///         self.bytes
///     }
/// }
/// # let _ = ValueBytes { ranges: Vec::new(), bytes: 0 };
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    stored_key: &'a Bytes,
    stored: &'a Bytes,
    expires_at: u64,
}

impl<'a> RowView<'a> {
    /// A stored row; `None` for bytes that are none.
    pub(super) fn of(stored_key: &'a Bytes, stored: &'a Bytes) -> Option<Self> {
        if stored_key.first() != Some(&KEY_PREFIX) {
            return None;
        }
        let expires_at = (&stored[..]).try_get_u64().ok()?;
        Some(Self { stored_key, stored, expires_at })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        &self.stored_key[1..]
    }

    /// The key, to be kept.
    #[must_use]
    pub fn to_key(&self) -> Bytes {
        self.stored_key.slice(1..)
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        &self.stored[EXPIRY_BYTES..]
    }

    /// The value, to be kept, which keeps the row in memory.
    #[must_use]
    pub fn to_value(&self) -> Bytes {
        self.stored.slice(EXPIRY_BYTES..)
    }

    /// The Unix time, in seconds, from which the row is gone; 0 is never.
    #[must_use]
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Whether the row is gone at `now`.
    pub(super) const fn is_expired(&self, now: u64) -> bool {
        has_come(self.expires_at, now)
    }
}

const fn has_come(expires_at: u64, now: u64) -> bool {
    expires_at > 0 && expires_at <= now
}
