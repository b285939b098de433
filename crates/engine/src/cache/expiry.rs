//! When an item expires.

/// The second from which an item is gone, or never.
///
/// Seconds are counted from the Unix epoch, in 32 bits that last until the year 2106. What a client sends is relative,
/// absolute, negative or zero; making a second of it is the protocols' affair.
///
/// ```
/// use charioteer_engine::cache::Expiry;
///
/// let expiry = Expiry::at(1_700_000_060);
/// assert!(!expiry.has_come(1_700_000_059));
/// assert!(expiry.has_come(1_700_000_060));
/// assert!(!Expiry::NEVER.has_come(u32::MAX));
/// assert!(Expiry::PAST.has_come(1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expiry(u32);

impl Expiry {
    /// The item does not expire.
    pub const NEVER: Self = Self(0);

    /// The item has expired already: it is stored, and gone at once.
    pub const PAST: Self = Self(1);

    /// The item is gone from that second on. The second 0, which stands for [`NEVER`](Self::NEVER), is taken for
    /// [`PAST`](Self::PAST).
    #[must_use]
    pub const fn at(second: u32) -> Self {
        if second == 0 { Self::PAST } else { Self(second) }
    }

    /// The second from which the item is gone; `None` if it does not expire.
    #[must_use]
    pub const fn second(self) -> Option<u32> {
        if self.0 == 0 { None } else { Some(self.0) }
    }

    /// Whether the item is gone at `now`.
    #[must_use]
    pub const fn has_come(self, now: u32) -> bool {
        self.0 != 0 && self.0 <= now
    }

    /// How many seconds are left at `now`, negative ones if it is gone already; `None` if it does not expire.
    #[must_use]
    pub fn seconds_left(self, now: u32) -> Option<i64> {
        self.second().map(|second| i64::from(second) - i64::from(now))
    }

    /// Whether the item expires, and does so before the other does. [`NEVER`](Self::NEVER) as the other is before
    /// everything, as the number 0 that stands for it.
    pub(super) const fn is_before(self, other: Self) -> bool {
        self.0 != 0 && self.0 < other.0
    }

    /// The number that is stored: 0 for never.
    pub(super) const fn number(self) -> u32 {
        self.0
    }

    /// Reads what [`number`](Self::number) gave.
    pub(super) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}
