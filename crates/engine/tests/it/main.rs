//! The engine's tests: the store, the rules of tables one family at a time, a model, and many
//! threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod catalogue;
mod check;
mod clock;
mod concurrency;
mod counter;
mod db;
mod envs;
mod fixture;
mod hostile;
mod key;
mod model;
mod multi;
mod open_scan;
mod point;
mod range_get;
mod scan;
mod scans;
mod sort_key_count;
mod sweep;
mod tables;
mod throttle;
mod walking;
