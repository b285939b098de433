//! What holds for every kind of store.

mod check;
mod concurrency;
mod counter;
mod db;
mod db_model;
mod fixture;
mod hostile;
mod model;
mod multi;
mod open_scan;
mod point;
mod range_get;
mod scan;
mod sort_key_count;
mod sweep;
mod tables;
mod walking;
