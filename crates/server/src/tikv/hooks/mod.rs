//! Where a test of clients has its say: what goes wrong on purpose, and what has been seen.
//!
//! Whatever answers calls knows nothing of it. What brings them asks `Faults` before it has one answered, and does to the answer what
//! is to be done to it.

mod asked;
mod ending;
mod fault;
mod region_error;
mod seen;

use std::sync::Arc;

use crate::hooks::Faults;
pub(crate) use asked::Asked;
pub(crate) use ending::{Ending, under};
pub use fault::{Action, Fault, Status};
pub use region_error::RegionError;
pub use seen::Seen;
use seen::Watch;

/// Everything in which a test has its say.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) faults: Arc<Faults<Fault>>,
    pub(crate) seen: Watch,
}
