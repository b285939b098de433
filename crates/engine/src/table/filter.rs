//! Filters on keys.

use bytes::Bytes;
use memchr::memmem;

/// How a filter's pattern must lie in a key.
///
/// ```
/// use charioteer_engine::table::FilterKind;
///
/// assert_eq!(FilterKind::from_wire(2), Some(FilterKind::Prefix));
/// assert_eq!(FilterKind::from_wire(4), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// Every key passes.
    None,
    /// The pattern is somewhere in the key.
    Anywhere,
    /// The key starts with the pattern.
    Prefix,
    /// The key ends with the pattern.
    Postfix,
}

impl FilterKind {
    /// The kind behind a `filter_type` of the protocol; `None` for a number it does not define.
    #[must_use]
    pub const fn from_wire(filter_type: i32) -> Option<Self> {
        match filter_type {
            0 => Some(Self::None),
            1 => Some(Self::Anywhere),
            2 => Some(Self::Prefix),
            3 => Some(Self::Postfix),
            _ => None,
        }
    }
}

/// A test on the bytes of a key. An empty pattern matches every key.
///
/// ```
/// use charioteer_engine::table::{Filter, FilterKind};
///
/// let filter = Filter { kind: FilterKind::Postfix, pattern: "_id".into() };
/// assert!(filter.matches(b"user_id"));
/// assert!(!filter.matches(b"user_id_2"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// How the pattern must lie in the key.
    pub kind: FilterKind,
    /// The pattern, as bytes.
    pub pattern: Bytes,
}

impl Filter {
    /// Whether `key` passes.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        match self.kind {
            FilterKind::None => true,
            FilterKind::Anywhere => contains(key, &self.pattern),
            FilterKind::Prefix => key.starts_with(&self.pattern),
            FilterKind::Postfix => key.ends_with(&self.pattern),
        }
    }

    /// The pattern every passing key starts with, if the filter demands one.
    pub(super) fn prefix(&self) -> Option<&Bytes> {
        (self.kind == FilterKind::Prefix && !self.pattern.is_empty()).then_some(&self.pattern)
    }

    pub(super) fn from_wire(filter_type: i32, pattern: Bytes) -> Option<Self> {
        Some(Self { kind: FilterKind::from_wire(filter_type)?, pattern })
    }
}

/// Whether `part` is somewhere in `whole`; an empty part is everywhere. It takes time in proportion
/// to their lengths, not to the product of them.
pub(super) fn contains(whole: &[u8], part: &[u8]) -> bool {
    memmem::find(whole, part).is_some()
}
