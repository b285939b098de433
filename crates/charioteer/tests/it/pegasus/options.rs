//! How a client is told where its cluster is.

use std::time::Duration;

use charioteer::pegasus::{Client, Options, SetOptions};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::HostPorts;
use charioteer_server::testing::TestServer;

use super::support::options;

#[track_caller]
fn refused(result: Result<Options, charioteer::Error>, why: &str) {
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.is_retryable()),
        (ErrorKind::InvalidConfig, Outcome::NotApplied, false)
    );
    let text = error.to_string();
    assert!(text.contains(why), "{text:?} does not say {why:?}");
    assert!(!text.contains('\n'), "{text:?}");
}

#[test]
fn meta_servers_are_host_names_and_addresses_of_both_kinds() {
    let metas = ["meta-1.example.com:34602", "localhost", "10.0.0.2", "10.0.0.3:1", "[::1]:65535", "::1", "[fe80::1]"];
    let options = Options::new(metas).unwrap();
    let with_ports = [
        "meta-1.example.com:34602",
        "localhost:34601",
        "10.0.0.2:34601",
        "10.0.0.3:1",
        "[::1]:65535",
        "[::1]:34601",
        "[fe80::1]:34601",
    ];
    assert_eq!(options.meta_servers(), with_ports);
    let url =
        Options::from_url("pegasus://meta-1.example.com:34602,localhost,10.0.0.2,10.0.0.3:1,[::1]:65535").unwrap();
    assert_eq!(url.meta_servers(), with_ports[..5]);
}

#[test]
fn bad_addresses_are_errors() {
    for bad in [
        "",
        ":",
        ":34601",
        "host:",
        "host:0",
        "host:65536",
        "host:-1",
        "host:port",
        "a:1:2",
        "[::1",
        "[::1]x",
        "[host]:1",
        "a b",
        "a/b",
        "\0",
        "[]:1",
        "::1:34601:",
    ] {
        refused(Options::new([bad]), "");
        refused(Options::new(["127.0.0.1:34601", bad]), "meta server");
    }
    refused(Options::new([""; 0]), "no meta server");
}

#[test]
fn a_url_says_everything() {
    let options = Options::from_url(
        "pegasus://a/users%2017?operation_timeout=1500ms&meta_timeout=3s&connect_timeout=1m&connections=4&attempts=7\
         &hedge_after=20ms&compression=zstd&max_reply_bytes=1000&host_names=true",
    )
    .unwrap();
    assert_eq!(options.table(), Some("users 17"));
    assert_eq!(options.operation_timeout, Duration::from_millis(1500));
    assert_eq!(options.meta_timeout, Duration::from_secs(3));
    assert_eq!(options.connect_timeout, Duration::from_secs(60));
    assert_eq!((options.connections_per_node, options.attempts), (4, 7));
    assert_eq!(options.hedge_after, Some(Duration::from_millis(20)));
    assert!(options.compression && options.host_names);
    assert_eq!(options.max_reply_bytes, 1000);
}

#[test]
fn urls_that_make_no_sense_are_errors_that_say_what() {
    for (url, why) in [
        ("127.0.0.1:34601", "URL"),
        ("tikv://127.0.0.1:2379", "pegasus://"),
        ("pegasus://", "no meta server"),
        ("pegasus:///temp", "no meta server"),
        ("pegasus://a/one/two", "one table"),
        ("pegasus://a?operation_timeout=soon", "operation_timeout=soon"),
        ("pegasus://a?operation_timeout=-1s", "operation_timeout=-1s"),
        ("pegasus://a?attempts=many", "attempts=many"),
        ("pegasus://a?attempts=99999999999999999999", "attempts"),
        ("pegasus://a?compression=lz4", "zstd or none"),
        ("pegasus://a?host_names=1", "true or false"),
        ("pegasus://a?patience=1", "no such option"),
        ("pegasus://a?attempts", "name=value"),
        ("pegasus://a/%ff", "UTF-8"),
        ("pegasus://user:secret@a", "no user names"),
    ] {
        refused(Options::from_url(url), why);
    }
}

#[tokio::test]
async fn the_go_clients_file_is_read() {
    let server = TestServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pegasus.json");
    let meta = server.pegasus().metas()[0];
    let file = format!(r#"{{"meta_servers": ["{meta}"], "enable_prometheus": true, "prometheus_port": 9090}}"#);
    std::fs::write(&path, file).unwrap();
    let client = Client::new(Options::from_json_file(&path).unwrap()).unwrap();
    client.open_table("temp").await.unwrap().set("h", "s", "v").await.unwrap();
}

#[test]
fn files_that_are_no_configuration_are_errors_that_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.json");
    refused(Options::from_json_file(&path), "bad.json");
    for (file, why) in [
        ("", "bad.json"),
        ("{", "bad.json"),
        ("[]", "meta_servers"),
        ("{}", "meta_servers"),
        (r#"{"meta_servers": "127.0.0.1:34601"}"#, "no list"),
        (r#"{"meta_servers": [34601]}"#, "no text"),
        (r#"{"meta_servers": []}"#, "no meta server"),
        (r#"{"meta_servers": ["127.0.0.1:x"]}"#, "port"),
    ] {
        std::fs::write(&path, file).unwrap();
        refused(Options::from_json_file(&path), why);
    }
}

#[tokio::test]
async fn what_is_set_to_nonsense_is_refused_when_the_client_is_made() {
    let wrong: [fn(&mut Options); 6] = [
        |options| options.operation_timeout = Duration::ZERO,
        |options| options.meta_timeout = Duration::ZERO,
        |options| options.connect_timeout = Duration::ZERO,
        |options| options.connections_per_node = 0,
        |options| options.connections_per_node = usize::MAX,
        |options| options.attempts = 0,
    ];
    for set in wrong {
        let mut options = Options::new(["127.0.0.1:34601"]).unwrap();
        set(&mut options);
        assert_eq!(Client::new(options).unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}

#[tokio::test]
async fn times_without_end_are_as_good_as_any() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.operation_timeout = Duration::MAX;
    options.meta_timeout = Duration::MAX;
    options.connect_timeout = Duration::MAX;
    options.hedge_after = Some(Duration::MAX);
    options.attempts = u32::MAX;
    options.max_reply_bytes = usize::MAX;
    let table = Client::new(options).unwrap().open_table("temp").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(table.get("h", "s").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn calls_are_spread_among_as_many_connections_as_are_wanted() {
    let server = TestServer::builder().nodes(1).start().await.unwrap();
    let mut options = options(&server);
    options.connections_per_node = 3;
    let client = Client::new(options).unwrap();
    let table = client.open_table("temp").await.unwrap();
    let before = client.net_stats().connections_opened;
    for _ in 0..9 {
        table.get("h", "s").await.unwrap();
    }
    assert_eq!(client.net_stats().connections_opened - before, 3);
}

#[tokio::test]
async fn a_reply_longer_than_allowed_is_passed_over_and_fails_its_call_alone() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.max_reply_bytes = 10_000;
    let client = Client::new(options).unwrap();
    let table = client.open_table("temp").await.unwrap();
    table.set("h", "short", vec![0; 5_000]).await.unwrap();
    table.set("h", "long", vec![0; 50_000]).await.unwrap();
    assert_eq!(table.get("h", "short").await.unwrap().unwrap().len(), 5_000);
    let calls = [table.get("h", "short"), table.get("h", "long"), table.get("h", "short")];
    let [before, long, after] = futures_util::future::join_all(calls).await.try_into().unwrap();
    assert_eq!((before.unwrap().unwrap().len(), after.unwrap().unwrap().len()), (5_000, 5_000));
    let error = long.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), error.is_retryable()), (ErrorKind::TooLarge, 1, false), "{error}");
    assert_eq!(client.net_stats().connections_lost, 0);
    assert_eq!(table.get("h", "short").await.unwrap().unwrap().len(), 5_000);
}

#[tokio::test]
async fn a_batch_whose_reply_would_be_too_long_is_read_in_parts() {
    let server = TestServer::builder().table("temp", 2).start().await.unwrap();
    let mut options = options(&server);
    options.max_reply_bytes = 20_000;
    let table = Client::new(options).unwrap().open_table("temp").await.unwrap();
    let rows = (0..100).map(|row| (format!("h{row}"), "s", vec![0; 1_000]));
    assert!(table.batch_set(rows, SetOptions::default()).await.iter().all(Result::is_ok));
    let found = table.batch_get((0..100).map(|row| (format!("h{row}"), "s"))).await;
    assert!(found.iter().all(|value| value.as_ref().unwrap().as_ref().unwrap().len() == 1_000));
}

#[tokio::test]
async fn a_host_name_is_as_good_as_an_address() {
    let server = TestServer::start().await;
    let port = server.pegasus().metas()[0].port();
    let client = Client::connect(&format!("pegasus://localhost:{port}/temp")).await.unwrap();
    let table = client.default_table().await.unwrap();
    table.set("h", "s", "v").await.unwrap();
    assert_eq!(table.name(), "temp");
}

#[tokio::test]
async fn servers_are_reached_by_their_names_where_that_is_wanted() {
    for (host_names, host) in [(true, "localhost"), (false, "127.0.0.1")] {
        let server =
            TestServer::builder().nodes(1).pegasus(|pegasus| pegasus.host_ports = HostPorts::ToThoseThatReadThem);
        let server = server.start().await.unwrap();
        let mut options = options(&server);
        options.host_names = host_names;
        let table = Client::new(options).unwrap().open_table("temp").await.unwrap();
        table.set("h", "s", "v").await.unwrap();
        server.pegasus().stop_node(0).await.unwrap();
        let error = table.with_attempts(1).get("h", "s").await.unwrap_err();
        assert_eq!(error.peer(), Some(&*format!("{host}:{}", server.pegasus().nodes()[0].port())));
    }
}

#[tokio::test]
async fn servers_that_tell_no_names_are_reached_by_their_addresses() {
    let server = TestServer::builder().nodes(1).pegasus(|pegasus| pegasus.host_ports = HostPorts::ToNobody);
    let server = server.start().await.unwrap();
    let mut options = options(&server);
    options.host_names = true;
    let table = Client::new(options).unwrap().open_table("temp").await.unwrap();
    table.set("h", "s", "v").await.unwrap();
}
