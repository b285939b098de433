//! Column families.

/// A column family: keys of one have nothing to do with those of another.
///
/// ```
/// use charioteer_engine::raw::Family;
///
/// assert_eq!(Family::from_name(""), Some(Family::Default));
/// assert_eq!(Family::from_name("write"), Some(Family::Write));
/// assert_eq!(Family::from_name("raft"), None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// The one of requests that name none.
    #[default]
    Default,
    /// Named for what transactions keep there; to raw commands one like the others.
    Lock,
    /// As [`Lock`](Self::Lock).
    Write,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Default, Self::Lock, Self::Write];

    /// The family that a request names; an empty name is the default.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name.is_empty() { Some(Self::Default) } else { Self::ALL.into_iter().find(|family| family.name() == name) }
    }

    /// Its name in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Lock => "lock",
            Self::Write => "write",
        }
    }

    /// The keyspace of its rows.
    pub(super) const fn keyspace(self) -> &'static str {
        match self {
            Self::Default => "raw-default",
            Self::Lock => "raw-lock",
            Self::Write => "raw-write",
        }
    }
}
