//! Servers and clients of them.

use std::time::Duration;

use charioteer::memcached::{Client, Options};
use charioteer_server::testing::TestServer;

use super::fake::Fake;

/// A time that no test comes to the end of.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// The variable that names a memcached, on which tests of what servers do run instead of on one of their own.
const REAL: &str = "CHARIOTEER_TEST_MEMCACHED";

/// A client of a server, which lives as long as what is given first, and a beginning of keys that are this test's own.
pub(super) async fn client(test: &str) -> (TestServer, Client, String) {
    let server = TestServer::start().await;
    let client = match std::env::var(REAL) {
        Ok(url) => Client::from_url(&url).unwrap(),
        Err(_) => patient(&server.memcached_url()),
    };
    (server, client, format!("{test} {:?} ", std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap()))
}

/// A client that waits longer than any test takes.
pub(super) fn patient(url: &str) -> Client {
    let mut options = Options::from_url(url).unwrap();
    options.operation_timeout = LONG;
    options.connect_timeout = LONG;
    Client::new(options).unwrap()
}

/// The URL of several servers.
pub(super) fn url_of(servers: &[Fake]) -> String {
    let addresses: Vec<_> = servers.iter().map(|server| server.address.to_string()).collect();
    format!("memcached://{}", addresses.join(","))
}

/// Keys of which each is on another server, in the order of the client's servers.
pub(super) fn one_key_of_each(client: &Client) -> Vec<String> {
    let of = |server| {
        let mut keys = (0..).map(|number| format!("key {number}"));
        keys.find(|key| client.server_of(key).unwrap() == server).unwrap()
    };
    client.servers().into_iter().map(of).collect()
}
