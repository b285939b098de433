//! The embedded store of Charioteer: an ordered, snapshot-reading store of bytes, and where the time comes from.

mod clock;
mod db;
mod error;
mod memory;

pub use clock::Clock;
pub use db::{Batch, Db, Direction, Keyspace, Snapshot};
pub use error::{Error, MAX_KEY_BYTES};
