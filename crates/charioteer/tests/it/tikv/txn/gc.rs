//! Forgetting the past, and locks that are left over.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::tikv::{GcOptions, SnapshotOptions, Timestamp, TxnClient, TxnError, TxnOptions};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{Way, all_newest, another, locks, newest, put, split_at, text, txn, why, write};
use crate::tikv::support::{LONG, options};

/// As long as clients trust what they know of the safe point.
const TRUSTED: Duration = Duration::from_secs(10);

fn at_once() -> GcOptions {
    let mut options = GcOptions::default();
    options.wait = Duration::ZERO;
    options
}

/// Has so much time gone by at clients.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn what_is_older_than_the_safe_point_is_refused() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let before = client.timestamp().await.unwrap();
    put(&client, &[("a", "2")]).await;
    let now = client.timestamp().await.unwrap();
    assert_eq!(client.gc_with(now, &at_once()).await.unwrap(), now);
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
async fn nothing_is_forgotten_before_others_have_learnt_of_it() {
    let (server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let before = client.timestamp().await.unwrap();
    put(&client, &[("a", "2")]).await;
    let now = client.timestamp().await.unwrap();
    let trusting = another(&server).snapshot_at(before, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(trusting.get("a").await.unwrap().map(text).as_deref(), Some("1"));
    let collecting = tokio::spawn({
        let client = another(&server).with_timeout(LONG);
        async move { client.gc(now).await }
    });
    while client.gc_state().await.unwrap().txn_safe_point < now {}
    pass(TRUSTED / 2).await;
    assert_eq!(trusting.get("a").await.unwrap().map(text).as_deref(), Some("1"));
    for _ in 0..100 {
        // The collection would be done by now.
        assert_eq!(client.gc_state().await.unwrap().gc_safe_point, Timestamp::from(0));
    }
    assert_eq!(server.tikv().requests(Call::KvScanLock), 0);
    pass(TRUSTED / 2).await;
    assert_eq!(collecting.await.unwrap().unwrap(), now);
    assert_eq!(client.gc_state().await.unwrap().gc_safe_point, now);
    assert!(matches!(why(&trusting.get("a").await.unwrap_err()), TxnError::TooOld { .. }));
}

#[tokio::test]
async fn what_was_read_when_the_past_may_have_been_forgotten_already_is_refused() {
    for call in [Call::KvGet, Call::KvBatchGet, Call::KvScan] {
        let (server, client) = txn().await;
        put(&client, &[("a", "1")]).await;
        let before = client.timestamp().await.unwrap();
        put(&client, &[("a", "2")]).await;
        let now = client.timestamp().await.unwrap();
        let mut slow = options(&server);
        slow.attempt_timeout = LONG;
        let slow = TxnClient::new(slow).unwrap().with_timeout(LONG);
        let snapshot = slow.snapshot_at(before, &SnapshotOptions::default()).await.unwrap();
        let held = server.tikv().inject(Fault::new(Action::HoldReply).on(call).times(1));
        let reading = tokio::spawn(async move {
            match call {
                Call::KvGet => snapshot.get("a").await.map(drop),
                Call::KvBatchGet => snapshot.batch_get(["a"]).await.map(drop),
                _ => snapshot.scan("", "").unwrap().next().await.map(drop),
            }
        });
        held.hit(1).await;
        client.gc_with(now, &at_once()).await.unwrap();
        pass(TRUSTED).await;
        held.release();
        assert!(matches!(why(&reading.await.unwrap().unwrap_err()), TxnError::TooOld { .. }), "{call:?}");
    }
}

#[tokio::test]
async fn what_would_forget_more_than_the_past_is_refused_before_anything_is_moved() {
    let (_server, client) = txn().await;
    let now = client.timestamp().await.unwrap();
    for at in [Timestamp::MAX, Timestamp::from(u64::from(now) + (1 << 40))] {
        let error = client.gc_with(at, &at_once()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
    let error = client.clone().with_timeout(TRUSTED).gc(now).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert_eq!(client.gc_state().await.unwrap().txn_safe_point, Timestamp::from(0));
}

#[tokio::test]
async fn the_past_is_kept_for_whoever_holds_it() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let held = client.timestamp().await.unwrap();
    client.hold_gc("backup", held, Some(Duration::from_secs(600))).await.unwrap();
    put(&client, &[("a", "2")]).await;
    let now = client.timestamp().await.unwrap();
    assert_eq!(client.gc_with(now, &at_once()).await.unwrap(), held);
    let snapshot = client.snapshot_at(held, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(snapshot.get("a").await.unwrap().map(text).as_deref(), Some("1"));
    client.release_gc("backup").await.unwrap();
    client.release_gc("backup").await.unwrap();
    assert_eq!(client.gc_with(now, &at_once()).await.unwrap(), now);
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
        client.gc_with(client.timestamp().await.unwrap(), &at_once()).await.unwrap();
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
    let before = Timestamp::from(u64::from(txn.start_ts()) - 1);
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
