//! `charioteer serve --data`: folders that cannot be served are refused in a sentence.

use std::fs;
use std::path::Path;

use crate::support::{Process, serve_on};

/// Serving the folder ends in an error. Gives what is said.
fn refusal(data: &Path, arguments: &[&str]) -> String {
    let output = serve_on(data).args(["--pegasus", "127.0.0.1:0", "--http", "off"]).args(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let said: Vec<_> = stderr.lines().filter(|line| line.starts_with("charioteer: ")).collect();
    assert_eq!(said.len(), 1, "{stderr}");
    said[0].to_owned()
}

#[test]
fn a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let first = Process::start_on(data.path());
    let said = refusal(data.path(), &[]);
    assert!(said.contains("is open already; another process may be serving it"), "{said}");
    assert!(said.contains(data.path().to_str().unwrap()), "{said}");
    assert_eq!(Process::get(first.address("http"), "/readyz").0, 200);
    first.signal("TERM");
    assert!(first.wait().status.success());
    drop(Process::start_on(data.path()));
}

#[test]
fn data_of_a_newer_format_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start_on(data.path());
    server.signal("TERM");
    server.wait();
    fs::write(data.path().join("CHARIOTEER"), "charioteer store, format 7\n").unwrap();
    let said = refusal(data.path(), &[]);
    assert!(said.contains("has format 7, this version knows formats up to 1; open it with a newer one"), "{said}");
}

#[test]
fn a_folder_with_other_things_in_it_is_refused() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("letter.txt"), "Dear").unwrap();
    let said = refusal(data.path(), &[]);
    assert!(said.contains("is no store: it is not empty and has no file CHARIOTEER"), "{said}");
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
}

#[test]
fn a_disk_without_space_for_the_first_table_is_told() {
    let data = tempfile::tempdir().unwrap();
    let said = refusal(data.path(), &["--reserve-bytes", &u64::MAX.to_string()]);
    assert!(said.contains("bytes free") && said.contains("writes are refused until there is more"), "{said}");
}

#[test]
fn a_damaged_journal_is_refused_with_its_place_and_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let server = Process::start_on(data.path());
    server.signal("TERM");
    server.wait();
    let journal = data.path().join("rows/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[60] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let said = refusal(data.path(), &[]);
    assert!(said.contains("rows/0.jnl is damaged at offset 0"), "{said}");
    assert!(said.contains("`charioteer repair` would lose"), "{said}");
}
