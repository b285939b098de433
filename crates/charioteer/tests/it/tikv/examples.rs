//! The examples, which must go on running.

#[path = "../../../examples/tikv_raw.rs"]
mod raw;

#[test]
fn raw_keys() {
    raw::main().unwrap();
}
