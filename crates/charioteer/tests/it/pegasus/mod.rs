//! The client of Pegasus.

mod chaos;
mod single;
mod storm;
mod stuck;
mod support;
