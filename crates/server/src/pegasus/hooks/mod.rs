//! Where a test of clients has its say: what goes wrong on purpose, and what has been seen.
//!
//! Handlers know nothing of it. A session asks `Faults` before it has a call answered, and again before the reply goes out.

mod answer;
mod asked;
mod fault;
mod seen;
mod stand_in;

use std::sync::Arc;

use super::shape::Shape;
use crate::hooks::Faults;
pub use fault::{Action, Fault};
pub(crate) use seen::Watch;
pub use seen::{Arrival, Seen};

/// Everything in which a test has its say.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) shape: Arc<Shape>,
    pub(crate) faults: Arc<Faults<Fault>>,
    pub(crate) seen: Watch,
}
