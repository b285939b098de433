//! What was flushed, so that it is known after the next opening.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::flush::Flush;
use super::row::Head;
use crate::Error;

/// All flushes so far, and the one to come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flushes {
    /// What has a lower number is dead: everything was flushed at once.
    first_alive: u64,
    /// A flush whose moment had come when another took its place.
    replaced: Flush,
    /// What has this number or a higher one was stored after that, though it be in the same second.
    first_after: u64,
    /// The flush that was asked for last.
    last: Flush,
}

impl Flushes {
    pub(super) const fn cover(&self, head: &Head, now: u32) -> bool {
        let (number, last_access) = (head.number, head.attributes.last_access);
        number < self.first_alive
            || number < self.first_after && self.replaced.covers(last_access, now)
            || self.last.covers(last_access, now)
    }

    /// After a flush at `moment`, which takes none at 0, where what is stored next has a number that is not lower than `next`.
    pub(super) fn and_at(self, moment: u32, now: u32, next: u64) -> Self {
        let last = Flush::at(moment);
        if moment <= now && last != Flush::NONE {
            // The number tells what is dead, whatever the clock says later.
            return Self { first_alive: next, last: Flush::NONE, ..self };
        }
        let first_alive = if last.has_come(now) { next } else { self.first_alive };
        // What has died by the flush that is replaced stays dead. If that was of an earlier time than the one replaced
        // before, nothing has died by it that was stored since.
        if self.last.has_come(now) && self.last > self.replaced {
            return Self { first_alive, replaced: self.last, first_after: next, last };
        }
        Self { first_alive, last, ..self }
    }

    pub(super) fn encode(self) -> Bytes {
        let mut stored = BytesMut::with_capacity(24);
        stored.put_u64(self.first_alive);
        stored.put_u32(self.replaced.number());
        stored.put_u64(self.first_after);
        stored.put_u32(self.last.number());
        stored.freeze()
    }

    pub(super) fn decode(stored: Bytes) -> Result<Self, Error> {
        Self::try_decode(stored).ok_or(Error::Corrupt { what: "time of the last flush" })
    }

    fn try_decode(mut stored: Bytes) -> Option<Self> {
        let first_alive = stored.try_get_u64().ok()?;
        let replaced = Flush::from_number(stored.try_get_u32().ok()?);
        let first_after = stored.try_get_u64().ok()?;
        let last = Flush::from_number(stored.try_get_u32().ok()?);
        Some(Self { first_alive, replaced, first_after, last })
    }
}
