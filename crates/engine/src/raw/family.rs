//! Column families, and the two kinds of keys in them.

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
    pub(super) const fn keyspace(self, keys: Keys) -> &'static str {
        match (keys, self) {
            (Keys::Plain, Self::Default) => "raw-default",
            (Keys::Plain, Self::Lock) => "raw-lock",
            (Keys::Plain, Self::Write) => "raw-write",
            (Keys::Prefixed, Self::Default) => "raw2-default",
            (Keys::Prefixed, Self::Lock) => "raw2-lock",
            (Keys::Prefixed, Self::Write) => "raw2-write",
        }
    }
}

/// Which keys a [`RawStore`](super::RawStore) holds. A plain key can be the same bytes as a prefixed one, so that rows of the
/// two kinds are kept apart.
///
/// ```
/// use charioteer_engine::raw::{Family, Get, Keys, Put, RawStore};
/// use charioteer_engine::{Clock, Db};
///
/// let (db, clock) = (Db::memory(), Clock::system());
/// let [plain, prefixed] = Keys::ALL.map(|keys| RawStore::open_for(keys, db.clone(), clock.clone()));
/// plain?.run(Family::Default, Put::new("r\0\0\0key".into(), "value".into()))?;
/// assert_eq!(prefixed?.run(Family::Default, Get::new("r\0\0\0key".into()))?, None);
/// # Ok::<(), charioteer_engine::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Keys {
    /// As users name them: API V1, with or without lifetimes.
    #[default]
    Plain,
    /// Behind a mode and a keyspace: API V2.
    Prefixed,
}

impl Keys {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Prefixed];
}
