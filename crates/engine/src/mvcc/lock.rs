//! Locks: that a transaction is about to write a key.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::LockInfo;
use super::encoding::{put_bytes, put_varint, take_bytes, take_varint};

/// What a transaction is about to do with the key it has locked.
///
/// ```
/// use charioteer_engine::mvcc::LockKind;
///
/// assert_ne!(LockKind::Lock, LockKind::Pessimistic);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Write a value.
    Put,
    /// Delete it.
    Delete,
    /// Nothing: others are to be kept from writing it.
    Lock,
    /// Not known yet: the transaction is still running, and has kept the key for itself.
    Pessimistic,
}

/// The lock of a key. A key has one at most.
///
/// ```
/// use charioteer_engine::mvcc::{Lock, LockKind};
///
/// let lock = Lock::new(LockKind::Put, "primary".into(), 7, 3_000);
/// assert!(!lock.is_pessimistic() && lock.min_commit_ts == 0);
/// assert_eq!(Lock::decode(lock.encode()), Some(lock));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lock {
    /// What is to be done.
    pub kind: LockKind,
    /// The key whose fate is the transaction's.
    pub primary: Bytes,
    /// Which transaction it is.
    pub start_ts: u64,
    /// How long it may be taken for alive, in milliseconds from the physical part of `start_ts`.
    pub ttl_ms: u64,
    /// Of a pessimistic transaction, the timestamp up to which others' versions are known not to matter.
    pub for_update_ts: u64,
    /// How many keys the transaction has, as far as it tells.
    pub txn_size: u64,
    /// The transaction commits at this timestamp or later; 0 says nothing.
    pub min_commit_ts: u64,
    /// Whether the transaction is committed once all its locks are there.
    pub use_async_commit: bool,
    /// Whether the versions are about to be written in its stead; such a lock is never stored.
    pub use_one_pc: bool,
    /// Of the primary of such a transaction, its other keys.
    pub secondaries: Vec<Bytes>,
    /// A value of at most [`SHORT_VALUE_BYTES`](super::SHORT_VALUE_BYTES); a longer one lies with the values.
    pub short_value: Option<Bytes>,
    /// Transactions that were rolled back and started when this one may commit.
    pub rollback_ts: Vec<u64>,
    /// Whether it was taken although there is a version behind the timestamp it was asked for.
    pub is_locked_with_conflict: bool,
    /// Of a transaction that writes its buffer bit by bit, which bit this is, from 1.
    pub generation: u64,
}

impl Lock {
    /// One that says no more than that.
    #[must_use]
    pub const fn new(kind: LockKind, primary: Bytes, start_ts: u64, ttl_ms: u64) -> Self {
        Self {
            kind,
            primary,
            start_ts,
            ttl_ms,
            for_update_ts: 0,
            txn_size: 0,
            min_commit_ts: 0,
            use_async_commit: false,
            use_one_pc: false,
            secondaries: Vec::new(),
            short_value: None,
            rollback_ts: Vec::new(),
            is_locked_with_conflict: false,
            generation: 0,
        }
    }

    /// Whether it is one of a transaction that is still running.
    #[must_use]
    pub const fn is_pessimistic(&self) -> bool {
        matches!(self.kind, LockKind::Pessimistic)
    }

    /// What others are told of it.
    #[must_use]
    pub fn info(&self, key: Bytes) -> LockInfo {
        LockInfo {
            key,
            kind: self.kind,
            primary: self.primary.clone(),
            start_ts: self.start_ts,
            ttl_ms: self.ttl_ms,
            txn_size: self.txn_size,
            for_update_ts: self.for_update_ts,
            use_async_commit: self.use_async_commit,
            min_commit_ts: self.min_commit_ts,
            secondaries: self.secondaries.clone(),
            duration_to_last_update_ms: 0,
        }
    }

    /// Whether it is over at that timestamp, by the physical parts of the timestamps.
    pub(super) const fn is_over(&self, current_ts: u64) -> bool {
        physical(self.start_ts).saturating_add(self.ttl_ms) < physical(current_ts)
    }

    /// The bytes to store.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let named: usize = self.secondaries.iter().map(|key| key.len() + 2).sum();
        let value = self.short_value.as_ref().map_or(0, Bytes::len);
        let mut stored = BytesMut::with_capacity(64 + self.primary.len() + named + value);
        stored.put_u8(match self.kind {
            LockKind::Put => b'P',
            LockKind::Delete => b'D',
            LockKind::Lock => b'L',
            LockKind::Pessimistic => b'S',
        });
        put_bytes(&mut stored, &self.primary);
        put_varint(&mut stored, self.start_ts);
        put_varint(&mut stored, self.ttl_ms);
        let numbers = [
            (b'f', self.for_update_ts),
            (b't', self.txn_size),
            (b'c', self.min_commit_ts),
            (b'F', u64::from(self.is_locked_with_conflict)),
            (b'g', self.generation),
        ];
        for (tag, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
            stored.put_u8(tag);
            put_varint(&mut stored, number);
        }
        if let Some(value) = &self.short_value {
            stored.put_u8(b'v');
            put_bytes(&mut stored, value);
        }
        if self.use_async_commit {
            stored.put_u8(b'a');
            put_varint(&mut stored, self.secondaries.len() as u64);
            self.secondaries.iter().for_each(|key| put_bytes(&mut stored, key));
        }
        if !self.rollback_ts.is_empty() {
            stored.put_u8(b'r');
            put_varint(&mut stored, self.rollback_ts.len() as u64);
            self.rollback_ts.iter().for_each(|ts| put_varint(&mut stored, *ts));
        }
        stored.freeze()
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` for bytes that are no lock.
    #[must_use]
    pub fn decode(mut stored: Bytes) -> Option<Self> {
        let kind = match stored.try_get_u8().ok()? {
            b'P' => LockKind::Put,
            b'D' => LockKind::Delete,
            b'L' => LockKind::Lock,
            b'S' => LockKind::Pessimistic,
            _ => return None,
        };
        let primary = take_bytes(&mut stored)?;
        let start_ts = take_varint(&mut stored)?;
        let mut lock = Self::new(kind, primary, start_ts, take_varint(&mut stored)?);
        while let Ok(tag) = stored.try_get_u8() {
            lock.take(tag, &mut stored)?;
        }
        Some(lock)
    }

    fn take(&mut self, tag: u8, stored: &mut Bytes) -> Option<()> {
        match tag {
            b'v' => self.short_value = Some(take_bytes(stored)?),
            b'f' => self.for_update_ts = take_varint(stored)?,
            b't' => self.txn_size = take_varint(stored)?,
            b'c' => self.min_commit_ts = take_varint(stored)?,
            b'F' => self.is_locked_with_conflict = take_varint(stored)? != 0,
            b'g' => self.generation = take_varint(stored)?,
            b'a' => {
                self.use_async_commit = true;
                for _ in 0..take_varint(stored)? {
                    self.secondaries.push(take_bytes(stored)?);
                }
            }
            b'r' => {
                for _ in 0..take_varint(stored)? {
                    self.rollback_ts.push(take_varint(stored)?);
                }
            }
            _ => return None,
        }
        Some(())
    }
}

/// The milliseconds of a timestamp, without the counter in its lowest bits.
pub(super) const fn physical(ts: u64) -> u64 {
    ts >> 18
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_lock_says_comes_back() {
        let lock = Lock {
            for_update_ts: 8,
            txn_size: u64::MAX,
            min_commit_ts: 9,
            use_async_commit: true,
            secondaries: vec!["a".into(), "".into()],
            short_value: Some("".into()),
            rollback_ts: vec![3, u64::MAX],
            is_locked_with_conflict: true,
            generation: 2,
            ..Lock::new(LockKind::Pessimistic, "primary".into(), u64::MAX, 3_000)
        };
        let stored = lock.encode();
        assert_eq!(Lock::decode(stored.clone()), Some(lock));
        assert_eq!(Lock::decode(stored.slice(..stored.len() - 1)), None, "it breaks off");
        assert_eq!(Lock::decode("X".into()), None);
    }

    #[test]
    fn a_lock_is_over_a_millisecond_after_its_time() {
        let lock = Lock::new(LockKind::Put, Bytes::new(), (100 << 18) + 5, 10);
        assert!(!lock.is_over(110 << 18) && lock.is_over(111 << 18) && lock.is_over(u64::MAX));
    }
}
