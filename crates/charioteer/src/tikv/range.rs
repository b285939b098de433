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

/// The part of a scan's range that lies in a region.
pub(super) fn overlap((start, end): (&Bytes, &Bytes), place: &Place) -> (Bytes, Bytes) {
    let start = if start < place.start() { place.start() } else { start };
    let is_within = place.end().is_empty() || (!end.is_empty() && end <= place.end());
    (start.clone(), if is_within { end } else { place.end() }.clone())
}

/// What is left of a scan's range behind a page, which has all there is of a part of it up to its last key, or all of it if there is no
/// such key; and where the region ends, if that is within what is left.
pub(super) fn left(
    (start, end): (&Bytes, &Bytes),
    part: (Bytes, Bytes),
    last: Option<&Bytes>,
    is_reverse: bool,
) -> (Behind, Option<Bytes>) {
    let (first, beyond) = part;
    let border = if is_reverse { first } else { beyond };
    let is_last = border == if is_reverse { start } else { end };
    let rest = match (is_reverse, last) {
        (_, None) if is_last => return (None, None),
        (false, None) => (border.clone(), end.clone()),
        (true, None) => (start.clone(), border.clone()),
        (false, Some(last)) => (just_behind(last), end.clone()),
        (true, Some(last)) => (start.clone(), apart(last)),
    };
    if is_over(&rest.0, &rest.1) {
        return (None, None);
    }
    let is_within = !is_last && if is_reverse { rest.1.is_empty() || border < rest.1 } else { rest.0 < border };
    (Some(rest), is_within.then_some(border))
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
