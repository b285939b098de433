//! What holds for raw rows in every kind of store.

mod checksum;
mod concurrency;
mod delete_range;
mod expiry;
mod fixture;
mod limits;
mod model;
mod points;
mod scans;
