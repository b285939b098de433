//! A server and a client of it.

use std::time::Duration;

use bytes::Bytes;
use charioteer::pegasus::{Client, Entries, Options, Table};
use charioteer_server::testing::{Builder, TestServer};

/// A time that no test comes to the end of.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// The table `temp` of a server that has nothing else. The server lives as long as what is given first.
pub(super) async fn temp() -> (TestServer, Table) {
    let server = TestServer::start().await;
    let table = open(&server).await;
    (server, table)
}

/// The table `temp` of a server that is more than one port.
pub(super) async fn temp_of(builder: Builder) -> (TestServer, Table) {
    let server = builder.start().await.unwrap();
    let table = open(&server).await;
    (server, table)
}

/// The table `temp` of a server.
pub(super) async fn open(server: &TestServer) -> Table {
    connect(server).await.open_table("temp").await.unwrap()
}

/// A client of a server.
pub(super) async fn connect(server: &TestServer) -> Client {
    let client = Client::new(options(server)).unwrap();
    client.admin().cluster_info().await.unwrap();
    client
}

/// The options that lead to a server, for calls that end in time on a busy machine too.
pub(super) fn options(server: &TestServer) -> Options {
    let mut options = Options::from_url(&server.pegasus_url()).unwrap();
    options.operation_timeout = LONG;
    options
}

/// Hash keys of which each is in a partition of its own, in the partitions' order, where there are eight.
pub(super) fn one_hash_key_of_each_partition(server: &TestServer) -> Vec<String> {
    let of = |partition| {
        let mut keys = (0..).map(|number| format!("key {number}"));
        keys.find(|key| server.pegasus().partition_of("temp", key).unwrap() == partition).unwrap()
    };
    (0..8).map(of).collect()
}

/// The sort keys of what was found.
pub(super) fn sort_keys(found: &Entries) -> Vec<&[u8]> {
    found.entries.iter().map(|entry| &entry.sort_key[..]).collect()
}

/// The same as text, one after the other.
pub(super) fn listed(found: &Entries) -> String {
    let keys: Vec<_> = sort_keys(found).into_iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
    keys.join(" ")
}

/// Sets so many rows of a hash key, with the sort keys `0000`, `0001` and so on, and values that say the same.
pub(super) async fn fill(table: &Table, hash_key: &str, rows: std::ops::Range<usize>) {
    let rows: Vec<_> = rows.map(|row| (format!("{row:04}"), Bytes::from(format!("value {row}")))).collect();
    for some in rows.chunks(2000) {
        table.multi_set(hash_key, some.iter().cloned()).await.unwrap();
    }
}
