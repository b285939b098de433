//! Calls to meta servers.

mod admin;
mod envs;
mod forwarding;
mod list;
mod query;
mod tables;
