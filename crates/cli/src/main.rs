//! The `charioteer` command.
fn main() {}
