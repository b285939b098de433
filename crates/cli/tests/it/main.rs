//! The `charioteer` command as its users meet it: a process.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod care;
mod cluster;
mod crash;
mod data;
mod items;
mod memcached;
mod one_shot;
mod raw_keys;
mod restarts;
mod serve;
mod shell;
mod support;
mod terminal;
mod transactions;
