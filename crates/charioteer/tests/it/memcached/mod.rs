//! The client of memcached.

mod calls;
mod chaos;
mod compression;
mod compute;
mod expiry;
mod fake;
mod hostile;
mod keys;
mod leases;
mod lines;
mod many;
mod options;
mod servers;
mod sign_on;
mod storm;
mod support;
