//! What is counted.

use smallvec::SmallVec;

/// Something that operations and stores count, for `stats`.
///
/// ```
/// use charioteer_engine::cache::{Context, Event, Operation, Read};
///
/// let outcome = Read::get().apply(None, &Context::at(1_700_000_000));
/// assert_eq!(outcome.events[..], [Event::GetMiss]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A read found the item.
    GetHit,
    /// A read found no item.
    GetMiss,
    /// A read found the item and set its expiry.
    TouchHit,
    /// A read found no item whose expiry to set.
    TouchMiss,
    /// A value was to be stored, whatever came of it.
    Set,
    /// A value was stored in the place of the one it was compared with.
    CasHit,
    /// There was no item to compare with.
    CasMiss,
    /// The item had changed.
    CasBad,
    /// An item was deleted.
    DeleteHit,
    /// There was no item to delete, or not that one.
    DeleteMiss,
    /// A number was incremented.
    IncrementHit,
    /// There was no number to increment, and none was made.
    IncrementMiss,
    /// A number was decremented.
    DecrementHit,
    /// There was no number to decrement, and none was made.
    DecrementMiss,
    /// An item was refused because of its size.
    TooLarge,
    /// An item was refused because there was no memory for it.
    NoMemory,
    /// An item came to be, or took another's place.
    NewItem,
    /// An item was looked for that had expired.
    Expired,
    /// An item was looked for that had been flushed.
    Flushed,
    /// An item was evicted.
    Evicted,
    /// An item was evicted that nobody had read.
    EvictedUnfetched,
    /// The memory of an item that was dead was used again, or given back.
    Reclaimed,
    /// The same of one that nobody had read.
    ExpiredUnfetched,
}

impl Event {
    /// How many there are.
    pub(super) const COUNT: usize = Self::ExpiredUnfetched as usize + 1;
}

/// What one operation counts.
pub type Events = SmallVec<[Event; 2]>;
