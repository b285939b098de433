//! Going through all items in steps, wherever they lie.

use bytes::Bytes;

use super::inspect::Inspected;

/// Where a walk through all items goes on; the default is the beginning.
///
/// ```
/// use charioteer_engine::cache::Cursor;
///
/// let begin = Cursor::default();
/// assert_eq!(begin.clone(), begin);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(super) position: Position,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Position {
    #[default]
    Begin,
    /// In memory: the slots of a part below that one are still to come, and the parts behind it. They are gone through
    /// downwards: an item moves downwards too, so that it may be seen twice, and is never missed.
    Slot { cell: usize, below: usize },
    /// In a durable store: the keys behind that one are still to come.
    Behind(Bytes),
}

impl Cursor {
    pub(super) const fn at_slot(cell: usize, below: usize) -> Self {
        Self { position: Position::Slot { cell, below } }
    }

    pub(super) const fn behind(key: Bytes) -> Self {
        Self { position: Position::Behind(key) }
    }
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
