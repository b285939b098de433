//! A server whose data is in a folder.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use charioteer_engine::{DiskOptions, Durability};
use charioteer_proto::pegasus::data::status;
use charioteer_proto::pegasus::meta::{CreateAppOptions, UpdateAppEnvRequest, env_operation};
use charioteer_proto::pegasus::rpc;
use charioteer_server::{CONTROL_SOCKET, Data, Error, Options, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Fixture, META, Web, put, raw, soon};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn data_in(folder: &Path) -> Data {
    Data::Folder(folder.to_owned(), DiskOptions::default())
}

async fn start(folder: &TempDir) -> Fixture {
    Fixture::with(|options| options.data = data_in(folder.path())).await
}

/// Sends a command to a running server.
fn command(folder: &Path, command: &str) -> Value {
    let mut server = UnixStream::connect(folder.join(CONTROL_SOCKET)).unwrap();
    writeln!(server, "{command}").unwrap();
    let mut answer = String::new();
    BufReader::new(server).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = folder();
    let mut f = start(&folder).await;
    f.put("h", "s", "v").await;
    let four_partitions = CreateAppOptions {
        partition_count: 4,
        replica_count: 3,
        app_type: "pegasus".into(),
        ..CreateAppOptions::default()
    };
    let users = f.create("users", four_partitions).await;
    let written = f.client.ask::<rpc::Put>(users.at("u"), put("u", "s", "w")).await;
    assert_eq!(written.error, status::OK);
    f.server.shutdown().await;

    let mut f = start(&folder).await;
    assert_eq!(f.get("h", "s").await.as_deref(), Some(&b"v"[..]));
    let read = f.client.ask::<rpc::Get>(users.at("u"), raw("u", "s")).await;
    assert_eq!((read.error, &read.value[..]), (status::OK, &b"w"[..]));
}

#[tokio::test]
async fn a_table_that_is_there_already_may_have_other_partitions_than_asked_for_at_the_start() {
    let folder = folder();
    start(&folder).await.server.shutdown().await;
    let f = Fixture::with(|options| {
        options.data = data_in(folder.path());
        options.pegasus.as_mut().unwrap().tables = vec![("temp".to_owned(), 16)];
    })
    .await;
    assert_eq!(f.table.partitions, 8);
}

#[tokio::test]
async fn operations_of_many_writers_are_all_kept() {
    let folder = folder();
    let f = start(&folder).await;
    let writers = (0..16).map(|writer| {
        let (address, table) = (f.address(), f.table);
        tokio::spawn(async move {
            let mut client = crate::support::Client::connect(address).await;
            for _ in 0..50 {
                let increment = charioteer_proto::pegasus::data::IncrRequest {
                    key: raw("counter", "s"),
                    increment: 1,
                    ..Default::default()
                };
                let reply = client.ask::<rpc::Incr>(table.at("counter"), increment).await;
                assert_eq!(reply.error, status::OK, "writer {writer}");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    f.server.shutdown().await;
    let mut f = start(&folder).await;
    assert_eq!(f.get("counter", "s").await.as_deref(), Some(&b"800"[..]));
}

#[tokio::test]
async fn a_table_may_be_less_durable_than_the_rest() {
    let folder = folder();
    let mut f = start(&folder).await;
    f.set_env("charioteer.durability", "flush").await;
    let synced = async |f: &Fixture| Web::metric(f.http(), "store_synced_groups_total", "").await;
    let before = synced(&f).await;
    f.put("h", "s", "v").await;
    assert_eq!(synced(&f).await, before);
    f.set_env("charioteer.durability", "fsync").await;
    let before = synced(&f).await;
    f.put("h", "s", "v").await;
    assert_eq!(synced(&f).await, before + 1);

    let request = UpdateAppEnvRequest {
        app_name: "temp".into(),
        op: env_operation::SET,
        keys: Some(vec!["charioteer.durability".into()]),
        values: Some(vec!["always".into()]),
        clear_prefix: None,
    };
    let reply = f.client.ask::<rpc::UpdateAppEnv>(META, request).await;
    assert_eq!(reply.err.name(), "ERR_INVALID_PARAMETERS");
}

#[tokio::test]
async fn a_disk_without_space_refuses_writes_and_goes_on_reading() {
    let folder = folder();
    let mut f = start(&folder).await;
    f.put("h", "s", "v").await;
    f.server.shutdown().await;

    let full = DiskOptions { reserve_bytes: u64::MAX, ..DiskOptions::default() };
    let mut f = Fixture::with(|options| options.data = Data::Folder(folder.path().to_owned(), full)).await;
    assert_eq!(f.refusal::<rpc::Put>("h", put("h", "s", "w")).await, "ERR_DISK_INSUFFICIENT");
    assert_eq!(f.get("h", "s").await.as_deref(), Some(&b"v"[..]));
}

#[tokio::test]
async fn a_folder_that_is_served_already_is_refused() {
    let folder = folder();
    let _first = start(&folder).await;
    let options = Options { data: data_in(folder.path()), ..Options::for_tests() };
    let error = Server::start(options).await.unwrap_err();
    assert!(matches!(error, Error::Store(charioteer_engine::Error::InUse { .. })), "{error:?}");
}

#[tokio::test]
async fn a_backup_is_made_of_a_server_that_goes_on() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut f = Fixture::with(|options| options.data = data_in(&data)).await;
    f.put("h", "s", "before").await;
    let to = folder.path().join("backup");
    let line = json!({ "backup": to }).to_string();
    let asked = data.clone();
    let answer = tokio::task::spawn_blocking(move || command(&asked, &line)).await.unwrap();
    assert!(answer["rows"].as_u64().is_some_and(|rows| rows >= 1), "{answer}");
    f.put("h", "s", "after").await;
    f.server.shutdown().await;
    assert!(!data.join(CONTROL_SOCKET).exists());

    let restored = folder.path().join("restored");
    charioteer_engine::restore_backup(&to, &restored).unwrap();
    let mut f = Fixture::with(|options| options.data = data_in(&restored)).await;
    assert_eq!(f.get("h", "s").await.as_deref(), Some(&b"before"[..]));
}

#[tokio::test]
async fn commands_that_make_no_sense_are_answered_with_an_error() {
    let folder = folder();
    let f = start(&folder).await;
    for line in ["", "{}", "backup", r#"{"backup": 1}"#, r#"{"backup": "relative"}"#, r#"{"backup": "/proc/none"}"#] {
        let (path, line) = (folder.path().to_owned(), line.to_owned());
        let answer = tokio::task::spawn_blocking(move || command(&path, &line)).await.unwrap();
        assert!(answer["error"].is_string(), "{answer}");
    }
    f.server.shutdown().await;
}

#[tokio::test]
async fn a_server_whose_store_has_halted_is_not_ready_any_more() {
    let folder = folder();
    let disk = DiskOptions { durability: Durability::Flush, ..DiskOptions::default() };
    let data = Data::Folder(folder.path().to_owned(), disk);
    let mut f = Fixture::with(|options| options.data = data).await;
    assert_eq!(Web::get(f.http(), "/readyz").await.status, 200);
    // A link to itself can't be opened, and so not be synced beside the writers.
    for journal in journals(folder.path()) {
        std::fs::remove_file(&journal).unwrap();
        std::os::unix::fs::symlink(&journal, &journal).unwrap();
    }
    f.put("h", "s", "v").await;
    soon(async { while Web::get(f.http(), "/readyz").await.status == 200 {} }).await;
    assert!(Web::get(f.http(), "/readyz").await.body.starts_with("the store takes no more writes"));
    assert_eq!(Web::get(f.http(), "/healthz").await.status, 200, "what is there can be read");
    assert_eq!(f.get("h", "s").await.unwrap(), "v");
    assert_eq!(f.refusal::<rpc::Put>("h", put("h", "s", "w")).await, "ERR_LOCAL_APP_FAILURE");
}

fn journals(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.extension() {
            _ if entry.is_dir() => found.extend(journals(&entry)),
            Some(kind) if kind == "jnl" => found.push(entry),
            _ => {}
        }
    }
    found
}
