//! Raw rows: the suite on each kind of store, and what is particular to stores on disk.

mod durable;
mod in_memory;
mod on_disk;
