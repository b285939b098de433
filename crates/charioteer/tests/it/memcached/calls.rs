//! Calls on single items, and what servers make of them.

use std::time::{Duration, SystemTime};

use charioteer::memcached::{Cas, Client, CountOptions, Encoded, MessagePack, Protocol, StoreOptions, Ttl};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::TestServer;
use serde::{Deserialize, Serialize};

use super::support::{client, in_each_protocol};

in_each_protocol! {
    a_value_comes_back_as_it_was_set_with_its_flags_and_its_version,
    values_are_empty_or_large_and_keys_are_any_bytes,
    typed_values_are_message_pack_and_raw_values_are_not_taken_for_it,
    add_stores_where_there_is_nothing_and_replace_where_there_is_something,
    append_and_prepend_leave_flags_as_they_are_and_need_a_value,
    what_has_changed_meanwhile_is_not_overwritten,
    counters_count_from_what_they_begin_with,
    what_is_no_number_is_not_counted_with,
    items_are_deleted_and_touched_where_they_are,
    a_key_that_can_t_be_is_refused_before_anything_is_sent,
    servers_tell_their_versions_and_statistics,
    servers_are_told_how_much_to_log_where_the_protocol_can_say_it,
    a_closed_client_says_so,
    calls_are_counted_by_their_names,
}

const MINUTE: Duration = Duration::from_secs(60);

async fn a_value_comes_back_as_it_was_set_with_its_flags_and_its_version(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "set").await;
    assert_eq!(client.get(&key).await.unwrap(), None);
    let cas = client.set(&key, Encoded::new("value", 77)).await.unwrap();
    let item = client.get(&key).await.unwrap().unwrap();
    assert_eq!((&item.value[..], item.flags), (&b"value"[..], 77));
    // The text protocol does not tell it of what is stored.
    assert_eq!(cas, if protocol == Protocol::Text { Cas::new(0) } else { item.cas });
    assert_ne!(item.cas, Cas::new(0));
}

async fn values_are_empty_or_large_and_keys_are_any_bytes(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "sizes").await;
    let bytes = if protocol == Protocol::Text { &b"\xff"[..] } else { b"\0\r\n \xff" };
    let key = [key.as_bytes(), bytes].concat();
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

async fn typed_values_are_message_pack_and_raw_values_are_not_taken_for_it(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "typed").await;
    let user = User { name: "alice".into(), age: 30 };
    client.set(&key, MessagePack(&user)).await.unwrap();
    assert_eq!(client.get_as::<MessagePack<User>>(&key).await.unwrap(), Some(MessagePack(user)));
    assert_eq!(client.get(&key).await.unwrap().unwrap().flags, 1);

    client.set(&key, "raw").await.unwrap();
    let error = client.get_as::<MessagePack<User>>(&key).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Corrupt, Some("get")));
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("raw"));
}

async fn add_stores_where_there_is_nothing_and_replace_where_there_is_something(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "add").await;
    assert_eq!(client.replace(&key, "0").await.unwrap(), None);
    assert!(client.add(&key, "1").await.unwrap().is_some());
    assert_eq!(client.add(&key, "2").await.unwrap(), None);
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("1"));
    assert!(client.replace(&key, "3").await.unwrap().is_some());
    assert_eq!(client.get_as::<String>(&key).await.unwrap().as_deref(), Some("3"));
}

async fn append_and_prepend_leave_flags_as_they_are_and_need_a_value(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "append").await;
    assert_eq!(client.append(&key, "x").await.unwrap(), None);
    assert_eq!(client.prepend(&key, "x").await.unwrap(), None);
    client.set(&key, Encoded::new("b", 5)).await.unwrap();
    let cas = client.append(&key, "c").await.unwrap().unwrap();
    if protocol == Protocol::Text {
        client.prepend(&key, "a").await.unwrap().unwrap();
    } else {
        client.prepend_if(&key, "a", cas).await.unwrap().unwrap();
        let error = client.append_if(&key, "d", cas).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let item = client.get(&key).await.unwrap().unwrap();
    assert_eq!((&item.value[..], item.flags), (&b"abc"[..], 5));
}

async fn what_has_changed_meanwhile_is_not_overwritten(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "cas").await;
    client.set(&key, "1").await.unwrap();
    let old = version(&client, &key).await;
    client.set_with(&key, "2", StoreOptions::default().cas(old)).await.unwrap();
    let new = version(&client, &key).await;
    assert_ne!(old, new);
    let stale = StoreOptions::default().cas(old);
    for error in [
        client.set_with(&key, "3", stale).await.unwrap_err(),
        client.add_with(&key, "3", stale).await.unwrap_err(),
        client.replace_with(&key, "3", stale).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied), "{error}");
    }
    client.add_with(&key, "3", StoreOptions::default().cas(new)).await.unwrap().unwrap();
    let new = version(&client, &key).await;
    client.replace_with(&key, "4", StoreOptions::default().cas(new)).await.unwrap().unwrap();
    client.delete(&key).await.unwrap();
    assert_eq!(client.add_with(&key, "5", StoreOptions::default().cas(new)).await.unwrap(), None);
    assert_eq!(client.replace_with(&key, "5", StoreOptions::default().cas(new)).await.unwrap(), None);
    let gone = client.set_with(&key, "3", StoreOptions::default().cas(new)).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Conflict);
    let none = client.set_with(&key, "3", StoreOptions::default().cas(Cas::new(0))).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::InvalidArgument);
}

/// The version of an item that is there. The text protocol tells it of items alone that are asked for.
async fn version(client: &Client, key: &str) -> Cas {
    client.get(key).await.unwrap().unwrap().cas
}

#[tokio::test]
async fn what_must_have_a_version_is_deleted_and_counted_with_only_if_it_has_it() {
    for protocol in [Protocol::Binary, Protocol::Meta] {
        let (_server, client, key) = client(protocol, "if").await;
        let old = client.set(&key, "1").await.unwrap();
        let new = client.set(&key, "2").await.unwrap();
        let with = |cas| CountOptions::default().cas(cas);
        for error in [
            client.delete_if(&key, old).await.unwrap_err(),
            client.increment_with(&key, 1, with(old)).await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied), "{error}");
        }
        let count = client.increment_with(&key, 1, with(new)).await.unwrap().unwrap();
        assert_eq!(count.value, 3);
        assert!(client.delete_if(&key, count.cas).await.unwrap());
        assert!(!client.delete_if(&key, count.cas).await.unwrap());
    }
}

#[tokio::test]
async fn what_the_text_protocol_can_t_say_is_refused_before_anything_is_sent() {
    let (_server, client, key) = client(Protocol::Text, "unsaid").await;
    let cas = Cas::new(7);
    for error in [
        client.delete_if(&key, cas).await.unwrap_err(),
        client.append_if(&key, "value", cas).await.unwrap_err(),
        client.prepend_if(&key, "value", cas).await.unwrap_err(),
        client.increment_with(&key, 1, CountOptions::default().cas(cas)).await.unwrap_err(),
        client.decrement_with(&key, 1, CountOptions::initial(1).cas(cas)).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotApplied), "{error}");
        assert!(error.to_string().contains("protocol=meta"), "{error}");
    }
    for key in ["two words", "line\r\nflush_all", "\0", "\x7f"] {
        for error in [
            client.get(key).await.unwrap_err(),
            client.set(key, "value").await.unwrap_err(),
            client.get_many([key]).await.remove(0).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        }
    }
    let error = client.stats("items\r\nflush_all").await.unwrap().remove(0).reply.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 31);
    let error = client.touch(&key, Ttl::At(far)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert_eq!(client.net_stats().connections_opened, 0);
}

#[tokio::test]
async fn counters_that_all_make_at_once_are_made_once_and_miss_no_count() {
    for protocol in [Protocol::Binary, Protocol::Meta, Protocol::Text] {
        let (_server, client, key) = client(protocol, "make").await;
        let counts = (0..50).map(|_| client.increment_with(&key, 1, CountOptions::initial(100)));
        let mut counts: Vec<_> = futures_util::future::join_all(counts)
            .await
            .into_iter()
            .map(|count| count.unwrap().unwrap().value)
            .collect();
        counts.sort_unstable();
        assert_eq!(counts, (100..150).collect::<Vec<_>>());
    }
}

async fn counters_count_from_what_they_begin_with(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "count").await;
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

async fn what_is_no_number_is_not_counted_with(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "no number").await;
    client.set(&key, MessagePack(5)).await.unwrap();
    for error in [client.increment(&key, 1).await.unwrap_err(), client.counter(&key).await.unwrap_err()] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidArgument, Outcome::NotApplied), "{error}");
    }
}

async fn items_are_deleted_and_touched_where_they_are(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "delete").await;
    assert!(!client.delete(&key).await.unwrap());
    assert!(!client.touch(&key, MINUTE).await.unwrap());
    assert_eq!(client.get_and_touch(&key, MINUTE).await.unwrap(), None);
    client.set_with(&key, "value", StoreOptions::ttl(MINUTE)).await.unwrap();
    let cas = version(&client, &key).await;
    assert!(client.touch(&key, Ttl::Never).await.unwrap());
    let item = client.get_and_touch(&key, MINUTE).await.unwrap().unwrap();
    assert_eq!((&item.value[..], item.cas), (&b"value"[..], cas));
    assert!(client.delete(&key).await.unwrap());
    assert_eq!(client.get(&key).await.unwrap(), None);
}

async fn a_key_that_can_t_be_is_refused_before_anything_is_sent(protocol: Protocol) {
    let (_server, client, _) = client(protocol, "keys").await;
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

async fn servers_tell_their_versions_and_statistics(protocol: Protocol) {
    let (_server, client, _) = client(protocol, "stats").await;
    let version = client.version().await.unwrap().remove(0);
    assert_eq!(version.server, client.servers()[0]);
    assert!(version.reply.unwrap().starts_with("1."));
    let stats = client.stats("").await.unwrap().remove(0).reply.unwrap();
    assert!(stats.iter().any(|(name, value)| name == "curr_items" && value.parse::<u64>().is_ok()), "{stats:?}");
    assert!(client.ping().await.unwrap().remove(0).reply.is_ok());
}

async fn a_closed_client_says_so(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "closed").await;
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

async fn calls_are_counted_by_their_names(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "counted").await;
    client.set(&key, "value").await.unwrap();
    client.get(&key).await.unwrap();
    client.get(&key).await.unwrap();
    let stats: Vec<_> = client.call_stats().into_iter().map(|(name, stats)| (name, stats.calls)).collect();
    assert_eq!(stats, [("get", 2), ("set", 1)]);
    assert_eq!(client.net_stats().connections_opened, 1);
}

async fn servers_are_told_how_much_to_log_where_the_protocol_can_say_it(protocol: Protocol) {
    let (_server, client, _) = client(protocol, "verbosity").await;
    let told = client.verbosity(0).await.unwrap().remove(0).reply;
    if protocol == Protocol::Binary {
        assert_eq!(told.unwrap_err().kind(), ErrorKind::Unsupported);
    } else {
        told.unwrap();
    }
}
