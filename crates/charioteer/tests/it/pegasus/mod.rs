//! The client of Pegasus.

mod single;
mod support;
