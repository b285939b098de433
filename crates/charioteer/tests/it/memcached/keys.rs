//! What servers see of callers' keys.

use charioteer::ErrorKind;
use charioteer::memcached::{Client, Options, Protocol, Ttl};
use charioteer_server::testing::TestServer;

use super::support::{in_each_protocol, patient_in};

in_each_protocol! {
    every_call_puts_the_prefix_before_the_key_and_hands_none_back,
    statistics_have_no_prefix,
    a_long_key_is_refused_or_hashed_as_the_options_say,
}

fn client(protocol: Protocol, server: &TestServer, query: &str) -> Client {
    patient_in(protocol, &format!("{}?{query}", server.memcached_url()))
}

async fn every_call_puts_the_prefix_before_the_key_and_hands_none_back(protocol: Protocol) {
    let server = TestServer::start().await;
    let (plain, ours) = (client(protocol, &server, ""), client(protocol, &server, "key_prefix=app%3A"));
    ours.set("set", "1").await.unwrap();
    ours.add("add", "1").await.unwrap().unwrap();
    ours.replace("set", "2").await.unwrap().unwrap();
    ours.append("set", "3").await.unwrap().unwrap();
    ours.increment("set", 1).await.unwrap().unwrap();
    assert_eq!(ours.counter("set").await.unwrap().unwrap().value, 24);
    assert!(ours.touch("set", Ttl::Never).await.unwrap());
    assert!(ours.get_and_touch("set", Ttl::Never).await.unwrap().is_some());
    assert!(ours.set_many([("many", "1")], Ttl::Never).await[0].is_ok());
    let found = ours.get_many(["many", "none", "set"]).await;
    assert_eq!(found.iter().map(|item| item.as_ref().unwrap().is_some()).collect::<Vec<_>>(), [true, false, true]);

    assert!(plain.get_many(["set", "add", "many"]).await.iter().all(|item| item.as_ref().unwrap().is_none()));
    for key in ["app:set", "app:add", "app:many"] {
        assert!(plain.get(key).await.unwrap().is_some(), "{key}");
    }
    assert!(ours.delete("set").await.unwrap());
    assert!(ours.delete_many(["many"]).await.remove(0).unwrap());
    assert!(plain.get("app:set").await.unwrap().is_none());
}

async fn statistics_have_no_prefix(protocol: Protocol) {
    let server = TestServer::start().await;
    let ours = client(protocol, &server, "key_prefix=app%3A");
    assert!(ours.stats("settings").await.unwrap().remove(0).reply.is_ok());
}

async fn a_long_key_is_refused_or_hashed_as_the_options_say(protocol: Protocol) {
    let server = TestServer::start().await;
    let (refusing, hashing) = (client(protocol, &server, ""), client(protocol, &server, "long_keys=hash"));
    let long = "k".repeat(10_000);
    assert_eq!(refusing.set(&long, "1").await.unwrap_err().kind(), ErrorKind::TooLarge);
    hashing.set(&long, "1").await.unwrap();
    hashing.set(format!("{long}k"), "2").await.unwrap();
    let found = hashing.get_many([&long]).await.remove(0).unwrap().unwrap();
    assert_eq!(&found.value[..], b"1");
}

#[test]
fn a_prefix_moves_a_key_to_another_server_only_when_told() {
    let servers: Vec<String> = (1..=16).map(|number| format!("cache-{number}")).collect();
    let place = |prefix: &str, places: bool, key: &str| {
        let mut options = Options::new(&servers).unwrap();
        options.key_prefix = prefix.into();
        options.prefix_places = places;
        Client::new(options).unwrap().server_of(key).unwrap()
    };
    let keys: Vec<String> = (0..50).map(|number| format!("key-{number}")).collect();
    let all = |prefix, places| keys.iter().map(|key| place(prefix, places, key)).collect::<Vec<_>>();
    assert_eq!(all("", false), all("app:", false));
    assert_ne!(all("", false), all("app:", true));
    let whole: Vec<String> = keys.iter().map(|key| place("", false, &format!("app:{key}"))).collect();
    assert_eq!(all("app:", true), whole);
}
