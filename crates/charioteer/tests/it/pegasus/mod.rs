//! The client of Pegasus.

mod chaos;
mod failover;
mod single;
mod storm;
mod stuck;
mod support;
