//! Flushing: everything stored before a moment dies when the moment has come.

/// The flush that counts, if there was any. A later one takes the place of one whose moment has not come.
///
/// ```
/// use charioteer_engine::cache::Flush;
///
/// let flush = Flush::at(1_700_000_010);
/// assert!(!flush.covers(1_700_000_000, 1_700_000_008), "the moment has not come");
/// assert!(flush.covers(1_700_000_000, 1_700_000_010));
/// assert!(!flush.covers(1_700_000_010, 1_700_000_010), "it was stored afterwards");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flush {
    /// What was used last in this second or before dies when it has come; 0 if there was no flush.
    last_dead: u32,
}

impl Flush {
    /// No flush.
    pub const NONE: Self = Self { last_dead: 0 };

    /// A flush at `moment`, in seconds since the Unix epoch. The second before it belongs to it too, as in memcached.
    #[must_use]
    pub const fn at(moment: u32) -> Self {
        Self { last_dead: moment.saturating_sub(1) }
    }

    /// Whether its moment has come. Whatever is stored in that instant has to be removed then, because the second in
    /// which it was used does not tell it from what is stored afterwards.
    #[must_use]
    pub const fn has_come(self, now: u32) -> bool {
        self.last_dead != 0 && self.last_dead <= now
    }

    /// Whether an item is dead that was used last at `last_access`.
    #[must_use]
    pub const fn covers(self, last_access: u32, now: u32) -> bool {
        self.has_come(now) && last_access <= self.last_dead
    }

    /// Whether an item was used last so long before the moment that its second tells it from what is stored afterwards.
    pub(super) const fn is_long_before(self, last_access: u32) -> bool {
        last_access < self.last_dead
    }

    /// The number to keep.
    pub(super) const fn number(self) -> u32 {
        self.last_dead
    }

    /// Reads what [`number`](Self::number) gave.
    pub(super) const fn from_number(last_dead: u32) -> Self {
        Self { last_dead }
    }
}
