//! The client of Pegasus.

mod single;
mod stuck;
mod support;
