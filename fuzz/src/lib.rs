//! What the fuzz targets run: the checks of `charioteer-proto`'s own tests, which replay them on a few thousand cases.

#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../../crates/proto/tests/it/checks.rs"]
mod checks;
#[path = "../../crates/proto/tests/it/table.rs"]
mod table;

/// Bytes that a Pegasus server reads.
pub fn request(data: &[u8]) {
    checks::request(data);
}

/// Bytes that a Pegasus client reads.
pub fn reply(data: &[u8]) {
    checks::reply(data);
}

/// The bytes of one Pegasus struct; the first byte chooses which.
pub fn message(data: &[u8]) {
    checks::message(data);
}

/// Bytes of which a value of one Pegasus struct is made; the first byte chooses which.
pub fn value(data: &[u8]) {
    checks::value(data);
}
