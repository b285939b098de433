//! The examples, which must go on running.

#[path = "../../../examples/tikv_raw.rs"]
mod raw;

#[path = "../../../examples/tikv_cluster_check.rs"]
mod cluster_check;

#[test]
fn everything_in_a_cluster() {
    cluster_check::main().unwrap();
}

#[test]
fn raw_keys() {
    raw::main().unwrap();
}
