//! The cluster's timestamps: milliseconds and a counter in one number.

use core::fmt;
use core::ops::RangeInclusive;

use super::pdpb;

const LOGICAL_BITS: u32 = 18;
/// The highest counter within a millisecond.
const LOGICAL_MAX: u64 = (1 << LOGICAL_BITS) - 1;
/// The last millisecond that a timestamp can tell.
const PHYSICAL_MAX: u64 = u64::MAX >> LOGICAL_BITS;

/// A timestamp of the cluster: `physical << 18 | logical`.
///
/// ```
/// use charioteer_proto::tikv::timestamp::Timestamp;
///
/// let timestamp = Timestamp::new(1_700_000_000_000, 5).unwrap();
/// assert_eq!(u64::from(timestamp), 445_644_800_000_000_005);
/// assert_eq!((timestamp.physical_ms(), timestamp.logical()), (1_700_000_000_000, 5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Greater than all: reads at it see the newest there is.
    pub const MAX: Self = Self(u64::MAX);

    /// That millisecond since 1970 and that counter; `None` if either is too large.
    #[must_use]
    pub const fn new(physical_ms: u64, logical: u64) -> Option<Self> {
        if physical_ms > PHYSICAL_MAX || logical > LOGICAL_MAX {
            return None;
        }
        Some(Self(physical_ms << LOGICAL_BITS | logical))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn physical_ms(self) -> u64 {
        self.0 >> LOGICAL_BITS
    }

    /// The counter within the millisecond.
    #[must_use]
    pub const fn logical(self) -> u64 {
        self.0 & LOGICAL_MAX
    }

    /// The `count` timestamps that a PD hands out next: greater than this one, the last it handed out, and not before `now_ms`.
    ///
    /// All of them are of one millisecond, as the protocol wants it; where the counter would run over, that of the next. `None` if
    /// `count` is 0 or more than a millisecond has, or when time itself runs over.
    #[must_use]
    pub fn next(self, now_ms: u64, count: u32) -> Option<RangeInclusive<Self>> {
        let more = u64::from(count).checked_sub(1)?;
        let first = Self::new(now_ms, 0)?.max(Self(self.0.checked_add(1)?));
        let first = if first.logical() + more > LOGICAL_MAX { Self::new(first.physical_ms() + 1, 0)? } else { first };
        let last = Self::new(first.physical_ms(), first.logical() + more)?;
        Some(first..=last)
    }

    /// The `count` timestamps of which a PD's answer tells this, the last; `None` for an answer that cannot be.
    #[must_use]
    pub fn ending_here(self, count: u32) -> Option<RangeInclusive<Self>> {
        let more = u64::from(count).checked_sub(1)?;
        let first = self.logical().checked_sub(more)?;
        Some(Self::new(self.physical_ms(), first)?..=self)
    }

    /// Eight bytes that sort the newest first, as they stand behind a key in the families of transactions.
    ///
    /// ```
    /// use charioteer_proto::tikv::timestamp::Timestamp;
    ///
    /// assert_eq!(Timestamp::from(1).descending(), *b"\xff\xff\xff\xff\xff\xff\xff\xfe");
    /// assert_eq!(Timestamp::from_descending(*b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Timestamp::from(1));
    /// ```
    #[must_use]
    pub const fn descending(self) -> [u8; 8] {
        (!self.0).to_be_bytes()
    }

    /// The timestamp of these eight bytes.
    #[must_use]
    pub const fn from_descending(bytes: [u8; 8]) -> Self {
        Self(!u64::from_be_bytes(bytes))
    }
}

impl From<u64> for Timestamp {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<Timestamp> for u64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

/// The parts of a message do not make a timestamp: one is negative, or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timestamp out of range")
    }
}

impl core::error::Error for OutOfRange {}

impl TryFrom<pdpb::Timestamp> for Timestamp {
    type Error = OutOfRange;

    fn try_from(message: pdpb::Timestamp) -> Result<Self, OutOfRange> {
        let physical = u64::try_from(message.physical).map_err(|_| OutOfRange)?;
        let logical = u64::try_from(message.logical).map_err(|_| OutOfRange)?;
        Self::new(physical, logical).ok_or(OutOfRange)
    }
}

impl From<Timestamp> for pdpb::Timestamp {
    fn from(timestamp: Timestamp) -> Self {
        Self {
            physical: timestamp.physical_ms().cast_signed(),
            logical: timestamp.logical().cast_signed(),
            suffix_bits: 0,
        }
    }
}
