//! How a store on disk is to be run.

use std::time::Duration;

use crate::{Clock, Durability};

/// Tells of a stored row, by the name of its keyspace and its value, whether it has expired at a time since the Unix
/// epoch.
pub type Expired = fn(keyspace: &str, value: &[u8], now: Duration) -> bool;

/// How a store on disk is run. A store may be opened with other options each time.
///
/// ```
/// use charioteer_engine::{DiskOptions, Durability};
///
/// let options = DiskOptions { durability: Durability::Flush, ..DiskOptions::default() };
/// assert_eq!(options.cache_bytes, 256 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct DiskOptions {
    /// How safe a write is when it is acknowledged, unless its batch says otherwise. Default [`Durability::Fsync`].
    pub durability: Durability,
    /// The most memory that blocks read from table files are kept in, in bytes. Default 256 MiB.
    pub cache_bytes: u64,
    /// How much of a keyspace is kept in memory before it is written to a table file, in bytes; of the keyspaces that are made
    /// from then on. Default 16 MiB.
    pub memtable_bytes: u64,
    /// How much free space is left alone: with less, writes are refused. Default 128 MiB. Besides, a quarter of what the tables
    /// take (and no more than 1 GiB) is left for compaction.
    pub reserve_bytes: u64,
    /// Whether a power loss may have taken what was flushed and not synced, though this machine has run on: the folder is a
    /// snapshot of a disk, or was on another machine. Default no: it is found out, by the boot of the machine.
    pub after_power_loss: bool,
    /// Which rows have expired, so that compaction need not keep them. Default none.
    pub expired: Expired,
    /// The time by which rows expire. Default the system's.
    pub clock: Clock,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            cache_bytes: 256 << 20,
            memtable_bytes: 16 << 20,
            reserve_bytes: 128 << 20,
            after_power_loss: false,
            expired: |_, _, _| false,
            clock: Clock::system(),
        }
    }
}
