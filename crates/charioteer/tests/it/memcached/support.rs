//! Servers and clients of them.

use std::time::Duration;

use charioteer::memcached::{Client, Options, Protocol};
use charioteer_server::testing::TestServer;

use super::fake::Fake;

/// A time that no test comes to the end of.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// The variable that names a memcached, on which tests of what servers do run instead of on one of their own.
const REAL: &str = "CHARIOTEER_TEST_MEMCACHED";

/// Runs tests of what a call does in each protocol, since it must do the same in all of them.
macro_rules! in_each_protocol {
    ($($test:ident,)*) => {
        in_each_protocol! { binary Binary: $($test,)* }
        in_each_protocol! { meta Meta: $($test,)* }
        in_each_protocol! { text Text: $($test,)* }
    };
    ($name:ident $protocol:ident: $($test:ident,)*) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(charioteer::memcached::Protocol::$protocol).await;
                }
            )*
        }
    };
}

pub(super) use in_each_protocol;

/// A client of a server, which lives as long as what is given first, and a beginning of keys that are this test's own. It has spaces
/// in it where there can be any.
pub(super) async fn client(protocol: Protocol, test: &str) -> (TestServer, Client, String) {
    let server = TestServer::start().await;
    let url = std::env::var(REAL).unwrap_or_else(|_| server.memcached_url());
    let key = format!("{test} {:?} ", std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let key = if protocol == Protocol::Text { key.replace(' ', "_") } else { key };
    (server, patient_in(protocol, &url), key)
}

/// Two clients of a server, each in its protocol, and a beginning of keys that are this test's own.
pub(super) async fn two_clients(protocols: [Protocol; 2], test: &str) -> (TestServer, [Client; 2], String) {
    let (server, _, key) = client(protocols[0], test).await;
    let url = std::env::var(REAL).unwrap_or_else(|_| server.memcached_url());
    (server, protocols.map(|protocol| patient_in(protocol, &url)), key)
}

/// A client that waits longer than any test takes.
pub(super) fn patient(url: &str) -> Client {
    patient_in(Protocol::Binary, url)
}

/// The same in a protocol.
pub(super) fn patient_in(protocol: Protocol, url: &str) -> Client {
    let mut options = Options::from_url(url).unwrap();
    options.protocol = protocol;
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
