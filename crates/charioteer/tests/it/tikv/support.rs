//! A server and a client of it.

use std::time::Duration;

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::{ApiVersion, Options, RawClient, Row, Scanner};
use charioteer_proto::tikv::key::{KeyspaceId, Layout, Mode};
use charioteer_server::TikvApi;
use charioteer_server::testing::{Builder, TestServer};

/// A time that no test comes to the end of.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// The API versions of a strict cluster, each with what its clients are told.
pub(super) const APIS: [(TikvApi, ApiVersion); 3] =
    [(TikvApi::V1, ApiVersion::V1), (TikvApi::V1Ttl, ApiVersion::V1Ttl), (TikvApi::V2, ApiVersion::V2)];

/// A server of one store and one region, without further words. It lives as long as what is given first.
pub(super) async fn raw() -> (TestServer, RawClient) {
    raw_of(TestServer::builder().tikv(|tikv| tikv.regions = 1)).await
}

/// A server that is more than that.
pub(super) async fn raw_of(builder: Builder) -> (TestServer, RawClient) {
    let server = builder.start().await.unwrap();
    let client = RawClient::new(options(&server)).unwrap();
    (server, client)
}

/// A server of three stores on which regions begin at these keys.
pub(super) async fn split_at(keys: &[&str]) -> (TestServer, RawClient) {
    let (server, client) = raw_of(TestServer::builder().tikv_stores(3).tikv(|tikv| tikv.regions = 1)).await;
    server.tikv().split(keys.iter().map(|key| Bytes::copy_from_slice(key.as_bytes()))).await.unwrap();
    (server, client)
}

/// A strict server of an API version on which regions begin at these keys, and a client of it.
pub(super) async fn strict(served: TikvApi, api: ApiVersion, keys: &[&str]) -> (TestServer, RawClient) {
    let builder = TestServer::builder().tikv_stores(2).tikv(|tikv| tikv.api = served);
    let server = builder.start().await.unwrap();
    server.tikv().split(keys.iter().map(|key| pd_key(api, key))).await.unwrap();
    let mut options = options(&server);
    options.api = api;
    (server, RawClient::new(options).unwrap())
}

/// A key as PD has it.
pub(super) fn pd_key(api: ApiVersion, key: &str) -> Bytes {
    let layout = match api {
        ApiVersion::V2 => Layout::V2(Mode::Raw, KeyspaceId::DEFAULT),
        _ => Layout::V1(Mode::Raw),
    };
    layout.pd_key(&layout.wire_key(key.as_bytes()))
}

/// The options that lead to a server.
pub(super) fn options(server: &TestServer) -> Options {
    let mut options = Options::from_url(&server.tikv_url()).unwrap();
    options.operation_timeout = LONG;
    options
}

/// The key of a number, and its value.
pub(super) fn row(number: usize) -> (String, String) {
    (format!("{number:05}"), format!("value {number}"))
}

/// Puts the rows of these numbers.
pub(super) async fn fill(client: &RawClient, rows: std::ops::Range<usize>) {
    let put = client.batch_put(rows.map(row)).await;
    put.into_iter().collect::<Result<Vec<()>, Error>>().unwrap();
}

/// All that is left of a scan.
pub(super) async fn all(mut scanner: Scanner) -> Vec<Row> {
    let mut rows = Vec::new();
    while let Some(row) = scanner.next().await.unwrap() {
        rows.push(row);
    }
    rows
}

/// The keys of rows, one after the other.
pub(super) fn listed(rows: &[Row]) -> String {
    let keys: Vec<_> = rows.iter().map(|row| String::from_utf8_lossy(&row.key).into_owned()).collect();
    keys.join(" ")
}
