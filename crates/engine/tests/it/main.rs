//! The engine's tests: the store, the rules of tables one family at a time, a model, and many
//! threads.
//!
//! What stands on a store is one suite, run on each kind of store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::duplicate_mod, reason = "the suite is run on each kind of store")]

mod backup;
mod cache;
mod catalogue;
mod clock;
mod damage;
mod drops;
mod envs;
mod folder;
mod format;
mod group_commit;
mod journals;
mod key;
mod limits;
mod mvcc;
mod on_disk;
mod on_memory;
mod raw;
mod scans;
mod snapshots;
mod store;
mod throttle;
mod turns;
