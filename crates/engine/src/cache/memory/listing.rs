//! Going through all items in steps.

use bytes::Bytes;

use super::super::attributes::item_size;
use super::super::inspect::Inspected;
use super::super::listing::{Cursor, Listed, Listing, Position};
use super::Cache;
use super::arena::{Slot, SlotId};
use super::shard::cause_of_death;

impl Cache {
    /// Looks at the next places of items, at most so many but at least one, and tells of those that are alive. Items that
    /// are there all the while are told of at least once.
    #[must_use]
    pub fn list(&self, from: Cursor, places: usize) -> Listing {
        let moment = self.moment();
        let (mut left, mut items) = (places.max(1), Vec::new());
        let (first, mut below) = match from.position {
            Position::Slot { cell, below } => (cell, below),
            Position::Begin | Position::Behind(_) => (0, usize::MAX),
        };
        for (at, cell) in self.cells.iter().enumerate().skip(first) {
            let shard = cell.shard.lock();
            let end = below.min(shard.slots());
            let begin = end.saturating_sub(left);
            let slots = (begin..end).rev().filter_map(|slot| shard.slot(SlotId::try_from(slot).ok()?));
            items.extend(slots.filter(|slot| cause_of_death(slot, moment).is_none()).map(listed));
            left -= end - begin;
            if begin > 0 || left == 0 {
                return Listing { items, next: Some(Cursor::at_slot(at, begin)) };
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
