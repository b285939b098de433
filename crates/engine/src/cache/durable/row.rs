//! Items as rows.
//!
//! A row has the key of its item behind a byte that tells it from the rows that the store keeps for itself. It begins
//! with the expiry, so that compaction need not read on.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::attributes::{Attributes, item_size};
use super::super::expiry::Expiry;
use super::super::operation::{Item, Value};
use crate::Error;

/// Stands before the keys of items.
pub(super) const ITEM_PREFIX: u8 = b'i';

/// What comes before the value: expiry, flags, last access, CAS id, number, marks.
const HEADER_BYTES: usize = 4 + 4 + 4 + 8 + 8 + 1;

const FETCHED: u8 = 1;
const STALE: u8 = 2;
const WON: u8 = 4;
const BASE64_KEY: u8 = 8;

/// An item as it is stored.
pub(super) struct Row {
    pub(super) head: Head,
    pub(super) value: Bytes,
}

/// What an item is besides its key and value.
pub(super) struct Head {
    pub(super) attributes: Attributes,
    /// A number that is higher the later the item was stored.
    pub(super) number: u64,
}

impl Row {
    pub(super) fn encode(&self) -> Bytes {
        let Attributes { flags, expiry, cas, last_access, fetched, stale, won, base64_key } = self.head.attributes;
        let mut stored = BytesMut::with_capacity(HEADER_BYTES + self.value.len());
        stored.put_u32(expiry.number());
        stored.put_u32(flags);
        stored.put_u32(last_access);
        stored.put_u64(cas);
        stored.put_u64(self.head.number);
        let marks = [(fetched, FETCHED), (stale, STALE), (won, WON), (base64_key, BASE64_KEY)];
        stored.put_u8(marks.iter().filter(|(is_set, _)| *is_set).map(|(_, mark)| mark).sum());
        stored.put_slice(&self.value);
        stored.freeze()
    }

    /// Reads what [`encode`](Self::encode) wrote. The value is not copied.
    pub(super) fn decode(stored: Bytes) -> Result<Self, Error> {
        Self::try_decode(stored).ok_or(Error::Corrupt { what: "item" })
    }

    fn try_decode(mut stored: Bytes) -> Option<Self> {
        let expiry = Expiry::from_number(stored.try_get_u32().ok()?);
        let (flags, last_access) = (stored.try_get_u32().ok()?, stored.try_get_u32().ok()?);
        let (cas, number) = (stored.try_get_u64().ok()?, stored.try_get_u64().ok()?);
        let marks = stored.try_get_u8().ok()?;
        let attributes = Attributes {
            fetched: marks & FETCHED != 0,
            stale: marks & STALE != 0,
            won: marks & WON != 0,
            base64_key: marks & BASE64_KEY != 0,
            ..Attributes::new(flags, expiry, cas, last_access)
        };
        Some(Self { head: Head { attributes, number }, value: stored })
    }

    /// The expiry of a stored row; `None` for those that the store keeps for itself, which are shorter.
    pub(super) fn expiry_of(stored: &[u8]) -> Option<Expiry> {
        let mut header = stored.get(..HEADER_BYTES)?;
        header.try_get_u32().ok().map(Expiry::from_number)
    }

    pub(super) const fn item(&self) -> Item<'_> {
        Item { value: Value::Shared(&self.value), attributes: self.head.attributes }
    }

    /// How large it counts, under a key of that length.
    pub(super) fn size(&self, key_bytes: usize) -> usize {
        item_size(key_bytes, self.value.len(), self.head.attributes.flags)
    }
}

/// The key of the row of an item.
pub(super) fn row_key(key: &[u8]) -> Bytes {
    let mut stored = BytesMut::with_capacity(1 + key.len());
    stored.put_u8(ITEM_PREFIX);
    stored.put_slice(key);
    stored.freeze()
}

/// The key of the item of a row.
pub(super) fn item_key(row_key: &Bytes) -> Bytes {
    row_key.slice(1.min(row_key.len())..)
}

#[cfg(test)]
mod tests {
    use super::super::super::attributes::Attributes;
    use super::super::super::expiry::Expiry;
    use super::{HEADER_BYTES, Head, Row};

    #[test]
    fn a_row_comes_back_as_it_was() {
        for marks in 0..16 {
            let attributes = Attributes {
                fetched: marks & 1 != 0,
                stale: marks & 2 != 0,
                won: marks & 4 != 0,
                base64_key: marks & 8 != 0,
                ..Attributes::new(7, Expiry::at(9), u64::MAX, 3)
            };
            let stored = Row { head: Head { attributes, number: 5 }, value: "value".into() }.encode();
            assert_eq!(stored.len(), HEADER_BYTES + 5);
            assert_eq!(Row::expiry_of(&stored), Some(Expiry::at(9)));
            let row = Row::decode(stored).unwrap();
            assert_eq!((row.head.attributes, row.head.number, &row.value[..]), (attributes, 5, &b"value"[..]));
        }
    }

    #[test]
    fn what_is_too_short_is_no_row() {
        let head = Head { attributes: Attributes::new(0, Expiry::NEVER, 1, 1), number: 1 };
        let whole = Row { head, value: "".into() }.encode();
        assert!((0..HEADER_BYTES).all(|len| Row::decode(whole.slice(..len)).is_err()));
        assert!(Row::decode(whole).is_ok());
    }
}
