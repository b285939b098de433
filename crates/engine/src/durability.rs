//! What a write must have survived before it is acknowledged.

use std::fmt;
use std::str::FromStr;

/// How safe a write is when it is acknowledged; the later ones are the safer ones.
///
/// It says nothing about a store in memory, which forgets everything with its process. Whatever the level, rows show to
/// readers all at once, and a batch survives whole or not at all; but a power loss that comes while memtables are written may
/// tear a batch over several keyspaces that was not synced. A write also carries all earlier ones to its own level.
///
/// ```
/// use charioteer_engine::Durability;
///
/// assert!(Durability::Fsync > Durability::Flush);
/// assert_eq!("flush".parse(), Ok(Durability::Flush));
/// assert_eq!(Durability::Fsync.to_string(), "fsync");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// In this process' memory: lost when the process is killed, in about the last tenth of a second.
    Memory,
    /// Handed to the operating system: survives that the process is killed, while a power loss takes about the last second.
    Flush,
    /// On the disk: survives a power loss.
    Fsync,
}

impl Durability {
    /// All levels, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Flush, Self::Fsync];

    /// Its name, as flags and settings have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Flush => "flush",
            Self::Fsync => "fsync",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|level| level.name() == text).ok_or(UnknownDurability)
    }
}

/// A text that names no [`Durability`].
///
/// ```
/// use charioteer_engine::{Durability, UnknownDurability};
///
/// assert_eq!("always".parse::<Durability>(), Err(UnknownDurability));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownDurability;

impl fmt::Display for UnknownDurability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "durability is fsync, flush or memory")
    }
}

impl std::error::Error for UnknownDurability {}
