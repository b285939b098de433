//! What the fuzz targets run: the checks of `charioteer-proto`'s own tests, which replay them on a few thousand cases.

#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../../crates/proto/tests/it/checks.rs"]
mod checks;
#[path = "../../crates/proto/tests/it/memcached/checks.rs"]
mod memcached_checks;
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

/// memcached's protocols.
pub mod memcached {
    use crate::memcached_checks as checks;

    /// Bytes of the binary protocol that a server reads.
    pub fn binary_request(data: &[u8]) {
        checks::binary_request(data);
    }

    /// Bytes of the binary protocol that a client reads.
    pub fn binary_reply(data: &[u8]) {
        checks::binary_reply(data);
    }

    /// Bytes of the text protocols that a server reads.
    pub fn text_request(data: &[u8]) {
        checks::text_request(data);
    }

    /// Bytes of the classic text protocol that a client reads; the first byte chooses what it awaits.
    pub fn text_reply(data: &[u8]) {
        checks::text_reply(data);
    }

    /// Bytes of the meta protocol that a client reads.
    pub fn meta_reply(data: &[u8]) {
        checks::meta_reply(data);
    }

    /// Bytes by which a client says who it is.
    pub fn credentials(data: &[u8]) {
        checks::credentials(data);
    }
}

/// TiKV's messages.
#[path = "../../crates/proto/tests/it/tikv"]
pub mod tikv {
    mod checks;
    mod table;

    /// The bytes of one message; the first two bytes choose which.
    pub fn message(data: &[u8]) {
        checks::message(data);
    }
}
