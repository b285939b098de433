//! Lists of slots, linked through the slots themselves: any slot can be taken out without a search.

use super::arena::{Arena, NONE, SlotId};

/// Some of an arena's slots, in order. A slot is in one list at a time.
pub(super) struct List {
    newest: SlotId,
    oldest: SlotId,
    len: usize,
}

impl List {
    pub(super) const fn new() -> Self {
        Self { newest: NONE, oldest: NONE, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn oldest(&self) -> Option<SlotId> {
        if self.oldest == NONE { None } else { Some(self.oldest) }
    }

    pub(super) fn push(&mut self, arena: &mut Arena, id: SlotId) {
        let slot = &mut arena[id];
        (slot.newer, slot.older) = (NONE, self.newest);
        match self.newest {
            NONE => self.oldest = id,
            newest => arena[newest].newer = id,
        }
        self.newest = id;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, arena: &mut Arena, id: SlotId) {
        let (newer, older) = (arena[id].newer, arena[id].older);
        self.set_neighbours(arena, newer, older, (older, newer));
        self.len -= 1;
    }

    /// A slot was moved to `to`, with its links; its neighbours are told.
    pub(super) fn moved(&mut self, arena: &mut Arena, to: SlotId) {
        let (newer, older) = (arena[to].newer, arena[to].older);
        self.set_neighbours(arena, newer, older, (to, to));
    }

    /// Says to the newer neighbour what is older than it, and to the older what is newer.
    fn set_neighbours(&mut self, arena: &mut Arena, newer: SlotId, older: SlotId, told: (SlotId, SlotId)) {
        match newer {
            NONE => self.newest = told.0,
            newer => arena[newer].older = told.0,
        }
        match older {
            NONE => self.oldest = told.1,
            older => arena[older].newer = told.1,
        }
    }
}
