//! The store that keeps its rows on disk, built on fjall.

#[cfg_attr(not(test), expect(dead_code, reason = "the store that opens and repairs with it comes next"))]
mod journal;
#[cfg_attr(not(test), expect(dead_code, reason = "the store that opens and repairs with it comes next"))]
mod manifest;
