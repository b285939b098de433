//! Transactions that write the same.

use std::time::Duration;

use charioteer::tikv::{ConflictReason, TxnError};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{WAYS, Way, all_newest, another, locks, newest, no_locks, put, split_at, why, write};

#[tokio::test]
async fn of_two_that_write_the_same_key_the_second_to_commit_fails_and_says_why() {
    for way in WAYS {
        let (server, client) = split_at(&["m"]).await;
        let (mut one, mut other) =
            (client.begin_with(&way.options()).await.unwrap(), client.begin_with(&way.options()).await.unwrap());
        let (first, second) = (one.start_ts(), other.start_ts());
        write(&mut one, &[("a", "one"), ("z", "one")]).await.unwrap();
        write(&mut other, &[("b", "other"), ("z", "other")]).await.unwrap();
        let commit_ts = one.commit().await.unwrap().unwrap();
        let error = other.commit().await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied), "{way:?}: {error}");
        let TxnError::WriteConflict(conflict) = why(&error) else { panic!("{error:?}") };
        assert_eq!((&conflict.key[..], conflict.reason), (&b"z"[..], ConflictReason::Optimistic));
        assert_eq!((conflict.start_ts, conflict.conflict_start_ts), (second, first));
        // Its lock may be there yet.
        assert!([u64::from(commit_ts), 0].contains(&conflict.conflict_commit_ts.into()));
        assert_eq!(all_newest(&client, &["a", "b", "z"]).await, "one - one");
        no_locks(&server, &client).await;
    }
}

#[tokio::test]
async fn writes_that_cross_both_succeed_unless_what_was_read_is_locked() {
    let (_server, client) = split_at(&["m"]).await;
    for is_locked in [false, true] {
        put(&client, &[("a", "on"), ("z", "on")]).await;
        let (mut one, mut other) = (client.begin().await.unwrap(), client.begin().await.unwrap());
        for (txn, mine, others) in [(&mut one, "a", "z"), (&mut other, "z", "a")] {
            assert_eq!(txn.get(others).await.unwrap().unwrap(), "on");
            if is_locked {
                txn.lock_keys([others]).await.unwrap();
            }
            txn.put(mine, "off").await.unwrap();
        }
        one.commit().await.unwrap();
        assert_eq!(other.commit().await.is_err(), is_locked);
    }
}

#[tokio::test]
async fn a_write_waits_for_one_that_began_before_and_then_fails_if_that_was_committed() {
    let (_server, client) = split_at(&["m"]).await;
    let mut one = client.begin_with(&Way::TwoPhases.pessimistic()).await.unwrap();
    one.put("a", "one").await.unwrap();
    let mut other = another_begun(&client).await;
    other.put("a", "other").await.unwrap();
    let waiting = tokio::spawn(other.commit());
    tokio::task::yield_now().await;
    one.commit().await.unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(why(&error), TxnError::WriteConflict(_)), "{error}");
    assert_eq!(newest(&client, "a").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_write_waits_for_one_that_began_before_and_then_succeeds_if_that_was_rolled_back() {
    let (_server, client) = split_at(&["m"]).await;
    let mut one = client.begin_with(&Way::TwoPhases.pessimistic()).await.unwrap();
    one.put("a", "one").await.unwrap();
    let mut other = another_begun(&client).await;
    other.put("a", "other").await.unwrap();
    let waiting = tokio::spawn(other.commit());
    tokio::task::yield_now().await;
    one.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(newest(&client, "a").await.as_deref(), Some("other"));
}

async fn another_begun(client: &charioteer::tikv::TxnClient) -> charioteer::tikv::Transaction {
    client.begin_with(&Way::TwoPhases.options()).await.unwrap()
}

#[tokio::test]
async fn clients_that_count_together_lose_nothing() {
    let (server, client) = split_at(&["m"]).await;
    let counting: Vec<_> = (0..4)
        .map(|number| {
            let (client, options) = (another(&server), WAYS[number % 3].options());
            tokio::spawn(async move {
                for _ in 0..10 {
                    let count = client.run(&options, |mut txn| async move {
                        for key in ["a", "z"] {
                            let count = txn.get(key).await?.map_or(0, |count| count.len());
                            txn.put(key, "x".repeat(count + 1)).await?;
                        }
                        Ok((txn, ()))
                    });
                    count.await.unwrap();
                }
            })
        })
        .collect();
    for counted in counting {
        counted.await.unwrap();
    }
    assert_eq!(newest(&client, "a").await.unwrap().len(), 40);
    assert_eq!(newest(&client, "z").await.unwrap().len(), 40);
    no_locks(&server, &client).await;
}

#[tokio::test]
async fn what_is_refused_at_its_commit_is_rolled_back_from_the_primary_on() {
    let (server, client) = split_at(&["m"]).await;
    let tikv = server.tikv();
    let unheard = tikv.inject(Fault::new(Action::Hold).on(Call::KvCommit));
    let mut txn = client.begin_with(&Way::TwoPhases.options()).await.unwrap();
    write(&mut txn, &[("a", "1"), ("z", "1")]).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    unheard.hit(1).await;
    // Whoever comes across one of its keys when its time is over rolls that one back.
    server.clock().advance(Duration::from_secs(60));
    assert_eq!(newest(&another(&server), "a").await, None);
    let held = tikv.inject(Fault::new(Action::Hold).on(Call::KvBatchRollback).key("a"));
    unheard.release();
    assert_eq!(committing.await.unwrap().unwrap_err().outcome(), Outcome::NotApplied);
    held.hit(1).await;
    for _ in 0..10 {
        assert_eq!(locks(&client).await, 1, "the other is still locked");
    }
    assert_eq!(tikv.requests(Call::KvBatchRollback), 1);
    held.release();
    no_locks(&server, &client).await;
}
