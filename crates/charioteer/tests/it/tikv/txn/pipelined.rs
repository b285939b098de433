//! Transactions that are written bit by bit.

use std::time::Duration;

use charioteer::tikv::{PipelinedOptions, PipelinedTransaction, TxnClient, TxnError};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{Way, all_newest, another, listed, locks, newest, no_locks, pd_key, put, split_at, text, why};

/// One that sends whatever it has written as soon as it has written something.
async fn begin(client: &TxnClient) -> PipelinedTransaction {
    let mut options = PipelinedOptions::default();
    options.flush_bytes = 1;
    client.begin_pipelined(&options).await.unwrap()
}

#[tokio::test]
async fn what_was_sent_bit_by_bit_happens_at_once_in_all_regions() {
    let (server, client) = split_at(&["row 3", "row 6"]).await;
    let mut options = PipelinedOptions::default();
    options.flush_bytes = 500;
    let mut txn = client.begin_pipelined(&options).await.unwrap();
    for number in 0..500 {
        txn.put(format!("row {number}"), format!("{number}")).await.unwrap();
    }
    assert!(server.tikv().requests(Call::KvFlush) > 5);
    assert_eq!(listed(client.snapshot().await.unwrap().scan("", "").unwrap()).await, "");
    let commit_ts = txn.commit().await.unwrap().unwrap();
    let snapshot = client.snapshot().await.unwrap();
    assert!(snapshot.at() > commit_ts);
    for number in [0, 1, 250, 499] {
        assert_eq!(snapshot.get(format!("row {number}")).await.unwrap().map(text), Some(number.to_string()));
    }
    client.settled().await;
    assert_eq!(locks(&client).await, 0);
    assert_eq!(client.begin_pipelined(&options).await.unwrap().commit().await.unwrap(), None);
}

#[tokio::test]
async fn it_reads_what_it_has_written_wherever_that_is_and_later_writes_come_after_earlier_ones() {
    let (server, client) = split_at(&["m"]).await;
    put(&client, &[("a", "old"), ("b", "old"), ("z", "old")]).await;
    let mut txn = begin(&client).await;
    txn.put("a", "1").await.unwrap();
    txn.flush().await.unwrap();
    assert_eq!(txn.get("a").await.unwrap().map(text).as_deref(), Some("1"), "at the store");
    assert_eq!(txn.get("b").await.unwrap().map(text).as_deref(), Some("old"), "as of before");
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::KvFlush).times(1));
    txn.put("a", "2").await.unwrap();
    assert_eq!(txn.get("a").await.unwrap().map(text).as_deref(), Some("2"), "on its way");
    held.hit(1).await;
    held.release();
    txn.delete("a").await.unwrap();
    txn.delete("z").await.unwrap();
    txn.flush().await.unwrap();
    assert_eq!((txn.get("a").await.unwrap(), txn.get("z").await.unwrap()), (None, None));
    txn.put("b", "3").await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(all_newest(&client, &["a", "b", "z"]).await, "- 3 -");
    let mut txn = begin(&client).await;
    assert_eq!(txn.put("a", "").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    txn.rollback().await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_one_that_is_rolled_back_or_dropped() {
    for is_dropped in [false, true] {
        let (server, client) = split_at(&["m"]).await;
        let mut txn = begin(&client).await;
        txn.put("a", "1").await.unwrap();
        txn.put("z", "1").await.unwrap();
        txn.put("b", "1").await.unwrap();
        if is_dropped {
            drop(txn)
        } else {
            txn.rollback().await.unwrap()
        }
        client.settled().await;
        assert_eq!(server.tikv().locks().await.unwrap(), []);
        assert_eq!(all_newest(&client, &["a", "b", "z"]).await, "- - -");
    }
}

#[tokio::test]
async fn a_rollback_that_nobody_waits_for_any_more_takes_all_locks_away_all_the_same() {
    let (server, client) = split_at(&["m"]).await;
    let mut txn = begin(&client).await;
    txn.put("a", "1").await.unwrap();
    txn.flush().await.unwrap();
    let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::KvFlush).times(1));
    txn.put("z", "1").await.unwrap();
    held.hit(1).await;
    assert!(tokio::time::timeout(Duration::ZERO, txn.rollback()).await.is_err(), "a part is on its way");
    held.release();
    client.settled().await;
    assert_eq!(server.tikv().locks().await.unwrap(), []);
    assert_eq!(all_newest(&client, &["a", "z"]).await, "- -");
}

#[tokio::test]
async fn one_that_meets_a_later_write_fails_and_can_only_be_rolled_back() {
    let (server, client) = split_at(&["m"]).await;
    let mut txn = begin(&client).await;
    txn.put("a", "1").await.unwrap();
    put(&client, &[("z", "other")]).await;
    txn.put("z", "1").await.unwrap();
    let error = txn.flush().await.unwrap_err();
    assert!(matches!(why(&error), TxnError::WriteConflict(_)), "{error}");
    assert_eq!(error.outcome(), Outcome::NotApplied);
    assert_eq!(txn.put("b", "1").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(txn.get("a").await.unwrap_err().kind(), ErrorKind::InvalidArgument, "what it has written may be gone");
    txn.rollback().await.unwrap();
    assert_eq!(all_newest(&client, &["a", "z"]).await, "- other");
    no_locks(&server, &client).await;
}

#[tokio::test]
async fn an_answer_that_was_lost_and_a_region_that_split_make_no_difference() {
    let (server, client) = split_at(&["m"]).await;
    let _lost = [Call::KvFlush, Call::KvCommit, Call::KvResolveLock]
        .map(|call| server.tikv().inject(Fault::new(Action::CutReply).on(call).times(1)));
    let mut txn = begin(&client).await;
    txn.put("a", "1").await.unwrap();
    txn.put("b", "2").await.unwrap();
    txn.flush().await.unwrap();
    server.tikv().split(["a~", "c"].map(pd_key)).await.unwrap();
    txn.put("d", "3").await.unwrap();
    txn.put("a", "4").await.unwrap();
    txn.commit().await.unwrap().unwrap();
    assert_eq!(all_newest(&client, &["a", "b", "d"]).await, "4 2 3");
    client.settled().await;
    assert_eq!(locks(&client).await, 0);
}

#[tokio::test]
async fn what_a_vanished_client_has_sent_is_done_away_with_by_others_or_finished() {
    for is_committed in [false, true] {
        let (server, client) = split_at(&["m"]).await;
        let crashing = another(&server);
        let lost = server.tikv().inject(Fault::new(Action::Drop).on(Call::KvResolveLock));
        let mut txn = begin(&crashing).await;
        txn.put("a", "1").await.unwrap();
        txn.put("z", "1").await.unwrap();
        txn.flush().await.unwrap();
        if is_committed {
            txn.commit().await.unwrap();
            crashing.close();
        } else {
            crashing.close();
            drop(txn);
        }
        drop(lost);
        server.clock().advance(Duration::from_secs(60));
        let expected = is_committed.then_some("1");
        assert_eq!(newest(&client, "z").await.as_deref(), expected);
        assert_eq!(newest(&client, "a").await.as_deref(), expected);
        no_locks(&server, &client).await;
    }
}

#[tokio::test]
async fn what_had_to_wait_for_others_is_locked_for_as_long_as_the_rest() {
    let (server, client) = split_at(&["m"]).await;
    let tikv = server.tikv();
    let crashing = another(&server);
    let lost = tikv.inject(Fault::new(Action::Drop).on(Call::KvCommit));
    let mut txn = crashing.begin_with(&Way::TwoPhases.options()).await.unwrap();
    txn.put("z", "other").await.unwrap();
    let _committing = tokio::spawn(txn.commit());
    lost.hit(1).await;
    crashing.close();
    let mut txn = client.begin_pipelined(&PipelinedOptions::default()).await.unwrap();
    txn.put("a", "1").await.unwrap();
    txn.put("z", "1").await.unwrap();
    let flushing = tokio::spawn(async move {
        txn.flush().await.unwrap();
        txn
    });
    // One of each region, and then that of the other's lock again and again.
    tikv.arrived(Call::KvFlush, 5).await;
    server.clock().advance(Duration::from_secs(60));
    let txn = flushing.await.unwrap();
    let locks = tikv.locks().await.unwrap();
    assert_eq!(locks.iter().map(|lock| lock.start_ts).collect::<Vec<_>>(), [u64::from(txn.start_ts()); 2]);
    assert!(locks[0].ttl_ms < locks[1].ttl_ms, "{locks:?}");
    txn.rollback().await.unwrap();
}
