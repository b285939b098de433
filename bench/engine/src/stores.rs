//! The stores that this program holds.

mod bare_fjall;
mod ours;

pub(crate) use bare_fjall::BareFjall;
pub(crate) use ours::{Ours, OursByTasks};

/// How much of the rows is kept in memory before it is written to a table file, in bytes.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The most memory for blocks of table files, in bytes.
const CACHE_BYTES: u64 = 256 << 20;
