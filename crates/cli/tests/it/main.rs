//! The `charioteer` command as its users meet it: a process.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod care;
mod crash;
mod data;
mod serve;
mod support;
