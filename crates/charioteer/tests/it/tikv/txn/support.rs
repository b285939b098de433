//! A server, and clients of it that make transactions.

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::{Locking, Transaction, TxnClient, TxnError, TxnOptions, TxnScanner};
use charioteer_proto::tikv::key::{Layout, Mode};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::Call;

use crate::tikv::support::options;

/// A server of one store and one region, and a client of it.
pub(super) async fn txn() -> (TestServer, TxnClient) {
    split_at(&[]).await
}

/// A server of three stores on which regions begin at these keys, and a client of it.
pub(super) async fn split_at(keys: &[&str]) -> (TestServer, TxnClient) {
    let stores = if keys.is_empty() { 1 } else { 3 };
    let builder = TestServer::builder().tikv_stores(stores).tikv(|tikv| tikv.regions = 1);
    let server = builder.start().await.unwrap();
    server.tikv().split(keys.iter().map(|key| pd_key(key))).await.unwrap();
    let client = another(&server);
    (server, client)
}

/// A client that has nothing in common with others.
pub(super) fn another(server: &TestServer) -> TxnClient {
    TxnClient::new(options(server)).unwrap()
}

/// A key as PD has it.
pub(super) fn pd_key(key: &str) -> Bytes {
    Layout::V1(Mode::Txn).pd_key(&Bytes::copy_from_slice(key.as_bytes()))
}

/// Every way a transaction can be committed.
pub(super) const WAYS: [Way; 3] = [Way::TwoPhases, Way::Async, Way::OnePhase];

/// A way a transaction can be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    TwoPhases,
    Async,
    OnePhase,
}

impl Way {
    pub(super) fn options(self) -> TxnOptions {
        let mut options = TxnOptions::default();
        options.one_phase = self == Self::OnePhase;
        options.async_commit = self == Self::Async;
        options
    }

    pub(super) fn pessimistic(self) -> TxnOptions {
        let mut options = self.options();
        options.locking = Locking::Pessimistic;
        options
    }
}

/// Puts these pairs in one transaction.
pub(super) async fn put(client: &TxnClient, pairs: &[(&str, &str)]) {
    let mut txn = client.begin().await.unwrap();
    write(&mut txn, pairs).await.unwrap();
    txn.commit().await.unwrap();
}

/// Has a transaction put these pairs.
pub(super) async fn write(txn: &mut Transaction, pairs: &[(&str, &str)]) -> Result<(), Error> {
    txn.batch_put(pairs.iter().map(|(key, value)| (*key, value.to_string()))).await
}

/// The newest value of a key.
pub(super) async fn newest(client: &TxnClient, key: &str) -> Option<String> {
    client.snapshot().await.unwrap().get(key).await.unwrap().map(text)
}

/// The newest values of keys, one after the other; `-` where there is none.
pub(super) async fn all_newest(client: &TxnClient, keys: &[&str]) -> String {
    let values = client.snapshot().await.unwrap().batch_get(keys).await.unwrap();
    values.into_iter().map(|value| value.map_or_else(|| "-".to_owned(), text)).collect::<Vec<_>>().join(" ")
}

pub(super) fn text(bytes: Bytes) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// All that is left of a scan, as `key=value`.
pub(super) async fn listed(mut scanner: TxnScanner) -> String {
    let mut rows = Vec::new();
    while let Some(row) = scanner.next().await.unwrap() {
        rows.push(format!("{}={}", text(row.key), text(row.value)));
    }
    rows.join(" ")
}

/// How many locks there are.
pub(super) async fn locks(client: &TxnClient) -> usize {
    let now = client.timestamp().await.unwrap();
    client.scan_locks("", "", now, 100_000).await.unwrap().len()
}

/// Waits until there are no locks any more.
pub(super) async fn no_locks(server: &TestServer, client: &TxnClient) {
    while locks(client).await > 0 {
        let scanned = server.tikv().requests(Call::KvScanLock);
        // Whatever else is asked of the server may have done away with one.
        server.tikv().until(|seen| seen.requests(Call::KvScanLock) >= scanned).await;
        tokio::task::yield_now().await;
    }
}

/// What an error says of a transaction.
#[track_caller]
pub(super) fn why(error: &Error) -> TxnError {
    TxnError::of(error).unwrap_or_else(|| panic!("{error:?}")).clone()
}
