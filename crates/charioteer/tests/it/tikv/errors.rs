//! What errors say.

use std::time::{Duration, Instant};

use charioteer::tikv::{ApiVersion, RawClient};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::Limits;
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};

use super::support::{APIS, LONG, options, raw, raw_of, strict};

#[tokio::test]
async fn a_cluster_of_another_api_version_says_so_at_once() {
    for (served, api) in APIS {
        let (server, _client) = strict(served, api, &[]).await;
        for other in [ApiVersion::V1, ApiVersion::V2] {
            let mut options = options(&server);
            options.api = other;
            let client = RawClient::new(options).unwrap();
            if (other == ApiVersion::V2) == (api == ApiVersion::V2) {
                continue;
            }
            for error in [
                client.get("k").await.unwrap_err(),
                client.put("k", "v").await.unwrap_err(),
                client.batch_get(["k"]).await.remove(0).unwrap_err(),
                client.scan("", "").unwrap().next().await.unwrap_err(),
                client.reverse_scan("", "").unwrap().next().await.unwrap_err(),
                client.batch_put([("k", "v")]).await.remove(0).unwrap_err(),
                client.delete("k").await.unwrap_err(),
                client.batch_delete(["k"]).await.remove(0).unwrap_err(),
                client.delete_range("a", "z").await.unwrap_err(),
                client.get_ttl("k").await.unwrap_err(),
                client.checksum("a", "z").await.unwrap_err(),
                client.clone().with_atomic(true).compare_and_swap("k", None, "v").await.unwrap_err(),
            ] {
                assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unsupported, 1), "{error}");
                assert_eq!(error.outcome(), Outcome::NotApplied, "{error}");
                assert!(error.to_string().contains("API version"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn another_cluster_than_the_one_meant_is_refused_before_anything_is_asked() {
    let (server, client) = raw().await;
    let mut options = options(&server);
    options.cluster_id = Some(client.cluster_id().await.unwrap());
    RawClient::new(options.clone()).unwrap().put("k", "v").await.unwrap();
    options.cluster_id = Some(7);
    let error = RawClient::new(options).unwrap().put("k", "v").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidConfig, Some("put")), "{error}");
}

#[tokio::test]
async fn a_keyspace_that_there_is_not_is_an_error() {
    let (served, api) = APIS[2];
    let (server, client) = strict(served, api, &[]).await;
    let connect = |keyspace: &str| {
        let url = format!("{}?api=v2&keyspace={keyspace}", server.tikv_url());
        async move { RawClient::connect(&url).await }
    };
    client.put("k", "v").await.unwrap();
    assert_eq!(connect("DEFAULT").await.unwrap().get("k").await.unwrap().unwrap(), "v");
    let error = connect("nowhere").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, Some("connect")), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn keys_and_values_that_are_too_large_are_refused_by_the_store_at_once() {
    let (_server, client) = raw().await;
    let error = client.put(vec![b'k'; 9000], "v").await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::NotApplied), "{error}");
    for bytes in [(15 << 20) + 1, 20 << 20] {
        let error = client.put("k", vec![0; bytes]).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::NotApplied), "{error}");
        assert!(error.attempts() <= 1 && !error.is_retryable(), "{error}");
    }
    assert_eq!(client.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn keys_that_are_too_long_are_refused_in_every_call_that_writes_them_and_found_by_none_that_reads() {
    for (served, api) in APIS {
        let (_server, client) = strict(served, api, &["m"]).await;
        let long = vec![b'k'; 8193];
        let atomic = client.clone().with_atomic(true);
        for error in [
            client.put(&long, "v").await.unwrap_err(),
            client.batch_put([(&long, "v")]).await.remove(0).unwrap_err(),
            atomic.put(&long, "v").await.unwrap_err(),
            atomic.compare_and_swap(&long, None, "v").await.unwrap_err(),
        ] {
            let told = (error.kind(), error.outcome(), error.attempts());
            assert_eq!(told, (ErrorKind::TooLarge, Outcome::NotApplied, 1), "{error}");
        }
        assert_eq!(client.scan("", "").unwrap().next().await.unwrap(), None);
        // Of a batch it fails alone only where another region holds it; a store refuses a request as a whole.
        let mixed = client.batch_put([(&b"z"[..], "v"), (&long, "v")]).await;
        assert!(mixed[0].is_ok() && mixed[1].is_err(), "{mixed:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_for_the_server_fails_alone() {
    let limits = Limits { frame_bytes: 1 << 20, ..Limits::default() };
    let (_server, client) = raw_of(TestServer::builder().limits(limits).tikv_regions(1)).await;
    let small = (0..200).map(|number| client.put(format!("k{number}"), "v"));
    // A message with several commands may be eight times as long as others.
    let large = client.put("large", vec![0; 10 << 20]);
    let (small, large) = tokio::join!(futures_util::future::join_all(small), large);
    small.into_iter().for_each(|put| put.unwrap());
    let error = large.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(client.batch_get((0..200).map(|number| format!("k{number}"))).await.len(), 200);
}

#[tokio::test]
async fn an_error_names_call_server_and_what_the_server_said() {
    let (server, client) = raw().await;
    let store = server.tikv().stores()[0].to_string();
    let _failing = server.tikv().inject(Fault::new(Action::Answer(RegionError::NotLeader)).on(Call::RawGet));
    let error = client.with_attempts(3).get("secret key").await.unwrap_err();
    assert_eq!((error.operation(), error.peer()), (Some("get"), Some(&*store)));
    assert_eq!((error.server_code(), error.attempts()), (Some("NotLeader"), 3));
    assert!(error.is_retryable());
    let line = error.to_string();
    assert!(line.starts_with("get: ") && line.contains(&store) && !line.contains("secret"), "{line}");
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_whatever_is_silent() {
    let (server, client) = raw().await;
    client.get("k").await.unwrap();
    let client = client.with_timeout(Duration::from_millis(300));
    for action in [Action::Drop, Action::Hold, Action::DropReply] {
        let silent = server.tikv().inject(Fault::new(action).on(Call::RawGet).on(Call::RawPut));
        let started = Instant::now();
        let error = client.get("k").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotApplied), "{error}");
        let error = client.put("k", "v").await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::Unknown), "{error}");
        assert!(started.elapsed() < LONG / 2, "{:?}", started.elapsed());
        drop(silent);
    }
}

#[tokio::test]
async fn a_silent_pd_ends_a_call_at_its_deadline_and_does_no_further_harm() {
    let server = TestServer::start().await;
    let silent = server.tikv().inject(Fault::new(Action::Drop).at_pd());
    let client = RawClient::new(options(&server)).unwrap();
    let started = Instant::now();
    let error = client.clone().with_timeout(Duration::from_millis(300)).get("k").await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some("get")), "{error}");
    assert!(started.elapsed() < LONG / 2);
    drop(silent);
    assert_eq!(client.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_closed_client_says_so_also_to_those_who_wait() {
    let (server, client) = raw().await;
    client.get("k").await.unwrap();
    let _held = server.tikv().inject(Fault::new(Action::Drop).on(Call::RawGet));
    let asked = server.tikv().requests(Call::RawGet);
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.get("k").await }
    });
    server.tikv().arrived(Call::RawGet, asked + 1).await;
    client.close();
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.put("k", "v").await.unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn without_a_runtime_a_call_fails_and_block_on_helps() {
    let client = RawClient::new(charioteer::tikv::Options::new(["127.0.0.1:1"]).unwrap()).unwrap();
    let client = client.with_timeout(Duration::from_millis(100));
    let error = futures_util::FutureExt::now_or_never(client.get("k")).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = charioteer::block_on(client.get("k")).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Unsupported, "{error}");
}
