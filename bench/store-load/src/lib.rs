//! What embedded stores are loaded with, and how it is measured; the same for every store, whichever program holds it.
//!
//! A program that holds a store answers [`Turn`]'s arguments with one line of [`Figures`]. What goes on around that, turns
//! and their comparison, is not here.

mod figures;
mod load;
mod phase;
mod process;
mod rows;
mod store;
mod turn;

pub use figures::Figures;
pub use load::write_until;
pub use phase::Phase;
pub use rows::{Row, Rows};
pub use store::{Level, Scanned, Store};
pub use turn::Turn;

/// Why a measurement could not be made.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
