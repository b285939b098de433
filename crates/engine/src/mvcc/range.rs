//! Ranges of users' keys.

use bytes::{BufMut, Bytes, BytesMut};

use super::key::EncodedKey;

/// The keys from one to just before another.
///
/// ```
/// use charioteer_engine::mvcc::KeyRange;
///
/// let range = KeyRange::new("a".into(), "b".into());
/// assert_ne!(range, KeyRange::all());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first.
    pub start: Bytes,
    /// The first behind it; empty is behind the last key of all.
    pub end: Bytes,
}

impl KeyRange {
    /// From `start` to just before `end`; to the last key, if that is empty.
    #[must_use]
    pub const fn new(start: Bytes, end: Bytes) -> Self {
        Self { start, end }
    }

    /// All keys.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Where its rows lie; without an end, to the last.
    pub(super) fn stored(&self) -> (Bytes, Option<Bytes>) {
        let end = (!self.end.is_empty()).then(|| EncodedKey::of(&self.end).bytes().clone());
        (EncodedKey::of(&self.start).bytes().clone(), end)
    }

    /// What is left of it behind a key.
    pub(super) fn behind(self, key: &Bytes) -> Self {
        let mut start = BytesMut::with_capacity(key.len() + 1);
        start.put_slice(key);
        start.put_u8(0);
        Self { start: start.freeze(), end: self.end }
    }
}
