//! How long an item is to be kept, in the one number by which all three protocols say it.

use core::time::Duration;

/// Numbers up to this, 30 days, are seconds from now; greater ones are points in time.
const MAX_RELATIVE: i64 = 60 * 60 * 24 * 30;

/// How long an item is to be kept, as it stands on the wire: 0 for ever, up to 30 days seconds from now, beyond that a point in
/// time in seconds since 1970, below 0 not at all.
///
/// The text protocols carry 32 bits with a sign, the binary protocol 32 without. What has no place there is written as the nearest
/// that has: a moment behind 2038 in text as 2038, a number below 0 in binary as a moment in 1970.
///
/// ```
/// use charioteer_proto::memcached::{Expiration, Expires};
/// use std::time::Duration;
///
/// let now = 1_800_000_000;
/// assert_eq!(Expiration::after(Duration::from_secs(60), now).wire(), 60);
/// assert_eq!(Expiration::after(Duration::from_secs(60), now).resolve(now), Expires::At(now + 60));
/// let year = Duration::from_secs(365 * 24 * 60 * 60);
/// assert_eq!(Expiration::after(year, now).wire(), 1_831_536_000);
/// assert_eq!(Expiration::NEVER.resolve(now), Expires::Never);
/// assert_eq!(Expiration::IMMEDIATELY.resolve(now), Expires::Past);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiration(i64);

impl Expiration {
    /// Kept until it is removed or makes room for others.
    pub const NEVER: Self = Self(0);

    /// Gone at once: a moment in 1970, which all three protocols can say.
    pub const IMMEDIATELY: Self = Self(MAX_RELATIVE + 1);

    /// What a number on the wire means.
    #[must_use]
    pub const fn from_wire(number: i64) -> Self {
        Self(number)
    }

    /// The number that stands on the wire.
    #[must_use]
    pub const fn wire(self) -> i64 {
        self.0
    }

    /// So long from now; parts of a second count as a whole one.
    #[must_use]
    pub fn after(lifetime: Duration, now_unix: u64) -> Self {
        let seconds = lifetime.as_secs().saturating_add(u64::from(lifetime.subsec_nanos() > 0));
        match i64::try_from(seconds) {
            Ok(0) => Self::IMMEDIATELY,
            Ok(seconds) if seconds <= MAX_RELATIVE => Self(seconds),
            _ => Self(i64::try_from(now_unix.saturating_add(seconds)).unwrap_or(i64::MAX)),
        }
    }

    /// At that moment, in seconds since 1970.
    #[must_use]
    pub fn at(unix: u64) -> Self {
        Self(i64::try_from(unix).unwrap_or(i64::MAX).max(MAX_RELATIVE + 1))
    }

    /// What it means for an item that is written now.
    #[must_use]
    pub const fn resolve(self, now_unix: u64) -> Expires {
        match self.0 {
            0 => Expires::Never,
            1..=MAX_RELATIVE => Expires::At(now_unix.saturating_add(self.0.unsigned_abs())),
            moment if moment > 0 && moment.unsigned_abs() > now_unix => Expires::At(moment.unsigned_abs()),
            _ => Expires::Past,
        }
    }

    /// In the text protocols.
    pub(super) fn signed(self) -> i32 {
        i32::try_from(self.0).unwrap_or(if self.0 < 0 { -1 } else { i32::MAX })
    }

    /// In the binary protocol.
    pub(super) fn unsigned(self) -> u32 {
        match self.0 {
            ..0 => Self::IMMEDIATELY.unsigned(),
            number => u32::try_from(number).unwrap_or(u32::MAX),
        }
    }
}

/// When an item ends.
///
/// ```
/// use charioteer_proto::memcached::{Expiration, Expires};
///
/// assert_eq!(Expiration::from_wire(-1).resolve(1_800_000_000), Expires::Past);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expires {
    /// Not by itself.
    Never,
    /// At that moment, in seconds since 1970.
    At(u64),
    /// Before it began.
    Past,
}
