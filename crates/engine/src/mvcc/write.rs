//! Versions: what transactions have done to a key, each at the timestamp it was committed at.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::encoding::{put_bytes, put_varint, skip_bytes, take_bytes, take_varint, varint_len};

/// What a transaction has done to a key.
///
/// ```
/// use charioteer_engine::mvcc::WriteKind;
///
/// assert!(WriteKind::Put.is_data() && !WriteKind::Rollback.is_data());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// Wrote a value.
    Put,
    /// Deleted it.
    Delete,
    /// Kept others from writing it.
    Lock,
    /// Nothing: it was rolled back, and cannot come back.
    Rollback,
}

impl WriteKind {
    /// Whether readers see it.
    #[must_use]
    pub const fn is_data(self) -> bool {
        matches!(self, Self::Put | Self::Delete)
    }
}

/// What a transaction has done to a key, as it is stored at the timestamp it was committed at; a rollback at the one it was
/// started at.
///
/// ```
/// use charioteer_engine::mvcc::{Write, WriteKind};
///
/// let mut write = Write::new(WriteKind::Put, 7);
/// write.short_value = Some("value".into());
/// assert_eq!(Write::decode(write.encode()), Some(write));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// What was done.
    pub kind: WriteKind,
    /// Which transaction did it.
    pub start_ts: u64,
    /// A value of at most [`SHORT_VALUE_BYTES`](super::SHORT_VALUE_BYTES); a longer one lies with the values.
    pub short_value: Option<Bytes>,
    /// Whether a transaction that was started at the timestamp of this version was rolled back: the version is where the
    /// rollback would lie.
    pub has_overlapped_rollback: bool,
    /// Of a rollback, whether it stays although others come.
    pub is_protected: bool,
}

impl Write {
    /// One that says no more than that.
    #[must_use]
    pub const fn new(kind: WriteKind, start_ts: u64) -> Self {
        Self { kind, start_ts, short_value: None, has_overlapped_rollback: false, is_protected: false }
    }

    /// The bytes to store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        // To the byte: what fills its allocation needs no other one beside it.
        let mut stored = BytesMut::with_capacity(self.encoded_len());
        stored.put_u8(match self.kind {
            WriteKind::Put => b'P',
            WriteKind::Delete => b'D',
            WriteKind::Lock => b'L',
            WriteKind::Rollback => b'R',
        });
        put_varint(&mut stored, self.start_ts);
        if let Some(value) = &self.short_value {
            stored.put_u8(b'v');
            put_bytes(&mut stored, value);
        }
        if self.has_overlapped_rollback {
            stored.put_u8(b'R');
        }
        if self.is_protected {
            stored.put_u8(b'p');
        }
        stored.freeze()
    }

    fn encoded_len(&self) -> usize {
        let value = self.short_value.as_ref().map_or(0, |value| 1 + varint_len(value.len() as u64) + value.len());
        let flags = usize::from(self.has_overlapped_rollback) + usize::from(self.is_protected);
        1 + varint_len(self.start_ts) + value + flags
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for bytes that are no version.
    #[must_use]
    pub fn decode(mut stored: Bytes) -> Option<Self> {
        Self::read(&mut stored, |stored| take_bytes(stored).map(Some))
    }

    /// The same without the value, for those who only want to know what was done when.
    pub(super) fn decode_head(mut stored: &[u8]) -> Option<Self> {
        Self::read(&mut stored, |stored| skip_bytes(stored).map(|()| None))
    }

    fn read<B: Buf>(stored: &mut B, value: impl Fn(&mut B) -> Option<Option<Bytes>>) -> Option<Self> {
        let kind = match stored.try_get_u8().ok()? {
            b'P' => WriteKind::Put,
            b'D' => WriteKind::Delete,
            b'L' => WriteKind::Lock,
            b'R' => WriteKind::Rollback,
            _ => return None,
        };
        let mut write = Self::new(kind, take_varint(stored)?);
        while let Ok(tag) = stored.try_get_u8() {
            match tag {
                b'v' => write.short_value = value(stored)?,
                b'R' => write.has_overlapped_rollback = true,
                b'p' => write.is_protected = true,
                _ => return None,
            }
        }
        Some(write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_version_says_comes_back() {
        let write = Write {
            short_value: Some("".into()),
            has_overlapped_rollback: true,
            is_protected: true,
            ..Write::new(WriteKind::Rollback, u64::MAX)
        };
        let stored = write.encode();
        assert_eq!(stored.len(), write.encoded_len());
        assert_eq!(Write::decode_head(&stored), Some(Write { short_value: None, ..write.clone() }));
        assert_eq!(Write::decode(stored.clone()), Some(write));
        assert_eq!(Write::decode(stored.slice(..3)), None, "it breaks off");
        assert_eq!(Write::decode("P\x01x".into()), None, "there is no such tag");
    }
}
