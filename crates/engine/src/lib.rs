//! The embedded store of Charioteer and the rules of its data models.
//!
//! The crate has two layers, and opens no sockets and knows no async runtime.
//!
//! 1. [`Db`] is an ordered, snapshot-reading store of bytes, in memory or in a folder: keyspaces, atomic batches,
//!    snapshots. What must not wait for a disk hands its writes in and gets a [`Ticket`].
//!    [`Clock`] is where the time comes from, so that a test can stop it.
//! 2. [`table`] holds the rules of Apache Pegasus' tables as pure functions of what they read and
//!    of the time, and a driver, [`table::Tables`], that runs them over a [`Db`]. [`cache`] holds those of memcached's
//!    items, [`raw`] those of TiKV's raw keys and values, [`mvcc`] those of its transactions.
//!
//! ```
//! use charioteer_engine::table::{CreateTable, Get, Put, Tables, raw_key};
//! use charioteer_engine::{Clock, Db};
//!
//! let tables = Tables::open(Db::memory(), Clock::system())?;
//! tables.create(CreateTable::new("temp", 8))?;
//! let table = tables.table_by_name("temp").ok_or("no such table")?;
//!
//! let key = raw_key(b"user", b"name");
//! table.run(0, Put::new(key.clone(), "Ben-Hur".into(), 0))?;
//! assert_eq!(table.run(0, Get::new(key))?.reply.as_deref(), Some(&b"Ben-Hur"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
pub mod cache;
mod clock;
mod closing;
mod db;
mod disk;
mod durability;
mod error;
mod memory;
pub mod mvcc;
pub mod raw;
mod snapshot;
pub mod table;
mod ticket;

pub use batch::Batch;
pub use clock::Clock;
pub use closing::Closing;
pub use db::{Db, Direction, Keyspace};
pub use disk::{Backup, DiskOptions, Expired, Repair, Stats, Verified, repair_folder, restore_backup, verify_folder};
pub use durability::{Durability, UnknownDurability};
pub use error::{Error, MAX_KEY_BYTES, Outcome};
pub use snapshot::Snapshot;
pub use ticket::Ticket;
