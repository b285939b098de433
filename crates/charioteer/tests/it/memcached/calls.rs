//! Calls on single items, and what servers make of them.

use std::time::Duration;

use charioteer::memcached::{Cas, Client, CountOptions, Encoded, MessagePack, StoreOptions, Ttl};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::TestServer;
use serde::{Deserialize, Serialize};

use super::support::client;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_value_comes_back_as_it_was_set_with_its_flags_and_its_version() {
    let (_server, client, key) = client("set").await;
    assert_eq!(client.get(&key).await.unwrap(), None);
    let cas = client.set(&key, Encoded::new("value", 77)).await.unwrap();
    let item = client.get(&key).await.unwrap().unwrap();
    assert_eq!((&item.value[..], item.flags, item.cas), (&b"value"[..], 77, cas));
}

#[tokio::test]
async fn values_are_empty_or_large_and_keys_are_any_bytes() {
    let (_server, client, key) = client("sizes").await;
    let key = [key.as_bytes(), b"\0\r\n \xff"].concat();
    for length in [0, 1, 4095, 4096, 1_000_000] {
        client.set(&key, vec![b'x'; length]).await.unwrap();
        assert_eq!(client.get(&key).await.unwrap().unwrap().value, vec![b'x'; length]);
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct User {
    name: String,
    age: i64,
}

#[tokio::test]
async fn typed_values_are_message_pack_and_raw_values_are_not_taken_for_it() {
    let (_server, client, key) = client("typed").await;
    let user = User { name: "alice".into(), age: 30 };
    client.set(&key, MessagePack(&user)).await.unwrap();
    assert_eq!(client.get_as::<MessagePack<User>>(&key).await.unwrap(), Some(MessagePack(user)));
    assert_eq!(client.get(&key).await.unwrap().unwrap().flags, 1);

    client.set(&key, "raw").await.unwrap();
    let error = client.get_as::<MessagePack<User>>(&key).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, Some("get")));
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("raw"));
}

#[tokio::test]
async fn add_stores_where_there_is_nothing_and_replace_where_there_is_something() {
    let (_server, client, key) = client("add").await;
    assert_eq!(client.replace(&key, "0").await.unwrap(), None);
    assert!(client.add(&key, "1").await.unwrap().is_some());
    assert_eq!(client.add(&key, "2").await.unwrap(), None);
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("1"));
    assert!(client.replace(&key, "3").await.unwrap().is_some());
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("3"));
}

#[tokio::test]
async fn append_and_prepend_leave_flags_as_they_are_and_need_a_value() {
    let (_server, client, key) = client("append").await;
    assert_eq!(client.append(&key, "x").await.unwrap(), None);
    assert_eq!(client.prepend(&key, "x").await.unwrap(), None);
    client.set(&key, Encoded::new("b", 5)).await.unwrap();
    let cas = client.append(&key, "c").await.unwrap().unwrap();
    client.prepend_if(&key, "a", cas).await.unwrap().unwrap();
    let error = client.append_if(&key, "d", cas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let item = client.get(&key).await.unwrap().unwrap();
    assert_eq!((&item.value[..], item.flags), (&b"abc"[..], 5));
}

#[tokio::test]
async fn what_has_changed_meanwhile_is_not_overwritten() {
    let (_server, client, key) = client("cas").await;
    let old = client.set(&key, "1").await.unwrap();
    let new = client.set_with(&key, "2", StoreOptions::default().cas(old)).await.unwrap();
    assert_ne!(old, new);
    let stale = StoreOptions::default().cas(old);
    for error in [
        client.set_with(&key, "3", stale).await.unwrap_err(),
        client.add_with(&key, "3", stale).await.unwrap_err(),
        client.replace_with(&key, "3", stale).await.unwrap_err(),
        client.delete_if(&key, old).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied), "{error}");
    }
    assert!(client.delete_if(&key, new).await.unwrap());
    let gone = client.set_with(&key, "3", StoreOptions::default().cas(new)).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Conflict);
    let none = client.set_with(&key, "3", StoreOptions::default().cas(Cas::new(0))).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn counters_count_from_what_they_begin_with() {
    let (_server, client, key) = client("count").await;
    assert_eq!(client.increment(&key, 1).await.unwrap(), None);
    assert_eq!(client.counter(&key).await.unwrap(), None);
    let first = client.increment_with(&key, 5, CountOptions::initial(10).ttl(MINUTE)).await.unwrap().unwrap();
    assert_eq!(first.value, 10);
    assert_eq!(client.increment(&key, 5).await.unwrap().unwrap().value, 15);
    assert_eq!(client.decrement(&key, 6).await.unwrap().unwrap().value, 9);
    // It is stored as "9 ".
    let read = client.counter(&key).await.unwrap().unwrap();
    assert_eq!(read.value, 9);
    assert_eq!(client.counter(&key).await.unwrap(), Some(read));
    assert_eq!(client.decrement(&key, 100).await.unwrap().unwrap().value, 0);
    client.set(&key, u64::MAX.to_string()).await.unwrap();
    assert_eq!(client.increment(&key, 2).await.unwrap().unwrap().value, 1);
}

#[tokio::test]
async fn what_is_no_number_is_not_counted_with() {
    let (_server, client, key) = client("no number").await;
    client.set(&key, MessagePack(5)).await.unwrap();
    for error in [client.increment(&key, 1).await.unwrap_err(), client.counter(&key).await.unwrap_err()] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidArgument, Outcome::NotApplied), "{error}");
    }
}

#[tokio::test]
async fn items_are_deleted_and_touched_where_they_are() {
    let (_server, client, key) = client("delete").await;
    assert!(!client.delete(&key).await.unwrap());
    assert!(!client.touch(&key, MINUTE).await.unwrap());
    assert_eq!(client.get_and_touch(&key, MINUTE).await.unwrap(), None);
    let cas = client.set_with(&key, "value", StoreOptions::ttl(MINUTE)).await.unwrap();
    assert!(client.touch(&key, Ttl::Never).await.unwrap());
    let item = client.get_and_touch(&key, MINUTE).await.unwrap().unwrap();
    assert_eq!((&item.value[..], item.cas), (&b"value"[..], cas));
    assert!(client.delete(&key).await.unwrap());
    assert_eq!(client.get(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_that_can_t_be_is_refused_before_anything_is_sent() {
    let (_server, client, _) = client("keys").await;
    let long = "k".repeat(251);
    for (key, kind) in [("", ErrorKind::InvalidArgument), (&long, ErrorKind::TooLarge)] {
        for error in [
            client.get(key).await.unwrap_err(),
            client.set(key, "value").await.unwrap_err(),
            client.delete(key).await.unwrap_err(),
            client.increment(key, 1).await.unwrap_err(),
            client.touch(key, Ttl::Never).await.unwrap_err(),
            client.get_many([key]).await.remove(0).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotApplied), "{error}");
        }
    }
    assert_eq!(client.net_stats().connections_opened, 0);
    assert!(client.get("k".repeat(250)).await.is_ok());
}

#[tokio::test]
async fn servers_tell_their_versions_and_statistics() {
    let (_server, client, _) = client("stats").await;
    let version = client.version().await.unwrap().remove(0);
    assert_eq!(version.server, client.servers()[0]);
    assert!(version.reply.unwrap().starts_with("1."));
    let stats = client.stats("").await.unwrap().remove(0).reply.unwrap();
    assert!(stats.iter().any(|(name, value)| name == "curr_items" && value.parse::<u64>().is_ok()), "{stats:?}");
    assert!(client.ping().await.unwrap().remove(0).reply.is_ok());
}

#[tokio::test]
async fn a_closed_client_says_so() {
    let (_server, client, key) = client("closed").await;
    client.set(&key, "value").await.unwrap();
    client.close();
    assert_eq!(client.get(&key).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.flush_all().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.get_many([&key]).await.remove(0).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn programs_without_a_runtime_make_the_same_calls() {
    let start = async {
        let server = TestServer::start().await;
        let client = Client::from_url(&server.memcached_url())?;
        Ok((server, client))
    };
    let (_server, client) = charioteer::block_on(start).unwrap();
    charioteer::block_on(client.set("key", "value")).unwrap();
    assert_eq!(charioteer::block_on(client.get_as::<String>("key")).unwrap().as_deref(), Some("value"));
}

#[tokio::test]
async fn calls_are_counted_by_their_names() {
    let (_server, client, key) = client("counted").await;
    client.set(&key, "value").await.unwrap();
    client.get(&key).await.unwrap();
    client.get(&key).await.unwrap();
    let stats: Vec<_> = client.call_stats().into_iter().map(|(name, stats)| (name, stats.calls)).collect();
    assert_eq!(stats, [("get", 2), ("set", 1)]);
    assert_eq!(client.net_stats().connections_opened, 1);
}
