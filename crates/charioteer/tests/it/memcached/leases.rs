//! What only the meta protocol can say.

use std::time::Duration;

use charioteer::memcached::{Cas, Client, GetOptions, InvalidateOptions, Protocol, StoreOptions, Ttl};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::TestServer;

use super::support::{client, patient_in};

const MINUTE: Duration = Duration::from_secs(60);

async fn start() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let client = patient_in(Protocol::Meta, &server.memcached_url());
    (server, client)
}

#[tokio::test]
async fn of_all_who_miss_an_item_one_is_to_make_it() {
    let (_server, client, key) = client(Protocol::Meta, "vivify").await;
    assert_eq!(client.get_with(&key, GetOptions::default()).await.unwrap(), None);
    let lease = GetOptions::default().vivify(MINUTE);
    let first = client.get_with(&key, lease).await.unwrap().unwrap();
    assert!(first.won && first.is_placeholder() && !first.stale && !first.already_won);
    let second = client.get_with(&key, lease).await.unwrap().unwrap();
    assert!(second.already_won && second.is_placeholder() && !second.won);
    client.set_with(&key, "", StoreOptions::ttl(MINUTE).cas(first.item.cas)).await.unwrap();
    let made = client.get_with(&key, lease).await.unwrap().unwrap();
    assert!(!made.won && !made.already_won && !made.is_placeholder());
}

#[tokio::test]
async fn an_item_that_was_invalidated_is_used_by_all_and_made_anew_by_one() {
    let (_server, client, key) = client(Protocol::Meta, "invalidate").await;
    assert!(!client.invalidate(&key, MINUTE).await.unwrap());
    let cas = client.set(&key, "old").await.unwrap();
    assert!(client.invalidate(&key, MINUTE).await.unwrap());
    let [first, second] = [(); 2].map(|()| client.get_with(&key, GetOptions::default().facts()));
    let first = first.await.unwrap().unwrap();
    assert!(first.stale && first.won && first.item.value == "old" && first.item.cas != cas);
    assert!(first.facts.unwrap().remaining.is_some_and(|left| left <= MINUTE));
    let second = second.await.unwrap().unwrap();
    assert!(second.stale && !second.won && second.already_won && second.item.value == "old");
    let error = client.invalidate_with(&key, InvalidateOptions::default().cas(cas)).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied), "{error}");
    client.set(&key, "new").await.unwrap();
    let new = client.get_with(&key, GetOptions::default()).await.unwrap().unwrap();
    assert!(!new.stale && !new.won && new.item.value == "new" && new.facts.is_none());
}

#[tokio::test]
async fn an_item_about_to_expire_is_made_anew_by_one() {
    let (_server, client, key) = client(Protocol::Meta, "recache").await;
    client.set_with(&key, "value", StoreOptions::ttl(MINUTE)).await.unwrap();
    let early = GetOptions::default().recache(MINUTE / 2);
    let soon = GetOptions::default().recache(2 * MINUTE);
    assert!(!client.get_with(&key, early).await.unwrap().unwrap().won);
    let first = client.get_with(&key, soon).await.unwrap().unwrap();
    assert!(first.won && !first.stale && first.item.value == "value");
    assert!(client.get_with(&key, soon).await.unwrap().unwrap().already_won);
    let touched = client.get_with(&key, GetOptions::default().touch(Ttl::Never).facts()).await.unwrap().unwrap();
    assert_eq!(touched.facts.unwrap().size, 5);
    let kept = client.get_with(&key, GetOptions::default().facts()).await.unwrap().unwrap();
    assert_eq!(kept.facts.unwrap().remaining, None);
}

#[tokio::test]
async fn what_is_known_of_an_item_is_told_without_using_it() {
    let (_server, client, key) = client(Protocol::Meta, "facts").await;
    assert_eq!(client.inspect(&key).await.unwrap(), None);
    let cas = client.set_with(&key, "value", StoreOptions::ttl(MINUTE)).await.unwrap();
    for _ in 0..2 {
        let facts =
            client.get_with(&key, GetOptions::default().no_bump().facts()).await.unwrap().unwrap().facts.unwrap();
        assert!(!facts.hit_before && facts.remaining.is_some_and(|left| left <= MINUTE));
    }
    client.get(&key).await.unwrap();
    let inspected = client.inspect(&key).await.unwrap().unwrap();
    assert!(inspected.cas == cas && inspected.facts.hit_before && inspected.facts.size > 5);
    assert!(inspected.facts.remaining.is_some_and(|left| left <= MINUTE));
}

#[tokio::test]
async fn a_value_older_than_the_item_is_stored_as_a_stale_one_where_that_is_wanted() {
    let (_server, client, key) = client(Protocol::Meta, "older").await;
    let old = client.set(&key, "old").await.unwrap();
    client.set(&key, "newer").await.unwrap();
    let late = StoreOptions::default().cas(old);
    assert_eq!(client.set_with(&key, "late", late).await.unwrap_err().kind(), ErrorKind::Conflict);
    client.set_with(&key, "late", late.invalidate_older()).await.unwrap();
    let hit = client.get_with(&key, GetOptions::default()).await.unwrap().unwrap();
    assert!(hit.item.value == "late" && hit.stale && hit.won);
}

#[tokio::test]
async fn what_newer_servers_know_can_be_said() {
    let (_server, client) = start().await;
    let cas = client.set_with("key", "value", StoreOptions::default().new_cas(Cas::new(1 << 40))).await.unwrap();
    assert_eq!(cas, Cas::new(1 << 40));
    let made = StoreOptions::default().vivify(MINUTE);
    assert!(client.append_with("list", "a", made).await.unwrap().is_some());
    assert!(client.prepend_with("list", "b", made).await.unwrap().is_some());
    assert_eq!(client.get_as::<String>("list").await.unwrap().as_deref(), Some("ba"));
    let emptied = InvalidateOptions::default().new_cas(Cas::new(1 << 41)).remove_value();
    assert!(client.invalidate_with("key", emptied).await.unwrap());
    let hit = client.get_with("key", GetOptions::default()).await.unwrap().unwrap();
    assert!(hit.is_placeholder() && hit.stale && hit.won && hit.item.cas == Cas::new(1 << 41));
}

#[tokio::test]
async fn other_protocols_say_so_before_anything_is_sent() {
    for protocol in [Protocol::Binary, Protocol::Text] {
        let (_server, client, _) = client(protocol, "unsupported").await;
        let beyond = [
            StoreOptions::default().new_cas(Cas::new(1)),
            StoreOptions::default().invalidate_older(),
            StoreOptions::default().vivify(MINUTE),
        ];
        let mut errors = vec![
            client.get_with("key", GetOptions::default()).await.unwrap_err(),
            client.invalidate("key", MINUTE).await.unwrap_err(),
            client.inspect("key").await.unwrap_err(),
        ];
        for options in beyond {
            errors.push(client.set_with("key", "value", options).await.unwrap_err());
            errors.push(client.append_with("key", "value", options).await.unwrap_err());
        }
        for error in errors {
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unsupported, Outcome::NotApplied), "{error}");
            assert!(error.to_string().contains("protocol=meta"), "{error}");
        }
        assert_eq!(client.net_stats().connections_opened, 0);
    }
}
