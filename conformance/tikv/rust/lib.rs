//! The crate tikv-client against a cluster: see `tests/raw.rs` and `tests/txn.rs`.
