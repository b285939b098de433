//! Going through all items in steps.

use bytes::Bytes;

use super::super::attributes::item_size;
use super::super::inspect::Inspected;
use super::Cache;
use super::arena::{Slot, SlotId};
use super::shard::cause_of_death;

/// Where a walk through all items goes on; the default is the beginning.
///
/// ```
/// use charioteer_engine::cache::Cursor;
///
/// let begin = Cursor::default();
/// assert_eq!(begin.clone(), begin);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    cell: usize,
    /// The slots below this one are still to come. They are gone through downwards: an item moves downwards too, so
    /// that it may be seen twice, and is never missed.
    below: usize,
}

/// A step of a walk through all items.
///
/// ```
/// use charioteer_engine::Clock;
/// use charioteer_engine::cache::{Cache, CacheOptions, Cursor, Expiry, Store};
///
/// let cache = Cache::new(CacheOptions::default(), Clock::system());
/// for key in ["a", "b", "c"] {
///     cache.run(key.as_bytes(), Store::set("value".into(), 0, Expiry::NEVER))?;
/// }
/// let (mut cursor, mut keys) = (Some(Cursor::default()), Vec::new());
/// while let Some(from) = cursor {
///     let listing = cache.list(from, 2);
///     keys.extend(listing.items.into_iter().map(|item| item.key));
///     cursor = listing.next;
/// }
/// keys.sort();
/// assert_eq!(keys, ["a", "b", "c"]);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The items of this step; there may be none although others follow.
    pub items: Vec<Listed>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// An item that was listed.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Expiry, Inspected, Listed};
///
/// let attributes = Attributes::new(0, Expiry::NEVER, 5, 1_700_000_000);
/// let listed = Listed { key: "key".into(), item: Inspected { attributes, size: 63 } };
/// assert_eq!(listed.key, "key");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: Bytes,
    /// What there is to tell of it.
    pub item: Inspected,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { cell: 0, below: usize::MAX }
    }
}

impl Cache {
    /// Looks at the next places of items, at most so many but at least one, and tells of those that are alive. Items that
    /// are there all the while are told of at least once.
    #[must_use]
    pub fn list(&self, from: Cursor, places: usize) -> Listing {
        let moment = self.moment();
        let (mut left, mut items) = (places.max(1), Vec::new());
        let Cursor { cell: first, mut below } = from;
        for (at, cell) in self.cells.iter().enumerate().skip(first) {
            let shard = cell.shard.lock();
            let end = below.min(shard.slots());
            let begin = end.saturating_sub(left);
            let slots = (begin..end).rev().filter_map(|slot| shard.slot(SlotId::try_from(slot).ok()?));
            items.extend(slots.filter(|slot| cause_of_death(slot, moment).is_none()).map(listed));
            left -= end - begin;
            if begin > 0 || left == 0 {
                return Listing { items, next: Some(Cursor { cell: at, below: begin }) };
            }
            below = usize::MAX;
        }
        Listing { items, next: None }
    }
}

fn listed(slot: &Slot) -> Listed {
    let size = item_size(usize::from(slot.key_bytes), slot.value_bytes(), slot.flags());
    Listed { key: Bytes::copy_from_slice(slot.key()), item: Inspected { attributes: slot.attributes(), size } }
}
