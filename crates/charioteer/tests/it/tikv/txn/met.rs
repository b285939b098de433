//! Locks of transactions under way, met by others.

use std::time::Duration;

use charioteer::ErrorKind;
use charioteer::tikv::{SnapshotOptions, Timestamp, TxnClient, TxnError};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{Way, all_newest, another, listed, locks, no_locks, put, split_at, text, why, write};
use crate::tikv::support::{LONG, options};

/// A client that has vanished when it had committed its primary, `a`, and not yet `n` and `z`.
async fn half_committed(server: &TestServer) {
    let crashing = another(server);
    let lost = server.tikv().inject(Fault::new(Action::Drop).on(Call::KvCommit).keys_in("c", ""));
    let mut txn = crashing.begin_with(&Way::TwoPhases.options()).await.unwrap();
    write(&mut txn, &[("a", "new"), ("n", "new"), ("z", "new")]).await.unwrap();
    txn.commit().await.unwrap();
    lost.hit(2).await;
    crashing.close();
}

async fn old(client: &TxnClient) {
    put(client, &[("a", "old"), ("n", "old"), ("z", "old")]).await;
}

#[tokio::test]
async fn a_lock_of_what_was_committed_is_read_through_at_once_and_done_away_with() {
    let (server, client) = split_at(&["m", "x"]).await;
    old(&client).await;
    let before = client.timestamp().await.unwrap();
    half_committed(&server).await;
    assert_eq!(locks(&client).await, 2);
    let snapshot = client.snapshot().await.unwrap();
    assert_eq!(snapshot.get("z").await.unwrap().map(text).as_deref(), Some("new"));
    assert_eq!(listed(snapshot.scan("", "").unwrap()).await, "a=new n=new z=new");
    let before = client.snapshot_at(before, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(listed(before.reverse_scan("", "").unwrap()).await, "z=old n=old a=old");
    // What it has read through it has not met.
    assert_eq!(all_newest(&client, &["n"]).await, "new");
    no_locks(&server, &client).await;
    assert_eq!(all_newest(&client, &["a", "n", "z"]).await, "new new new");
}

#[tokio::test]
async fn a_write_does_away_with_the_lock_of_what_was_committed() {
    for way in [Way::TwoPhases.options(), Way::OnePhase.options(), Way::TwoPhases.pessimistic()] {
        let (server, client) = split_at(&["m", "x"]).await;
        old(&client).await;
        half_committed(&server).await;
        let mut txn = client.begin_with(&way).await.unwrap();
        txn.put("z", "newer").await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(all_newest(&client, &["a", "n", "z"]).await, "new new newer");
    }
}

#[tokio::test]
async fn a_lock_of_what_was_committed_that_others_have_done_away_with_and_collected_is_no_error() {
    let (server, client) = split_at(&["m", "x"]).await;
    half_committed(&server).await;
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::KvResolveLock).times(1));
    let mut txn = client.begin_with(&Way::TwoPhases.options()).await.unwrap();
    txn.put("z", "newer").await.unwrap();
    let committing = tokio::spawn(txn.commit());
    held.hit(1).await;
    client.unsafe_destroy_range("z", "z~").await.unwrap();
    held.release();
    committing.await.unwrap().unwrap().unwrap();
    assert_eq!(all_newest(&client, &["a", "n", "z"]).await, "new new newer");
}

#[tokio::test]
async fn a_read_passes_by_a_transaction_under_way_which_is_then_committed_after_it() {
    let (server, client) = split_at(&["m", "x"]).await;
    old(&client).await;
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::KvCommit));
    let mut txn = client.begin_with(&Way::TwoPhases.options()).await.unwrap();
    write(&mut txn, &[("a", "new"), ("z", "new")]).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    held.hit(1).await;
    let reader = another(&server);
    let snapshot = reader.snapshot().await.unwrap();
    let found = snapshot.batch_get(["z", "a"]).await.unwrap();
    assert!(found.into_iter().all(|value| value.unwrap() == "old"));
    assert_eq!(listed(snapshot.scan("", "").unwrap()).await, "a=old n=old z=old");
    held.release();
    let commit_ts = committing.await.unwrap().unwrap().unwrap();
    assert!(commit_ts > snapshot.at());
    assert_eq!(snapshot.get("a").await.unwrap().unwrap(), "old");
    assert_eq!(all_newest(&reader, &["a", "n", "z"]).await, "new old new");
}

#[tokio::test]
async fn a_read_waits_for_a_transaction_that_may_be_committed_before_it() {
    let (server, client) = split_at(&["m", "x"]).await;
    old(&client).await;
    // One key is locked, and nobody knows yet about the other.
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::KvPrewrite).key("z"));
    let mut txn = client.begin_with(&Way::Async.options()).await.unwrap();
    write(&mut txn, &[("a", "new"), ("z", "new")]).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    held.hit(1).await;
    while locks(&client).await == 0 {
        tokio::task::yield_now().await;
    }
    let reader = another(&server);
    let snapshot = reader.snapshot().await.unwrap();
    let reading = tokio::spawn({
        let snapshot = snapshot.clone();
        async move { snapshot.batch_get(["a", "z"]).await }
    });
    let asked = server.tikv().requests(Call::KvBatchGet) + server.tikv().requests(Call::KvGet);
    tokio::time::sleep(Duration::from_millis(20)).await;
    held.release();
    let commit_ts = committing.await.unwrap().unwrap().unwrap();
    let found: Vec<_> = reading.await.unwrap().unwrap().into_iter().map(|value| text(value.unwrap())).collect();
    let expected = if commit_ts <= snapshot.at() { "new" } else { "old" };
    assert_eq!(found, [expected, expected], "{asked}");
}

#[tokio::test]
async fn a_read_that_is_blocked_until_its_end_says_by_what() {
    let (server, client) = split_at(&["m", "x"]).await;
    old(&client).await;
    let _held = server.tikv().inject(Fault::new(Action::Hold).on(Call::KvPrewrite).key("z"));
    let mut txn = client.begin_with(&Way::Async.options()).await.unwrap();
    let start_ts = txn.start_ts();
    write(&mut txn, &[("a", "new"), ("z", "new")]).await.unwrap();
    let _committing = tokio::spawn(txn.commit());
    while locks(&client).await == 0 {
        tokio::task::yield_now().await;
    }
    let now = client.timestamp().await.unwrap();
    let reading = another(&server);
    let mut patience = Duration::from_secs(1);
    let error = loop {
        let mut options = SnapshotOptions::default();
        options.timeout = Some(patience);
        let snapshot = reading.snapshot_at(now, &options).await.unwrap();
        let error = snapshot.get("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        // On a busy machine a second may be over before it has been tried twice.
        if error.attempts() > 1 || patience > LONG {
            break error;
        }
        patience *= 4;
    };
    assert!(error.is_retryable() && error.attempts() > 1);
    let TxnError::Locked(lock) = why(&error) else { panic!("{error:?}") };
    assert_eq!((&lock.key[..], &lock.primary[..], lock.start_ts), (&b"a"[..], &b"a"[..], start_ts));
    assert!(lock.is_async_commit);
}

#[tokio::test]
async fn the_newest_is_read_without_a_timestamp_though_it_is_locked() {
    let (server, client) = split_at(&["m", "x"]).await;
    old(&client).await;
    half_committed(&server).await;
    let newest = another(&server).snapshot_at(Timestamp::MAX, &SnapshotOptions::default()).await.unwrap();
    assert_eq!(newest.get("z").await.unwrap().map(text).as_deref(), Some("new"));
}

#[tokio::test]
async fn what_has_become_of_a_transaction_is_asked_for_once() {
    let (server, client) = split_at(&["m", "x"]).await;
    old(&client).await;
    half_committed(&server).await;
    let asked = server.tikv().requests(Call::KvCheckTxnStatus);
    let reader = another(&server);
    for key in ["z", "n"] {
        assert_eq!(all_newest(&reader, &[key]).await, "new");
    }
    assert_eq!(server.tikv().requests(Call::KvCheckTxnStatus), asked + 1);
}

#[tokio::test]
async fn a_large_transaction_is_done_away_with_by_regions() {
    let (server, client) = split_at(&["k 0700", "k 1400"]).await;
    let crashing = another(&server);
    let lost = server.tikv().inject(Fault::new(Action::Drop).on(Call::KvCommit));
    let mut txn = crashing.begin_with(&Way::TwoPhases.options()).await.unwrap();
    txn.batch_put((0..2100).map(|number| (format!("k {number:04}"), "v"))).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    lost.hit(1).await;
    crashing.close();
    let _ = committing.await.unwrap();
    drop(lost);
    assert_eq!(locks(&client).await, 2100);
    server.clock().advance(Duration::from_secs(60));
    let resolved = server.tikv().requests(Call::KvResolveLock);
    assert_eq!(listed(client.snapshot().await.unwrap().scan("", "").unwrap()).await, "");
    for key in ["k 0000", "k 0700", "k 1400"] {
        assert_eq!(all_newest(&client, &[key]).await, "-");
    }
    no_locks(&server, &client).await;
    let resolved = server.tikv().requests(Call::KvResolveLock) - resolved;
    assert!(resolved < 20, "{resolved} requests for 2100 locks");
}

#[tokio::test]
async fn what_one_read_of_the_newest_has_learnt_is_not_known_to_those_that_begin_later() {
    let (server, client) = split_at(&["m"]).await;
    old(&client).await;
    let mut patient = options(&server);
    patient.attempt_timeout = LONG;
    let [writer, reader] = [(); 2].map(|()| TxnClient::new(patient.clone()).unwrap().with_timeout(LONG));
    let tikv = server.tikv();
    let committing = tikv.inject(Fault::new(Action::Hold).on(Call::KvCommit).key("a").times(1));
    let _lost = tikv.inject(Fault::new(Action::Drop).on(Call::KvCommit).key("z"));
    let mut txn = writer.begin_with(&Way::TwoPhases.options()).await.unwrap();
    write(&mut txn, &[("a", "new"), ("z", "new")]).await.unwrap();
    let committed = tokio::spawn(txn.commit());
    committing.hit(1).await;

    let newest = reader.snapshot_at(Timestamp::MAX, &SnapshotOptions::default()).await.unwrap();
    let learning = tikv.inject(Fault::new(Action::HoldReply).on(Call::KvCheckTxnStatus).times(1));
    let first = tokio::spawn({
        let newest = newest.clone();
        async move { newest.get("z").await }
    });
    learning.hit(1).await;
    committing.release();
    committed.await.unwrap().unwrap();
    // The next one has begun when the first learns that it need not wait, which was so before.
    let asked = tikv.requests(Call::KvGet);
    let beginning = tikv.inject(Fault::new(Action::Hold).on(Call::GetGcState));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    let second = tokio::spawn(async move { newest.get("z").await });
    beginning.hit(1).await;
    learning.release();
    tikv.arrived(Call::KvGet, asked + 1).await;
    beginning.release();
    assert_eq!(second.await.unwrap().unwrap().map(text).as_deref(), Some("new"));
    assert!(first.await.unwrap().unwrap().is_some());
}
