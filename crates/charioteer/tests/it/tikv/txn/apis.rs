//! API versions and keyspaces.

use charioteer::ErrorKind;
use charioteer::tikv::{ApiVersion, TxnClient, TxnError};
use charioteer_proto::tikv::key::{KeyspaceId, Layout, Mode};
use charioteer_server::TikvApi;
use charioteer_server::testing::TestServer;

use super::support::{WAYS, all_newest, listed, put, why, write};
use crate::tikv::support::options;

async fn v2() -> (TestServer, TxnClient) {
    let server = TestServer::builder().tikv_stores(2).tikv(|tikv| tikv.api = TikvApi::V2).start().await.unwrap();
    let layout = Layout::V2(Mode::Txn, KeyspaceId::DEFAULT);
    server.tikv().split([layout.pd_key(&layout.wire_key(b"m"))]).await.unwrap();
    let mut options = options(&server);
    options.api = ApiVersion::V2;
    (server, TxnClient::new(options).unwrap())
}

#[tokio::test]
async fn transactions_of_version_2_are_as_those_of_version_1() {
    let (_server, client) = v2().await;
    for way in WAYS {
        for options in [way.options(), way.pessimistic()] {
            let mut txn = client.begin_with(&options).await.unwrap();
            write(&mut txn, &[("a", "1"), ("b", "2"), ("z", "3")]).await.unwrap();
            assert_eq!(listed(txn.scan("", "").unwrap()).await, "a=1 b=2 z=3");
            txn.commit().await.unwrap();
            assert_eq!(all_newest(&client, &["a", "b", "z", "x"]).await, "1 2 3 -");
            let snapshot = client.snapshot().await.unwrap();
            assert_eq!(listed(snapshot.reverse_scan("", "").unwrap()).await, "z=3 b=2 a=1");
            let mut txn = client.begin_with(&options).await.unwrap();
            txn.batch_delete(["a", "b", "z"]).await.unwrap();
            txn.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn errors_of_version_2_name_keys_as_the_caller_knows_them() {
    let (_server, client) = v2().await;
    put(&client, &[("a", "1")]).await;
    let mut txn = client.begin().await.unwrap();
    txn.insert("a", "2").await.unwrap();
    assert_eq!(why(&txn.commit().await.unwrap_err()), TxnError::AlreadyExists { key: "a".into() });
    let mut txn = client.begin_pessimistic().await.unwrap();
    txn.lock_keys(["z"]).await.unwrap();
    let locks = client.scan_locks("", "", client.timestamp().await.unwrap(), 10).await.unwrap();
    assert_eq!((&locks[0].key[..], &locks[0].primary[..]), (&b"z"[..], &b"z"[..]));
    txn.rollback().await.unwrap();
}

#[tokio::test]
async fn a_client_of_another_version_is_refused() {
    let (server, _) = v2().await;
    let client = TxnClient::new(options(&server)).unwrap();
    let snapshot = client.snapshot().await.unwrap();
    let error = snapshot.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
