//! What holds for items wherever they lie.

mod arithmetic;
mod concurrency;
mod deleting;
mod expiry;
mod fixture;
mod flush;
mod leases;
mod limits;
mod model;
mod reading;
mod stats;
mod storing;
