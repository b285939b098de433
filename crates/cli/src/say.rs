//! Sentences on standard error. There is nobody to tell if it is gone.

use std::fmt::Display;
use std::io::{self, Write};

/// Why something failed.
pub(crate) fn error(why: &impl Display) {
    let _ = writeln!(io::stderr(), "error: {why}");
}

/// What is not part of the answer, and good to know.
pub(crate) fn note(sentence: &str) {
    let _ = writeln!(io::stderr(), "{sentence}");
}
