//! Ranges of keys, as they travel: the end is exclusive, and an empty one is beyond all.

use bytes::{BufMut, Bytes, BytesMut};

use super::locate::Place;
use crate::error::Error;

/// Beyond all keys that a store takes unless it is set to take longer ones. Downwards, stores take an empty bound for the lowest key.
static BEYOND: [u8; (8 << 10) + 1] = [0xff; (8 << 10) + 1];

/// What comes behind a region.
pub(super) type Behind = Option<(Bytes, Bytes)>;

/// Refuses a range that ends before it begins.
pub(super) fn check_range(operation: &'static str, start: &[u8], end: &[u8]) -> Result<(), Error> {
    if end.is_empty() || start <= end {
        return Ok(());
    }
    Err(Error::invalid(operation, "the range ends before it begins"))
}

/// Whether nothing lies between these keys; an empty end is beyond all.
pub(super) fn is_over(start: &Bytes, end: &Bytes) -> bool {
    !end.is_empty() && start >= end
}

/// The part of a range that lies in a region: where it ends, and the range behind it, if there is one.
pub(super) fn part(place: &Place, end: &Bytes) -> (Bytes, Behind) {
    let border = place.end();
    if border.is_empty() || (!end.is_empty() && end <= border) {
        (end.clone(), None)
    } else {
        (border.clone(), Some((border.clone(), end.clone())))
    }
}

/// A bound above, as a store takes it that reads downwards.
pub(super) fn upper_bound(end: Bytes) -> Bytes {
    if end.is_empty() { Bytes::from_static(&BEYOND) } else { end }
}

/// The least key that is greater.
pub(super) fn just_behind(key: &[u8]) -> Bytes {
    let mut behind = BytesMut::with_capacity(key.len() + 1);
    behind.put_slice(key);
    behind.put_u8(0);
    behind.freeze()
}

/// A copy, which does not hold what the key came with.
pub(super) fn apart(key: &Bytes) -> Bytes {
    Bytes::copy_from_slice(key)
}
