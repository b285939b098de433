//! Items that end, by a clock that is moved.

use std::time::{Duration, SystemTime};

use charioteer::memcached::{Client, CountOptions, Protocol, StoreOptions, Ttl};
use charioteer_server::testing::TestServer;

use super::support::{in_each_protocol, patient_in};

in_each_protocol! {
    items_are_kept_as_long_as_they_are_said_to_be,
    what_is_touched_is_kept_from_then_on_and_counters_keep_what_they_began_with,
    a_flush_with_a_delay_takes_what_is_there_when_it_has_passed,
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn start(protocol: Protocol) -> (TestServer, Client) {
    let server = TestServer::start().await;
    let client = patient_in(protocol, &server.memcached_url());
    (server, client)
}

async fn items_are_kept_as_long_as_they_are_said_to_be(protocol: Protocol) {
    let (server, client) = start(protocol).await;
    client.set_with("minute", "value", StoreOptions::ttl(MINUTE)).await.unwrap();
    client.set_with("days", "value", StoreOptions::ttl(40 * DAY)).await.unwrap();
    client.set_with("moment", "value", StoreOptions::ttl(Ttl::At(SystemTime::now() + 50 * DAY))).await.unwrap();
    client.set("ever", "value").await.unwrap();
    let keys = ["minute", "days", "moment", "ever"];
    for (later, kept) in [
        (MINUTE / 2, [true, true, true, true]),
        (MINUTE, [false, true, true, true]),
        (39 * DAY, [false, true, true, true]),
        (2 * DAY, [false, false, true, true]),
        (10 * DAY, [false, false, false, true]),
    ] {
        server.clock().advance(later);
        let found = client.get_many(keys).await;
        assert_eq!(found.iter().map(|item| item.as_ref().unwrap().is_some()).collect::<Vec<_>>(), kept);
    }
}

async fn what_is_touched_is_kept_from_then_on_and_counters_keep_what_they_began_with(protocol: Protocol) {
    let (server, client) = start(protocol).await;
    for key in ["touched", "got", "left"] {
        client.set_with(key, "value", StoreOptions::ttl(MINUTE)).await.unwrap();
    }
    client.increment_with("counter", 1, CountOptions::initial(1).ttl(MINUTE)).await.unwrap();
    server.clock().advance(MINUTE / 2);
    assert!(client.touch("touched", 2 * MINUTE).await.unwrap());
    assert!(client.get_and_touch("got", Ttl::Never).await.unwrap().is_some());
    client.increment_with("counter", 1, CountOptions::initial(1).ttl(10 * MINUTE)).await.unwrap();
    server.clock().advance(MINUTE);
    let found = client.get_many(["touched", "got", "left", "counter"]).await;
    assert_eq!(
        found.iter().map(|item| item.as_ref().unwrap().is_some()).collect::<Vec<_>>(),
        [true, true, false, false]
    );
}

async fn a_flush_with_a_delay_takes_what_is_there_when_it_has_passed(protocol: Protocol) {
    let (server, client) = start(protocol).await;
    client.set("before", "value").await.unwrap();
    client.flush_all_after(MINUTE).await.unwrap();
    client.set("meanwhile", "value").await.unwrap();
    server.clock().advance(MINUTE / 2);
    assert!(client.get("before").await.unwrap().is_some());
    server.clock().advance(MINUTE);
    assert!(client.get_many(["before", "meanwhile"]).await.iter().all(|item| item.as_ref().unwrap().is_none()));
    client.set("after", "value").await.unwrap();
    assert!(client.get("after").await.unwrap().is_some());
}
