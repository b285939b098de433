//! Clients that crash between two phases, as a test has them do.

use std::time::Duration;

use charioteer_proto::tikv::kvrpcpb::*;
use charioteer_proto::tikv::rpc;
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::super::support::{Client, Ended};
use super::support::{Txns, keys, lock_request, placed, put};

#[tokio::test]
async fn a_client_crashes_before_or_behind_a_phase_and_what_it_left_is_seen() {
    let server = TestServer::start().await;
    let tikv = server.tikv();
    let mut pd = Client::connect(server.addresses().tikv_pd.unwrap()).await;
    let mut store = Client::connect(tikv.stores()[0]).await;
    let unheard = tikv.inject(Fault::new(Action::CutReply).on(Call::KvPrewrite).times(1));
    let crash = tikv.inject(Fault::new(Action::Cut).after(Call::KvPrewrite));
    let prewrite = placed(&mut pd, Txns::prewrite(5, vec![put("a", "1")])).await;
    assert_eq!(store.call::<rpc::KvPrewrite>(&prewrite).await.unwrap_err(), Ended::Gone);
    let mut store = Client::connect(tikv.stores()[0]).await;
    let commit = CommitRequest { start_version: 5, commit_version: 6, keys: keys(["a"]), ..Default::default() };
    let commit = CommitRequest { context: prewrite.context.clone(), ..commit };
    assert_eq!(store.call::<rpc::KvCommit>(&commit).await.unwrap_err(), Ended::Gone);
    assert_eq!((unheard.hits(), crash.hits()), (1, 1));
    let locks = tikv.locks().await.unwrap();
    assert_eq!((locks.len(), &locks[0].key[..], locks[0].start_ts, locks[0].is_pessimistic), (1, &b"a"[..], 5, false));
    crash.remove();
    let crash = tikv.inject(Fault::new(Action::Cut).from(Call::KvCommit));
    let mut store = Client::connect(tikv.stores()[0]).await;
    let beat = TxnHeartBeatRequest { primary_lock: "a".into(), start_version: 5, ..Default::default() };
    let beat = TxnHeartBeatRequest { context: prewrite.context, ..beat };
    assert_eq!(store.call::<rpc::KvTxnHeartBeat>(&beat).await.unwrap().lock_ttl, 3_000);
    assert_eq!(store.call::<rpc::KvCommit>(&commit).await.unwrap_err(), Ended::Gone);
    assert_eq!(tikv.locks().await.unwrap(), locks);
    crash.remove();
    let mut store = Client::connect(tikv.stores()[0]).await;
    assert_eq!(store.call::<rpc::KvCommit>(&commit).await.unwrap().commit_version, 6);
    assert_eq!(tikv.locks().await.unwrap(), []);
}

#[tokio::test]
async fn those_who_wait_for_locks_are_counted() {
    let server = TestServer::start().await;
    let tikv = server.tikv();
    let mut pd = Client::connect(server.addresses().tikv_pd.unwrap()).await;
    let mut store = Client::connect(tikv.stores()[0]).await;
    let lock = placed(&mut pd, lock_request(5, ["a"])).await;
    assert_eq!(store.call::<rpc::KvPessimisticLock>(&lock).await.unwrap(), Default::default());
    assert_eq!(tikv.lock_waits().unwrap(), 0);
    let waiting = PessimisticLockRequest { start_version: 6, for_update_ts: 6, ..lock };
    let mut other = Client::connect(tikv.stores()[0]).await;
    let waits = tokio::spawn(async move { other.call::<rpc::KvPessimisticLock>(&waiting).await });
    while tikv.lock_waits().unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    waits.abort();
}
