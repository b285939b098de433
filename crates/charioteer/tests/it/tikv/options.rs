//! What a client can be told.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::tikv::{ApiVersion, Mode, Options, RawClient, ReadFrom};

#[test]
fn a_url_says_all_of_it() {
    let url = "tikv://a:1,b,[::1]:3/table?mode=raw&api=v2&keyspace=mine&cluster_id=7&operation_timeout=1s\
               &attempt_timeout=2s&connect_timeout=4s&attempts=5&connections=6&keepalive_interval=7s\
               &keepalive_timeout=8s&max_message_bytes=9000&max_request_bytes=8000&read_from=closest&labels=zone:a,rack:1&max_regions=10\
               &batch_concurrency=11";
    let options = Options::from_url(url).unwrap();
    assert_eq!(options.pd_servers(), ["a:1", "b:2379", "[::1]:3"]);
    assert_eq!(options.table(), Some("table"));
    assert_eq!(
        (options.mode, options.api, options.keyspace.as_deref()),
        (Some(Mode::Raw), ApiVersion::V2, Some("mine"))
    );
    assert_eq!((options.cluster_id, options.attempts, options.connections_per_store), (Some(7), 5, 6));
    assert_eq!((options.operation_timeout, options.attempt_timeout), (Duration::from_secs(1), Duration::from_secs(2)));
    assert_eq!(options.connect_timeout, Duration::from_secs(4));
    assert_eq!(
        (options.keepalive_interval, options.keepalive_timeout),
        (Duration::from_secs(7), Duration::from_secs(8))
    );
    assert_eq!((options.max_message_bytes, options.max_regions, options.batch_concurrency), (9000, 10, 11));
    assert_eq!((options.max_request_bytes, options.read_from), (8000, ReadFrom::Closest));
    assert_eq!(options.labels, [("zone".to_owned(), "a".to_owned()), ("rack".to_owned(), "1".to_owned())]);
}

#[test]
fn a_file_says_the_same_under_the_same_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tikv.toml");
    let text = r#"
        pd = ["a:1", "b"]
        api = "v2"
        keyspace = "mine"
        attempts = 5
        operation_timeout = "1s"
        labels = { rack = "1", zone = "a" }
    "#;
    std::fs::write(&path, text).unwrap();
    let options = Options::from_toml_file(&path).unwrap();
    assert_eq!(options.pd_servers(), ["a:1", "b:2379"]);
    assert_eq!((options.api, options.keyspace.as_deref(), options.attempts), (ApiVersion::V2, Some("mine"), 5));
    assert_eq!(options.operation_timeout, Duration::from_secs(1));
    assert_eq!(options.labels, [("rack".to_owned(), "1".to_owned()), ("zone".to_owned(), "a".to_owned())]);
    let by_url = Options::from_toml("url = \"tikv://a/t\"\napi = \"v1ttl\"").unwrap();
    assert_eq!((by_url.table(), by_url.api), (Some("t"), ApiVersion::V1Ttl));

    std::fs::write(&path, "pd = \"a\"\nmessages = 1").unwrap();
    let error = Options::from_toml_file(&path).unwrap_err().to_string();
    assert!(error.contains("tikv.toml") && error.contains("messages"), "{error}");
    for wrong in ["", "pd = 1", "pd = [1]", "pd = \"a\"\nurl = \"tikv://a\"", "pd = \"a\"\nattempts = [1]", "pd ="] {
        assert_eq!(Options::from_toml(wrong).unwrap_err().kind(), ErrorKind::InvalidConfig, "{wrong}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    for (url, reason) in [
        ("tikv://", "no PD server"),
        ("tikv://a:x", "port"),
        ("pegasus://a", "tikv://"),
        ("tikv://a/b/c", "one table"),
        ("tikv://a?api=v3", "v1, v1ttl, v2"),
        ("tikv://a?mode=mixed", "raw, txn"),
        ("tikv://a?read_from=nowhere", "leader"),
        ("tikv://a?labels=zone", "name:value"),
        ("tikv://a?no_such=1", "no such option"),
        ("tikv://a?attempts=-1", "number"),
    ] {
        let error = Options::from_url(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(reason), "{url}: {error}");
    }
    for (url, reason) in [
        ("tikv://a?mode=txn", "mode"),
        ("tikv://a?keyspace=mine", "api=v2"),
        ("tikv://a?operation_timeout=0s", "operation_timeout"),
        ("tikv://a?attempts=0", "attempts"),
        ("tikv://a?connections=0", "connections"),
        ("tikv://a?max_message_bytes=1", "max_message_bytes"),
        ("tikv+tls://a?ca=/no/such/file", "/no/such/file"),
    ] {
        let error = RawClient::new(Options::from_url(url).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains(reason), "{url}: {error}");
    }
}
