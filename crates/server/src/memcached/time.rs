//! Moments as the protocols say them, and as the items keep them.

use charioteer_engine::cache::Expiry;
use charioteer_proto::memcached::{Expiration, Expires};

/// The second in which a request is answered.
#[derive(Clone, Copy)]
pub(super) struct Now(u64);

impl Now {
    pub(super) const fn at(unix: u64) -> Self {
        Self(unix)
    }

    /// In seconds since 1970.
    pub(super) fn second(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// When an item expires that is written now.
    pub(super) fn expiry(self, expiration: Expiration) -> Expiry {
        match expiration.resolve(self.0) {
            Expires::Never => Expiry::NEVER,
            Expires::At(second) => Expiry::at(u32::try_from(second).unwrap_or(u32::MAX)),
            Expires::Past => Expiry::PAST,
        }
    }

    /// When a flush takes effect that is asked for now: at once, where nothing else is said. One of the past takes none, as memcached
    /// has it of moments before it was started.
    pub(super) fn flush(self, delay: Option<Expiration>) -> u32 {
        match delay.map(|delay| delay.resolve(self.0)) {
            Some(Expires::At(second)) => u32::try_from(second).unwrap_or(u32::MAX),
            Some(Expires::Past) => 0,
            Some(Expires::Never) | None => self.second(),
        }
    }

    /// How long an item is still kept, as replies tell it; nothing for one that does not expire.
    pub(super) fn remaining(self, expiry: Expiry) -> Option<u32> {
        expiry.seconds_left(self.second()).map(|left| u32::try_from(left).unwrap_or(0))
    }

    /// How many seconds have passed since then.
    pub(super) fn since(self, second: u32) -> u32 {
        self.second().saturating_sub(second)
    }
}
