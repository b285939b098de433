//! Transactions: the suite on each kind of store, and what lies in the rows.

mod durable;
mod in_memory;
mod on_disk;
