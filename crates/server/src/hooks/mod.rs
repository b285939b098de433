//! What all protocols' hooks for tests have in common: faults are injected, chosen for requests, counted, and ended.
//!
//! What can go wrong, and with which requests, each protocol says for itself.

mod injected;
mod turns;

pub use injected::Injected;
pub(crate) use injected::{Faults, Mishap, Rule};
pub(crate) use turns::{Turns, turns_of_a_fault};
