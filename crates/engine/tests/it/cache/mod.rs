//! memcached's items: the suite of the rules on each kind of store, and what is particular to one of them.

mod budget;
mod durable;
mod durable_in_memory;
mod durable_on_disk;
mod eviction;
mod in_memory;
mod listing;
