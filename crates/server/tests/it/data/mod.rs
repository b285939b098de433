//! Calls on data, over the wire and back. The rules themselves are tested where they are written.

mod admission;
mod check;
mod counter;
mod expiry;
mod multi;
mod point;
mod refusals;
mod scan;
