//! Filters on keys, which servers apply.

use bytes::Bytes;

/// Which keys are wanted. Keys are compared byte by byte; an empty pattern matches every key.
///
/// ```
/// use charioteer::pegasus::Filter;
///
/// let filter = Filter::prefix("2026-");
/// assert!(filter.matches(b"2026-11-22"));
/// assert!(!filter.matches(b"2025-11-22"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All keys.
    #[default]
    All,
    /// Keys in which the pattern stands somewhere.
    Anywhere(Bytes),
    /// Keys that begin with the pattern.
    Prefix(Bytes),
    /// Keys that end with the pattern.
    Postfix(Bytes),
}

impl Filter {
    /// Keys in which the pattern stands somewhere.
    pub fn anywhere(pattern: impl AsRef<[u8]>) -> Self {
        Self::Anywhere(Bytes::copy_from_slice(pattern.as_ref()))
    }

    /// Keys that begin with the pattern.
    pub fn prefix(pattern: impl AsRef<[u8]>) -> Self {
        Self::Prefix(Bytes::copy_from_slice(pattern.as_ref()))
    }

    /// Keys that end with the pattern.
    pub fn postfix(pattern: impl AsRef<[u8]>) -> Self {
        Self::Postfix(Bytes::copy_from_slice(pattern.as_ref()))
    }

    /// Whether a key is wanted.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Anywhere(pattern) => pattern.is_empty() || key.windows(pattern.len()).any(|part| part == pattern),
            Self::Prefix(pattern) => key.starts_with(pattern),
            Self::Postfix(pattern) => key.ends_with(pattern),
        }
    }

    /// The number of its type in `rrdb.thrift`, and its pattern.
    pub(super) fn on_the_wire(&self) -> (i32, Bytes) {
        match self {
            Self::All => (0, Bytes::new()),
            Self::Anywhere(pattern) => (1, pattern.clone()),
            Self::Prefix(pattern) => (2, pattern.clone()),
            Self::Postfix(pattern) => (3, pattern.clone()),
        }
    }
}
