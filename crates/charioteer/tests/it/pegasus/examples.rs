//! The examples, which must go on running.

#![allow(clippy::duplicate_mod, reason = "each example brings what they share along")]

#[path = "../../../examples/pegasus_admin.rs"]
mod admin;
#[path = "../../../examples/pegasus_batches.rs"]
mod batches;
#[path = "../../../examples/pegasus_checks.rs"]
mod checks;
#[path = "../../../examples/pegasus_configuration.rs"]
mod configuration;
#[path = "../../../examples/pegasus_hash_keys.rs"]
mod hash_keys;
#[path = "../../../examples/pegasus_rows.rs"]
mod rows;
#[path = "../../../examples/pegasus_scans.rs"]
mod scans;

#[test]
fn tables_are_administered() {
    admin::main().unwrap();
}

#[test]
fn rows_of_many_hash_keys() {
    batches::main().unwrap();
}

#[test]
fn checked_writes() {
    checks::main().unwrap();
}

#[test]
fn configurations_and_programs_without_a_runtime() {
    configuration::main().unwrap();
}

#[test]
fn many_rows_of_a_hash_key() {
    hash_keys::main().unwrap();
}

#[test]
fn single_rows() {
    rows::main().unwrap();
}

#[test]
fn scans_of_hash_keys_and_tables() {
    scans::main().unwrap();
}
