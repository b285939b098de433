//! Lists of numbered items, of which any can be taken out at once.

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Links {
    newer: u32,
    older: u32,
}

/// One list of items with numbers below a limit. An item may be in several lists, once in each.
pub(crate) struct List {
    links: Vec<Links>,
    newest: u32,
    oldest: u32,
    len: usize,
}

impl List {
    /// An empty list for items numbered below `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        Self { links: vec![Links { newer: NONE, older: NONE }; limit], newest: NONE, oldest: NONE, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn oldest(&self) -> Option<u32> {
        Some(self.oldest).filter(|id| *id != NONE)
    }

    /// The item that came right after `id`.
    pub(crate) fn newer(&self, id: u32) -> Option<u32> {
        Some(self.links[id as usize].newer).filter(|id| *id != NONE)
    }

    pub(crate) fn push(&mut self, id: u32) {
        self.links[id as usize] = Links { newer: NONE, older: self.newest };
        match self.newest {
            NONE => self.oldest = id,
            newest => self.links[newest as usize].newer = id,
        }
        self.newest = id;
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, id: u32) {
        let Links { newer, older } = self.links[id as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
        self.len -= 1;
    }
}
