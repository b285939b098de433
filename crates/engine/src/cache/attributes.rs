//! What an item is besides its key and value, and how large it counts.

use super::expiry::Expiry;

/// The limit on [`item_size`] unless another is asked for: 1 MiB.
pub const DEFAULT_ITEM_LIMIT: usize = 1 << 20;

/// What memcached's header of an item takes.
const HEADER_BYTES: usize = 48;

const CAS_BYTES: usize = size_of::<u64>();

/// The NUL behind the key.
const KEY_END_BYTES: usize = 1;

/// The CR and LF behind the value.
const VALUE_END_BYTES: usize = 2;

/// What an item is besides its key and its value.
///
/// ```
/// use charioteer_engine::cache::{Attributes, Expiry};
///
/// let attributes = Attributes::new(7, Expiry::NEVER, 1, 1_700_000_000);
/// assert!(!attributes.fetched && !attributes.stale && !attributes.won);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// What the client attached to the value.
    pub flags: u32,
    /// When the item expires.
    pub expiry: Expiry,
    /// The id of this very value, by which a client sees whether it has changed.
    pub cas: u64,
    /// The second in which it was stored, or read last.
    pub last_access: u32,
    /// Whether it has been read since it was stored.
    pub fetched: bool,
    /// Whether it was marked as out of date.
    pub stale: bool,
    /// Whether somebody was told to make a new value.
    pub won: bool,
    /// Whether the key was given in base64, and is written so.
    pub base64_key: bool,
}

impl Attributes {
    /// Those of an item stored at `now`.
    #[must_use]
    pub const fn new(flags: u32, expiry: Expiry, cas: u64, now: u32) -> Self {
        Self { flags, expiry, cas, last_access: now, fetched: false, stale: false, won: false, base64_key: false }
    }
}

/// How large an item counts towards the limit: as large as it is in memcached.
///
/// ```
/// use charioteer_engine::cache::{DEFAULT_ITEM_LIMIT, item_size};
///
/// assert_eq!(item_size(1, 1, 0), 61);
/// assert!(item_size(250, 1_048_200, 0) <= DEFAULT_ITEM_LIMIT);
/// assert!(item_size(1, 1 << 20, 0) > DEFAULT_ITEM_LIMIT);
/// ```
#[must_use]
pub const fn item_size(key_bytes: usize, value_bytes: usize, flags: u32) -> usize {
    let flag_bytes = if flags == 0 { 0 } else { size_of::<u32>() };
    let fixed = HEADER_BYTES + CAS_BYTES + KEY_END_BYTES + VALUE_END_BYTES;
    key_bytes.saturating_add(value_bytes).saturating_add(fixed + flag_bytes)
}
