//! Forgetting the past, and locks that are left over.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::tikv::{SnapshotOptions, TxnError, TxnOptions};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{Way, all_newest, another, locks, newest, put, split_at, text, txn, why, write};

#[tokio::test]
async fn what_is_older_than_the_safe_point_is_refused() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let before = client.timestamp().await.unwrap();
    put(&client, &[("a", "2")]).await;
    let now = client.timestamp().await.unwrap();
    assert_eq!(client.gc(now).await.unwrap(), now);
    let state = client.gc_state().await.unwrap();
    assert_eq!((state.txn_safe_point, state.gc_safe_point), (now, now));
    let snapshot = client.snapshot_at(before, &SnapshotOptions::default()).await.unwrap();
    let error = snapshot.get("a").await.unwrap_err();
    assert_eq!(why(&error), TxnError::TooOld { at: before, safe_point: now });
    let mut options = TxnOptions::default();
    options.start_ts = Some(before);
    let old = client.begin_with(&options).await.unwrap();
    assert!(matches!(why(&old.get("a").await.unwrap_err()), TxnError::TooOld { .. }));
    let at_it = client.snapshot_at(now, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(at_it.get("a").await.unwrap().map(text).as_deref(), Some("2"));
}

#[tokio::test]
async fn the_past_is_kept_for_whoever_holds_it() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let held = client.timestamp().await.unwrap();
    client.hold_gc("backup", held, Some(Duration::from_secs(600))).await.unwrap();
    put(&client, &[("a", "2")]).await;
    let now = client.timestamp().await.unwrap();
    assert_eq!(client.gc(now).await.unwrap(), held);
    let snapshot = client.snapshot_at(held, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(snapshot.get("a").await.unwrap().map(text).as_deref(), Some("1"));
    client.release_gc("backup").await.unwrap();
    client.release_gc("backup").await.unwrap();
    assert_eq!(client.gc(now).await.unwrap(), now);
}

#[tokio::test]
async fn locks_of_the_past_are_done_away_with_whatever_time_they_have_left() {
    let (server, client) = split_at(&["c", "f"]).await;
    for way in [Way::TwoPhases, Way::Async] {
        let crashing = another(&server);
        let lost = server.tikv().inject(Fault::new(Action::Drop).on(Call::KvCommit));
        let mut txn = crashing.begin_with(&way.options()).await.unwrap();
        write(&mut txn, &[("a", "1"), ("d", "2"), ("g", "3")]).await.unwrap();
        let is_committed = tokio::select! {
            biased;
            committed = txn.commit() => committed.is_ok(),
            _ = lost.hit(1) => false,
        };
        crashing.close();
        drop(lost);
        assert_eq!(is_committed, way == Way::Async);
        assert_eq!(locks(&client).await, 3);
        client.gc(client.timestamp().await.unwrap()).await.unwrap();
        assert_eq!(locks(&client).await, 0);
        let expected = if is_committed { "1 2 3" } else { "- - -" };
        assert_eq!(all_newest(&client, &["a", "d", "g"]).await, expected, "{way:?}");
    }
}

#[tokio::test]
async fn locks_are_listed_in_the_order_of_their_keys_up_to_a_limit() {
    let (_server, client) = split_at(&["c", "f"]).await;
    let mut txn = client.begin_pessimistic().await.unwrap();
    txn.lock_keys(["a", "b", "d", "g", "h"]).await.unwrap();
    let now = client.timestamp().await.unwrap();
    let keys = |locks: Vec<charioteer::tikv::Lock>| locks.into_iter().map(|lock| text(lock.key)).collect::<String>();
    assert_eq!(keys(client.scan_locks("", "", now, 100).await.unwrap()), "abdgh");
    assert_eq!(keys(client.scan_locks("b", "h", now, 100).await.unwrap()), "bdg");
    assert_eq!(keys(client.scan_locks("", "", now, 3).await.unwrap()), "abd");
    let before = charioteer::tikv::Timestamp::from(u64::from(txn.start_ts()) - 1);
    assert_eq!(keys(client.scan_locks("", "", before, 100).await.unwrap()), "");
    assert_eq!(client.resolve_locks("", "", now).await.unwrap(), 5, "their transaction lives");
    txn.rollback().await.unwrap();
    assert_eq!(client.resolve_locks("", "", now).await.unwrap(), 0);
}

#[tokio::test]
async fn ranges_are_deleted_region_by_region_or_on_all_stores_at_once() {
    let (_server, client) = split_at(&["c", "f"]).await;
    let pairs = [("a", "1"), ("b", "1"), ("d", "1"), ("g", "1")];
    put(&client, &pairs).await;
    client.delete_range("b", "g").await.unwrap();
    assert_eq!(all_newest(&client, &["a", "b", "d", "g"]).await, "1 - - 1");
    put(&client, &pairs).await;
    client.unsafe_destroy_range("a", "d").await.unwrap();
    assert_eq!(all_newest(&client, &["a", "b", "d", "g"]).await, "- - 1 1");
    assert_eq!(client.delete_range("b", "a").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    client.unsafe_destroy_range("", "").await.unwrap();
    assert_eq!(newest(&client, "g").await, None);
}
