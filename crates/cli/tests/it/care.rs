//! `charioteer backup`, `restore`, `verify` and `repair`, and the folder that `serve` keeps.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn charioteer(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_charioteer")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Runs a server in a folder until `work` is done, and stops it.
fn while_serving(folder: &Path, arguments: &[&str], work: impl FnOnce()) -> Output {
    let ready = folder.join("ready.json");
    let mut server = Command::new(env!("CARGO_BIN_EXE_charioteer"))
        .current_dir(folder)
        .args([
            "serve",
            "--pegasus",
            "127.0.0.1:0",
            "--memcached",
            "off",
            "--tikv",
            "off",
            "--http",
            "off",
            "--ready-file",
            "ready.json",
        ])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !ready.exists() && server.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    if ready.exists() {
        work();
        fs::remove_file(&ready).unwrap();
        Command::new("kill").arg(server.id().to_string()).status().unwrap();
    }
    server.wait_with_output().unwrap()
}

fn made_by_a_server() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = while_serving(folder.path(), &[], || {});
    assert!(output.status.success(), "{output:?}");
    folder
}

#[test]
fn data_is_kept_in_a_folder_of_its_own_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let mut ready = String::new();
    while_serving(folder.path(), &[], || ready = fs::read_to_string(folder.path().join("ready.json")).unwrap());
    assert!(ready.contains("charioteer-data"), "{ready}");
    assert!(folder.path().join("charioteer-data/CHARIOTEER").is_file());

    let folder = tempfile::tempdir().unwrap();
    while_serving(folder.path(), &["--memory"], || {});
    assert!(!folder.path().join("charioteer-data").exists());
    let both = charioteer(folder.path(), &["serve", "--memory", "--data", "x"]);
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_backup_of_a_running_server_is_whole_and_restored_to_another_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = while_serving(folder.path(), &[], || {
        let output = charioteer(folder.path(), &["backup", "copy"]);
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).starts_with("backed up "), "{output:?}");
        let again = charioteer(folder.path(), &["backup", "copy"]);
        assert!(text(&again.stderr).contains("there is something in it"), "{again:?}");
    });
    assert!(output.status.success(), "{output:?}");
    check_copy(folder.path());
}

#[test]
fn a_backup_needs_no_server() {
    let folder = made_by_a_server();
    let output = charioteer(folder.path(), &["backup", "copy"]);
    assert!(output.status.success(), "{output:?}");
    check_copy(folder.path());
}

fn check_copy(folder: &Path) {
    let verified = charioteer(folder, &["verify", "copy"]);
    assert!(text(&verified.stdout).contains("copy is whole"), "{verified:?}");
    let served = while_serving(folder, &["--data", "copy"], || panic!("a backup was served"));
    assert!(text(&served.stderr).contains("it is a backup; restore it"), "{served:?}");
    let restored = charioteer(folder, &["restore", "copy", "--data", "restored"]);
    assert!(restored.status.success(), "{restored:?}");
    let served = while_serving(folder, &["--data", "restored"], || {});
    assert!(served.status.success(), "{served:?}");
    assert!(charioteer(folder, &["verify", "restored"]).status.success());
}

#[test]
fn damage_is_told_by_serve_and_verify_and_repaired_when_asked() {
    let folder = made_by_a_server();
    let journal = folder.path().join("charioteer-data/rows/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[20] ^= 0xff;
    fs::write(&journal, &bytes).unwrap();

    let served = while_serving(folder.path(), &[], || panic!("it was served"));
    assert_eq!(served.status.code(), Some(1));
    assert!(text(&served.stderr).contains("0.jnl is damaged at offset 0"), "{served:?}");
    let verified = charioteer(folder.path(), &["verify"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(text(&verified.stdout).contains("0.jnl is damaged at offset 0"), "{verified:?}");

    let would = charioteer(folder.path(), &["repair"]);
    assert!(text(&would.stdout).contains("nothing was changed"), "{would:?}");
    assert_eq!(fs::read(&journal).unwrap(), bytes);
    let repaired = charioteer(folder.path(), &["repair", "--yes"]);
    assert!(text(&repaired.stdout).contains("the damaged files are in"), "{repaired:?}");
    assert!(while_serving(folder.path(), &[], || {}).status.success());
    let again = charioteer(folder.path(), &["repair"]);
    assert!(text(&again.stdout).contains("nothing to repair"), "{again:?}");
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["verify"].as_slice(), &["repair"], &["backup", "copy"], &["restore", "copy"]] {
        let output = charioteer(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!text(&output.stderr).is_empty());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(folder.path().join("file"), "something else").unwrap();
    let served = while_serving(folder.path(), &["--data", "."], || panic!("it was served"));
    assert!(text(&served.stderr).contains("is no store"), "{served:?}");
}
