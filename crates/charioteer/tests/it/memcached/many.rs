//! Calls on many items at once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use charioteer::memcached::{Client, ComputeOptions, CountOptions, Encoded, GetOptions, Protocol, Ttl};
use charioteer::{Error, ErrorKind, Outcome};
use charioteer_proto::memcached::binary::{Command, Status, write_failure};

use super::fake::Fake;
use super::support::{LONG, client, in_each_protocol, one_key_of_each, patient, two_clients, url_of};

in_each_protocol! {
    many_items_come_back_in_the_order_of_their_keys,
    keys_may_be_asked_for_twice_and_not_at_all,
    one_bad_key_leaves_the_others_alone,
    nobody_need_hear_of_versions,
}

async fn many_items_come_back_in_the_order_of_their_keys(protocol: Protocol) {
    let (_server, client, prefix) = client(protocol, "many").await;
    let keys: Vec<_> = (0..3000).map(|number| format!("{prefix}{number}")).collect();
    let items = keys.iter().step_by(2).map(|key| (key, Encoded::new(key.clone(), 3)));
    let stored = client.set_many(items, Ttl::from(Duration::from_secs(60))).await;
    assert!(stored.len() == 1500 && stored.iter().all(Result::is_ok));
    let found = client.get_many(&keys).await;
    assert_eq!(found.len(), keys.len());
    for (number, (key, item)) in keys.iter().zip(found).enumerate() {
        let item = item.unwrap();
        assert_eq!(item.is_some(), number % 2 == 0);
        assert!(item.is_none_or(|item| item.value == *key && item.flags == 3));
    }
    let deleted = client.delete_many(&keys).await;
    assert!(deleted.into_iter().enumerate().all(|(number, deleted)| deleted.unwrap() == (number % 2 == 0)));
}

async fn keys_may_be_asked_for_twice_and_not_at_all(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "twice").await;
    let cas = client.set_many([(&key, "1"), (&key, "2")], Ttl::Never).await.pop().unwrap().unwrap();
    let cas = if protocol == Protocol::Text { client.get(&key).await.unwrap().unwrap().cas } else { cas };
    let missing = format!("{key}missing");
    let found = client.get_many([&key, &missing, &key]).await;
    let values: Vec<_> = found.into_iter().map(|item| item.unwrap().map(|item| (item.value, item.cas))).collect();
    assert_eq!(values, [Some(("2".into(), cas)), None, Some(("2".into(), cas))]);
    assert!(client.get_many::<&str>([]).await.is_empty());
}

async fn one_bad_key_leaves_the_others_alone(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "bad key").await;
    let mut stored = client.set_many([(&*key, "value"), ("", "value")], Ttl::Never).await;
    assert_eq!(stored.pop().unwrap().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(stored.pop().unwrap().is_ok());
    let stored = client.set_many([(&*key, "value")], Duration::ZERO).await;
    assert_eq!(stored[0].as_ref().unwrap_err().kind(), ErrorKind::InvalidArgument);
}

async fn nobody_need_hear_of_versions(protocol: Protocol) {
    let (_server, client, key) = client(protocol, "without").await;
    let (keys, brief) = ([format!("{key}1"), format!("{key}2")], client.clone().with_versions(false));
    let stored = brief.set_many(keys.iter().map(|key| (key, "value")), Ttl::Never).await;
    let versions: Vec<_> = stored.into_iter().map(|stored| stored.unwrap().get()).collect();
    assert!(versions == [0, 0] || protocol == Protocol::Meta, "{versions:?}");
    for (item, known) in brief.get_many(&keys).await.into_iter().zip(client.get_many(&keys).await) {
        let (item, known) = (item.unwrap().unwrap(), known.unwrap().unwrap());
        assert_eq!((&*item.value, known.cas.get() > 0), (&b"value"[..], true));
        assert!(item.cas.get() == 0 || protocol == Protocol::Binary);
    }
}

/// memcached tells a key in the form in which its item was stored, which is none that fits into a line for most of these.
#[tokio::test]
async fn items_are_got_however_they_came_to_be_and_whatever_is_in_their_keys() {
    let (_server, [meta, binary], prefix) = two_clients([Protocol::Meta, Protocol::Binary], "a b\r\nHD k").await;
    let key = |name: &str| format!("{prefix}{name}");
    binary.set(key("binary"), "1").await.unwrap();
    meta.set(key("meta"), "2").await.unwrap();
    meta.set(key("appended"), "3").await.unwrap();
    meta.append(key("appended"), "4").await.unwrap().unwrap();
    meta.increment_with(key("made"), 1, CountOptions::initial(5)).await.unwrap().unwrap();
    meta.set(key("grown"), "9").await.unwrap();
    meta.increment(key("grown"), 1).await.unwrap().unwrap();
    meta.get_with(key("placeholder"), GetOptions::default().vivify(LONG)).await.unwrap().unwrap();
    let names = ["binary", "meta", "missing", "appended", "made", "grown", "placeholder", "meta"];
    let values = [Some("1"), Some("2"), None, Some("34"), Some("5"), Some("10"), Some(""), Some("2")];
    for client in [meta.clone(), meta.with_versions(false), binary] {
        let found = client.get_many(names.map(key)).await;
        for ((item, value), name) in found.into_iter().zip(values).zip(names) {
            assert_eq!(item.unwrap().as_ref().map(|item| &item.value[..]), value.map(str::as_bytes), "{name}");
        }
        assert_eq!(client.net_stats().connections_lost, 0);
    }
}

#[tokio::test]
async fn items_that_are_refused_without_a_word_about_the_others_are_known_by_their_places() {
    let is_odd = |key: &[u8]| key.ends_with(b"7") || key == b"999";
    let fake = Fake::scripted(move |request, out| {
        let refused = matches!(&request.command, Command::Store { key, .. } if is_odd(key));
        if refused {
            write_failure(out, request, Status::TOO_LARGE);
        }
        refused
    })
    .await;
    let client = patient(&fake.url()).with_versions(false);
    let keys: Vec<_> = (0..1500).map(|number| number.to_string()).collect();
    // More than once, so that the numbers of the calls differ.
    for _ in 0..3 {
        let stored = client.set_many(keys.iter().map(|key| (key, "value")), Ttl::Never).await;
        for (key, stored) in keys.iter().zip(stored) {
            let refused = stored.err().map(|error| error.kind());
            assert_eq!(refused, is_odd(key.as_bytes()).then_some(ErrorKind::TooLarge), "{key}");
        }
    }
}

#[tokio::test]
async fn one_item_that_is_refused_leaves_the_others_alone() {
    let fake = Fake::scripted(|request, out| {
        let refused = matches!(&request.command, Command::Store { key, .. } if *key == "large");
        if refused {
            write_failure(out, request, Status::TOO_LARGE);
        }
        refused
    })
    .await;
    let client = patient(&fake.url());
    let stored = client.set_many([("a", "1"), ("large", "2"), ("b", "3")], Ttl::Never).await;
    let kinds: Vec<_> = stored.iter().map(|stored| stored.as_ref().err().map(Error::kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::TooLarge), None]);
    assert!(fake.has("a") && fake.has("b") && !fake.has("large"));
}

#[tokio::test]
async fn keys_go_to_their_servers_and_one_that_is_gone_fails_its_own_alone() {
    let mut servers = [Fake::start().await, Fake::start().await, Fake::start().await];
    let client = Client::from_url(&format!("{}?failover=false&attempts=1", url_of(&servers))).unwrap();
    let keys = one_key_of_each(&client);
    let stored = client.set_many(keys.iter().map(|key| (key, "value")), Ttl::Never).await;
    assert!(stored.iter().all(Result::is_ok));
    for (server, key) in servers.iter().zip(&keys) {
        assert!(server.has(key) && server.seen().len() == 1);
    }
    let address = servers[1].address;
    // Dropped where it stands, so that nobody listens there any more.
    servers[1] = Fake::start().await;
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    let found = client.get_many(&keys).await;
    let kinds: Vec<_> = found.iter().map(|item| item.as_ref().err().map(Error::kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Unavailable), None]);
    let error = found[1].as_ref().unwrap_err();
    assert_eq!((error.peer(), error.outcome()), (Some(&*address.to_string()), Outcome::NotApplied));
}

#[tokio::test]
async fn keys_of_a_server_that_is_gone_are_asked_of_those_that_take_them_over() {
    let mut servers = [Fake::start().await, Fake::start().await];
    let client = patient(&url_of(&servers));
    let keys = one_key_of_each(&client);
    assert!(client.set_many(keys.iter().map(|key| (key, "1")), Ttl::Never).await.iter().all(Result::is_ok));
    servers[1] = Fake::start().await;
    assert!(client.set_many(keys.iter().map(|key| (key, "2")), Ttl::Never).await.iter().all(Result::is_ok));
    assert!(servers[0].has(&keys[0]) && servers[0].has(&keys[1]));
}

#[tokio::test]
async fn what_a_server_may_have_stored_before_it_was_removed_is_not_said_to_be_nowhere() {
    let replaced = Arc::new(OnceLock::<Client>::new());
    let known = Arc::clone(&replaced);
    let fake = Fake::scripted(move |_, out| {
        let client = known.get().unwrap();
        client.add_server("127.0.0.1:1", 1).unwrap();
        assert!(client.remove_server(&client.servers()[0]).unwrap());
        // Nothing that can be understood, so that the connection is over.
        out.extend_from_slice(b"?");
        true
    })
    .await;
    let client = replaced.get_or_init(|| Client::from_url(&format!("{}?attempts=2", fake.url())).unwrap());
    let error = client.set_many([("key", "value")], Ttl::Never).await.pop().unwrap().unwrap_err();
    let said = (error.kind(), error.peer(), error.outcome());
    assert_eq!(said, (ErrorKind::Unavailable, Some("127.0.0.1:1"), Outcome::Unknown), "{error}");
}

#[tokio::test]
async fn no_time_is_too_long() {
    let fake = Fake::start().await;
    let client = patient(&fake.url()).with_timeout(Duration::MAX);
    assert!(client.get_many(["key"]).await[0].is_ok());
    let computed =
        client.get_or_compute("key", ComputeOptions::default(), async || Ok::<_, Error>(String::new())).await;
    assert_eq!(computed.unwrap(), "");
}
