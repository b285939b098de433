//! What is counted.

use smallvec::SmallVec;

/// Something that an operation says about itself, for the counters of `stats`.
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
}

/// What one operation counts.
pub type Events = SmallVec<[Event; 2]>;
