//! Values that are computed by one when they are not there.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use charioteer::memcached::{
    Client, CodecError, ComputeOptions, Decode, Encode, Encoded, GetOptions, Item, MessagePack, Protocol, StoreOptions,
};
use charioteer::{Error, ErrorKind};
use charioteer_server::testing::TestServer;
use futures_util::future::join_all;

use super::support::{client, in_each_protocol, patient_in};

in_each_protocol! {
    what_is_there_is_not_computed,
    what_is_not_there_is_computed_and_stored,
    a_computation_that_fails_leaves_others_to_it_at_once,
    what_is_stored_and_is_no_such_value_is_told,
}

const MINUTE: Duration = Duration::from_secs(60);

/// A computation that must not be made.
async fn unwanted() -> Result<String, Error> {
    panic!("there was no need to compute")
}

async fn what_is_there_is_not_computed(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "there").await;
    client.set(&key, "value").await.unwrap();
    let value = client.get_or_compute(&key, ComputeOptions::default(), unwanted).await.unwrap();
    assert_eq!(value, "value");
}

async fn what_is_not_there_is_computed_and_stored(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "computed").await;
    let options = ComputeOptions::ttl(MINUTE);
    let MessagePack(value) =
        client.get_or_compute(&key, options, async || Ok::<_, Error>(MessagePack(vec![1, 2]))).await.unwrap();
    assert_eq!(value, [1, 2]);
    assert_eq!(client.get_as(&key).await.unwrap(), Some(MessagePack(vec![1, 2])));
}

async fn a_computation_that_fails_leaves_others_to_it_at_once(protocol: Protocol) {
    #[derive(Debug)]
    enum Broken {
        Here,
        There(Error),
    }
    impl From<Error> for Broken {
        fn from(error: Error) -> Self {
            Self::There(error)
        }
    }
    let (_server, client, key) = client(protocol, "fails").await;
    let options = ComputeOptions::default().lease(60 * MINUTE);
    let failed = client.get_or_compute(&key, options, async || Err::<String, _>(Broken::Here)).await;
    assert!(matches!(failed, Err(Broken::Here)), "{failed:?}");
    assert_eq!(client.get(&key).await.unwrap(), None);
    let value = client.get_or_compute(&key, options, async || Ok::<_, Broken>("value".to_owned())).await;
    assert!(matches!(&value, Ok(value) if value == "value"), "{value:?}");
    let wrong = client.get_or_compute("", options, async || Ok::<_, Broken>("value".to_owned())).await.unwrap_err();
    assert!(matches!(&wrong, Broken::There(error) if error.kind() == ErrorKind::InvalidArgument), "{wrong:?}");
}

async fn what_is_stored_and_is_no_such_value_is_told(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "corrupt").await;
    client.set(&key, b"\xff").await.unwrap();
    let error = client.get_or_compute(&key, ComputeOptions::default(), unwanted).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, Some("get_or_compute")), "{error}");
}

#[tokio::test]
async fn what_was_invalidated_is_computed_anew_by_the_next_who_can_however_often_it_was_read_before() {
    let server = TestServer::start().await;
    let client = patient_in(Protocol::Meta, &server.memcached_url());
    for read in ["get", "get_as", "get_many", "get_many without versions", "counter", "touch", "get_and_touch"] {
        let key = format!("read by {read}");
        client.set(&key, "1").await.unwrap();
        assert!(client.invalidate(&key, MINUTE).await.unwrap());
        for _ in 0..2 {
            match read {
                "get" => assert!(client.get(&key).await.unwrap().is_some()),
                "get_as" => assert_eq!(client.get_as(&key).await.unwrap(), Some("1".to_owned())),
                "get_many" => assert!(client.get_many(["missing", &key]).await.pop().unwrap().unwrap().is_some()),
                "counter" => assert_eq!(client.counter(&key).await.unwrap().unwrap().value, 1),
                "touch" => assert!(client.touch(&key, MINUTE).await.unwrap()),
                "get_and_touch" => assert!(client.get_and_touch(&key, MINUTE).await.unwrap().is_some()),
                _ => {
                    let brief = client.clone().with_versions(false);
                    assert!(brief.get_many(["missing", &key]).await.pop().unwrap().unwrap().is_some());
                }
            }
        }
        let computed = async || Ok::<_, Error>("2".to_owned());
        let value = client.get_or_compute(&key, ComputeOptions::default(), computed).await.unwrap();
        assert_eq!(value, "2", "{read}");
    }
}

#[tokio::test]
async fn a_stale_item_that_was_read_has_the_version_that_was_told() {
    let server = TestServer::start().await;
    let client = patient_in(Protocol::Meta, &server.memcached_url());
    client.set("key", "1").await.unwrap();
    assert!(client.invalidate("key", MINUTE).await.unwrap());
    let stale = client.get("key").await.unwrap().unwrap();
    client.set_with("key", "2", StoreOptions::default().cas(stale.cas)).await.unwrap();
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_computes() {
    let (_server, client, key) = client(Protocol::Meta, "stampede").await;
    let computed = AtomicU32::new(0);
    let callers = (0..100).map(|_| {
        client.get_or_compute(&key, ComputeOptions::default(), async || {
            // The others have looked by now, and found that this one has won.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            Ok::<_, Error>(computed.fetch_add(1, Ordering::Relaxed).to_string())
        })
    });
    for value in join_all(callers).await {
        assert_eq!(value.unwrap(), "0");
    }
    assert_eq!(computed.into_inner(), 1);
}

#[tokio::test]
async fn without_leases_the_first_value_that_is_stored_is_everybody_s() {
    for protocol in [Protocol::Binary, Protocol::Text] {
        let (_server, client, key) = client(protocol, "fallback").await;
        let computed = AtomicU32::new(0);
        let callers = (0..10).map(|_| {
            client.get_or_compute(&key, ComputeOptions::default(), async || {
                Ok::<_, Error>(computed.fetch_add(1, Ordering::Relaxed).to_string())
            })
        });
        let values: Vec<String> = join_all(callers).await.into_iter().map(Result::unwrap).collect();
        let stored = client.get_as::<String>(&key).await.unwrap().unwrap();
        assert!(values.iter().all(|value| *value == stored), "{values:?}");
    }
}

#[tokio::test]
async fn a_placeholder_is_no_value_to_those_who_know_no_leases() {
    for protocol in [Protocol::Binary, Protocol::Text] {
        let (server, other) = start(protocol).await;
        let meta = patient_in(Protocol::Meta, &server.memcached_url());
        let lease = meta.get_with("key", GetOptions::default().vivify(MINUTE)).await.unwrap().unwrap();
        assert!(lease.won);
        let compute = async || Ok::<_, Error>("value".to_owned());
        assert_eq!(other.get_or_compute("key", ComputeOptions::default(), compute).await.unwrap(), "value");
        assert_eq!(other.get_as::<String>("key").await.unwrap().as_deref(), Some("value"));
    }
}

/// What comes of it when whoever asks has little time, unless there was none to ask at all, as may be on a busy machine.
async fn computed_in_a_hurry(client: &Client, key: &str, options: ComputeOptions, value: &str) -> String {
    let quick = client.clone().with_timeout(Duration::from_millis(50));
    loop {
        let compute = async || Ok::<_, Error>(value.to_owned());
        match quick.get_or_compute(key, options, compute).await {
            Ok(found) => return found,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout, "{error}"),
        }
    }
}

async fn start(protocol: Protocol) -> (TestServer, Client) {
    let server = TestServer::start().await;
    let client = patient_in(protocol, &server.memcached_url());
    (server, client)
}

#[tokio::test]
async fn a_stale_value_is_used_while_one_computes_unless_that_is_not_wanted() {
    let (_server, client, key) = client(Protocol::Meta, "stale").await;
    client.set(&key, "old").await.unwrap();
    client.invalidate(&key, MINUTE).await.unwrap();
    let winner = async || {
        assert_eq!(client.get_or_compute(&key, ComputeOptions::default(), unwanted).await.unwrap(), "old");
        // Who does not want it waits, and computes when there is no more time.
        assert_eq!(
            computed_in_a_hurry(&client, &key, ComputeOptions::default().without_stale(), "fresh").await,
            "fresh"
        );
        Ok::<_, Error>("new".to_owned())
    };
    assert_eq!(client.get_or_compute(&key, ComputeOptions::default(), winner).await.unwrap(), "new");
    // It came first; what the winner has computed meanwhile was not stored over it.
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("fresh"));
}

#[tokio::test]
async fn a_computation_that_fails_leaves_others_to_make_a_stale_value_anew() {
    let (_server, client, key) = client(Protocol::Meta, "stale fails").await;
    client.set(&key, "old").await.unwrap();
    client.invalidate(&key, MINUTE).await.unwrap();
    let fails = async || Err::<String, _>(client.get("").await.unwrap_err());
    client.get_or_compute(&key, ComputeOptions::default(), fails).await.unwrap_err();
    let compute = async || Ok::<_, Error>("new".to_owned());
    assert_eq!(client.get_or_compute(&key, ComputeOptions::default(), compute).await.unwrap(), "new");
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("new"));
}

#[tokio::test]
async fn a_value_about_to_expire_is_computed_by_one_and_used_by_all_others() {
    let (_server, client, key) = client(Protocol::Meta, "early").await;
    client.set_with(&key, "old", StoreOptions::ttl(MINUTE)).await.unwrap();
    let options = ComputeOptions::ttl(10 * MINUTE).recache(2 * MINUTE);
    let winner = async || {
        assert_eq!(client.get_or_compute(&key, options, unwanted).await.unwrap(), "old");
        Ok::<_, Error>("new".to_owned())
    };
    assert_eq!(client.get_or_compute(&key, options, winner).await.unwrap(), "new");
    assert_eq!(client.get_or_compute(&key, options, unwanted).await.unwrap(), "new");
}

#[tokio::test]
async fn what_was_deleted_changed_or_invalidated_meanwhile_is_not_brought_back() {
    let (_server, client, key) = client(Protocol::Meta, "meanwhile").await;
    for change in 0..3 {
        let compute = async || {
            match change {
                0 => assert!(client.delete(&key).await?),
                1 => assert_ne!(client.set(&key, "theirs").await?.get(), 0),
                _ => assert!(client.invalidate(&key, MINUTE).await?),
            }
            Ok::<_, Error>("ours".to_owned())
        };
        client.delete(&key).await.unwrap();
        assert_eq!(client.get_or_compute(&key, ComputeOptions::default(), compute).await.unwrap(), "ours");
        let item = client.get(&key).await.unwrap();
        assert_eq!(item.map(|item| item.value), [None, Some("theirs".into()), Some("".into())][change]);
    }
}

#[tokio::test]
async fn who_goes_away_while_computing_holds_others_up_no_longer_than_the_lease() {
    let (server, client) = start(Protocol::Meta).await;
    let options = ComputeOptions::default().lease(MINUTE);
    let computing = Cell::new(false);
    let gone = client.get_or_compute("key", options, async || {
        computing.set(true);
        std::future::pending::<Result<String, Error>>().await
    });
    tokio::select! {
        biased;
        _ = gone => unreachable!("it never ends"),
        () = async { while !computing.get() { tokio::task::yield_now().await } } => {}
    }
    let compute = async || Ok::<_, Error>("value".to_owned());
    let next = client.get_or_compute("key", options, compute);
    let later = async {
        // The next one has looked at least once.
        while client.call_stats().iter().all(|(name, stats)| *name != "get_with" || stats.calls < 2) {
            tokio::task::yield_now().await;
        }
        server.clock().advance(2 * MINUTE);
    };
    assert_eq!(tokio::join!(next, later).0.unwrap(), "value");
    assert_eq!(client.get_as::<String>("key").await.unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn who_has_no_more_time_to_wait_computes_too() {
    let (_server, client) = start(Protocol::Meta).await;
    assert!(client.get_with("key", GetOptions::default().vivify(MINUTE)).await.unwrap().unwrap().won);
    assert_eq!(computed_in_a_hurry(&client, "key", ComputeOptions::default(), "value").await, "value");
}

#[tokio::test]
async fn what_can_t_be_asked_for_is_not_computed() {
    let client = Client::from_url("memcached://127.0.0.1:1?protocol=meta&attempts=1").unwrap();
    let error = client.get_or_compute("key", ComputeOptions::default(), unwanted).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("get_or_compute")), "{error}");
}

#[tokio::test]
async fn who_waits_for_a_value_computes_for_lack_of_time_alone() {
    let (_server, client) = start(Protocol::Meta).await;
    assert!(client.get_with("key", GetOptions::default().vivify(MINUTE)).await.unwrap().unwrap().won);
    let waiting = client.get_or_compute("key", ComputeOptions::default(), unwanted);
    let close = async {
        while client.call_stats().iter().all(|(name, stats)| *name != "get_with" || stats.calls < 2) {
            tokio::task::yield_now().await;
        }
        client.close();
    };
    assert_eq!(tokio::join!(waiting, close).0.unwrap_err().kind(), ErrorKind::Closed);
}

/// A value that can't be stored.
#[derive(Debug)]
struct Unwritable;

impl Encode for Unwritable {
    fn encode(self) -> Result<Encoded, CodecError> {
        Err(CodecError::new("unwritable"))
    }
}

impl Decode for Unwritable {
    fn decode(_: &Item) -> Result<Self, CodecError> {
        Err(CodecError::new("unreadable"))
    }
}

#[tokio::test]
async fn a_value_that_can_t_be_encoded_leaves_others_to_it_at_once() {
    let (_server, client) = start(Protocol::Meta).await;
    let options = ComputeOptions::default().lease(60 * MINUTE);
    let failed = client.get_or_compute("key", options, async || Ok::<_, Error>(Unwritable)).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(client.get("key").await.unwrap(), None);
}
