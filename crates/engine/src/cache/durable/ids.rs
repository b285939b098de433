//! CAS ids that no value gets twice, whatever happens in between.

use bytes::{Buf, Bytes};

use crate::Error;

/// So many ids are noted as used at a time.
const NOTED_AT_ONCE: u64 = 1_000_000;

/// Gives out ids. Those up to `noted` are taken for used when the store is opened again, so that ids above it may be
/// given out only together with a note.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    last: u64,
    noted: u64,
}

impl Ids {
    /// The ids of a store whose last note was this.
    pub(super) fn behind(note: Option<Bytes>) -> Result<Self, Error> {
        let noted = match note {
            None => 0,
            Some(mut note) => note.try_get_u64().map_err(|_| Error::Corrupt { what: "number of the last CAS id" })?,
        };
        Ok(Self { last: noted, noted })
    }

    /// An id, and what has to be noted with its first use, if anything.
    pub(super) fn take(&mut self) -> (u64, Option<Bytes>) {
        self.last += 1;
        if self.last <= self.noted {
            return (self.last, None);
        }
        self.noted = self.last + NOTED_AT_ONCE;
        (self.last, Some(Bytes::copy_from_slice(&self.noted.to_be_bytes())))
    }

    /// The last note was not written: the next id needs another.
    pub(super) const fn note_was_lost(&mut self) {
        self.noted = self.last;
    }

    /// The id that is given out next.
    pub(super) const fn next(&self) -> u64 {
        self.last + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn no_id_is_given_out_twice_though_the_store_is_opened_again_and_again() {
        let (mut note, mut last) = (None, 0);
        for _ in 0..3 {
            let mut ids = Ids::behind(note.clone()).unwrap();
            for _ in 0..5 {
                assert_eq!(ids.next(), ids.last + 1);
                let (id, noted) = ids.take();
                assert!(id > last);
                last = id;
                note = noted.or(note);
            }
        }
    }

    #[test]
    fn a_note_comes_before_the_ids_it_covers_are_used_up() {
        let mut ids = Ids::behind(None).unwrap();
        let notes = (0..2_500_000).filter(|_| ids.take().1.is_some()).count();
        assert_eq!(notes, 3);
    }
}
