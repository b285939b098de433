//! Keys that are locked before they are written.

use std::time::Duration;

use charioteer::tikv::{LockKind, LockOptions, LockWait, Locking, TxnError, TxnOptions};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{Way, all_newest, another, listed, locks, newest, no_locks, put, split_at, text, txn, why};

fn fair() -> TxnOptions {
    let mut options = TxnOptions::default();
    (options.locking, options.fair_locking) = (Locking::Pessimistic, true);
    options
}

fn no_wait() -> LockOptions {
    let mut options = LockOptions::default();
    options.wait = Some(LockWait::None);
    options
}

#[tokio::test]
async fn what_is_read_for_update_is_the_newest_and_nobody_else_can_write_it() {
    for options in [Way::TwoPhases.pessimistic(), fair()] {
        let (_server, client) = split_at(&["m"]).await;
        put(&client, &[("a", "1"), ("z", "1")]).await;
        let mut txn = client.begin_with(&options).await.unwrap();
        put(&client, &[("a", "2")]).await;
        assert_eq!(txn.get("a").await.unwrap().unwrap(), "1", "as of when it began");
        assert_eq!(txn.get_for_update("a").await.unwrap().unwrap(), "2");
        assert_eq!(txn.get("a").await.unwrap().unwrap(), "2", "it knows that now");
        assert_eq!(txn.get_for_update("x").await.unwrap(), None);
        let found = txn.batch_get_for_update(["z", "a", "y"]).await.unwrap();
        assert_eq!(
            found.into_iter().map(|value| value.map(text)).collect::<Vec<_>>(),
            [Some("1".into()), Some("2".into()), None]
        );

        let mut other = client.begin_pessimistic().await.unwrap();
        let error = other.lock_keys_with(["a"], &no_wait()).await.unwrap_err();
        let TxnError::Locked(lock) = why(&error) else { panic!("{error:?}") };
        assert_eq!((&lock.key[..], lock.start_ts, lock.kind), (&b"a"[..], txn.start_ts(), LockKind::Pessimistic));
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied));
        txn.put("a", "3").await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(other.get_for_update("a").await.unwrap().unwrap(), "3");
        other.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_lock_is_waited_for_as_long_as_was_said() {
    let (_server, client) = txn().await;
    let mut one = client.begin_pessimistic().await.unwrap();
    one.lock_keys(["a"]).await.unwrap();
    let mut other = client.begin_pessimistic().await.unwrap();
    let mut options = LockOptions::default();
    options.wait = Some(LockWait::AtMost(Duration::from_millis(50)));
    let error = other.lock_keys_with(["a"], &options).await.unwrap_err();
    assert!(matches!(why(&error), TxnError::LockWaitTimeout(_)), "{error}");
    let mut hasty = TxnOptions::default();
    (hasty.locking, hasty.timeout) = (Locking::Pessimistic, Some(Duration::from_millis(500)));
    let mut hasty = client.begin_with(&hasty).await.unwrap();
    let error = hasty.put("a", "1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    one.rollback().await.unwrap();
    other.lock_keys(["a"]).await.unwrap();
    other.rollback().await.unwrap();
}

#[tokio::test]
async fn those_who_wait_for_a_lock_get_it_when_it_is_let_go() {
    for options in [Way::TwoPhases.pessimistic(), fair()] {
        let (server, client) = txn().await;
        put(&client, &[("count", "")]).await;
        let counting: Vec<_> = (0..6)
            .map(|_| {
                let (client, options) = (another(&server), options.clone());
                tokio::spawn(async move {
                    for _ in 0..5 {
                        let mut txn = client.begin_with(&options).await.unwrap();
                        let count = txn.get_for_update("count").await.unwrap().unwrap();
                        txn.put("count", "x".repeat(count.len() + 1)).await.unwrap();
                        txn.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for counted in counting {
            counted.await.unwrap();
        }
        assert_eq!(newest(&client, "count").await.unwrap().len(), 30);
        no_locks(&server, &client).await;
    }
}

#[tokio::test]
async fn of_two_that_wait_for_each_other_one_is_told_who_waits_for_whom() {
    let (server, client) = split_at(&["m"]).await;
    let (mut one, mut other) = (client.begin_pessimistic().await.unwrap(), client.begin_pessimistic().await.unwrap());
    let (first, second) = (one.start_ts(), other.start_ts());
    one.lock_keys(["a"]).await.unwrap();
    other.lock_keys(["z"]).await.unwrap();
    let asked = server.tikv().requests(Call::KvPessimisticLock);
    let waiting = tokio::spawn(async move {
        let locked = one.lock_keys(["z"]).await;
        (one, locked)
    });
    server.tikv().arrived(Call::KvPessimisticLock, asked + 1).await;
    let locked = other.lock_keys(["a"]).await;
    // Whichever of the two came second.
    let error = match locked {
        Err(error) => {
            other.rollback().await.unwrap();
            let (one, locked) = waiting.await.unwrap();
            locked.unwrap();
            one.rollback().await.unwrap();
            error
        }
        Ok(()) => {
            let (one, locked) = waiting.await.unwrap();
            one.rollback().await.unwrap();
            other.rollback().await.unwrap();
            locked.unwrap_err()
        }
    };
    let TxnError::Deadlock(deadlock) = why(&error) else { panic!("{error:?}") };
    let mut waits: Vec<_> = deadlock.cycle.iter().map(|waits| (waits.start_ts, waits.waits_for)).collect();
    waits.sort_unstable();
    assert_eq!(waits, [(first, second), (second, first)], "{deadlock:?}");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    no_locks(&server, &client).await;
}

#[tokio::test]
async fn keys_that_could_not_all_be_locked_are_all_let_go() {
    let (server, client) = split_at(&["m"]).await;
    let mut one = client.begin_pessimistic().await.unwrap();
    one.lock_keys(["z"]).await.unwrap();
    let mut other = client.begin_pessimistic().await.unwrap();
    other.lock_keys_with(["a", "b", "z"], &no_wait()).await.unwrap_err();
    let mut third = client.begin_pessimistic().await.unwrap();
    third.lock_keys(["a", "b"]).await.unwrap();
    third.rollback().await.unwrap();
    other.lock_keys(["b"]).await.unwrap();
    one.rollback().await.unwrap();
    other.commit().await.unwrap();
    no_locks(&server, &client).await;
}

#[tokio::test]
async fn a_key_that_is_not_there_can_be_left_unlocked() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let mut txn = client.begin_pessimistic().await.unwrap();
    let mut options = LockOptions::default();
    options.only_if_exists = true;
    txn.lock_keys_with(["b"], &options).await.unwrap();
    assert_eq!(locks(&client).await, 0);
    txn.lock_keys_with(["a"], &options).await.unwrap();
    txn.lock_keys_with(["b", "c"], &options).await.unwrap();
    assert_eq!(locks(&client).await, 1);
    txn.rollback().await.unwrap();
}

#[tokio::test]
async fn several_keys_of_which_any_may_be_missing_are_not_the_first_that_are_locked() {
    let (_server, client) = txn().await;
    put(&client, &[("b", "1")]).await;
    let mut txn = client.begin_pessimistic().await.unwrap();
    let mut options = LockOptions::default();
    options.only_if_exists = true;
    let error = txn.lock_keys_with(["a", "b"], &options).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::InvalidArgument, Outcome::NotApplied), "{error}");
    assert_eq!(locks(&client).await, 0);
    txn.lock_keys_with(["b"], &options).await.unwrap();
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn readers_do_not_wait_for_locks_on_what_is_not_written_yet() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let mut txn = client.begin_pessimistic().await.unwrap();
    txn.put("a", "2").await.unwrap();
    assert_eq!(newest(&client, "a").await.as_deref(), Some("1"));
    assert_eq!(listed(client.snapshot().await.unwrap().scan("", "").unwrap()).await, "a=1");
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn a_lock_outlives_its_time_as_long_as_its_transaction_is_there() {
    let (server, client) = txn().await;
    let mut options = Way::TwoPhases.pessimistic();
    options.lock_ttl = Duration::from_millis(600);
    let mut txn = client.begin_with(&options).await.unwrap();
    txn.put("a", "mine").await.unwrap();
    let begun = std::time::Instant::now();
    server.tikv().arrived(Call::KvTxnHeartBeat, 4).await;
    assert!(begun.elapsed() > options.lock_ttl);
    let mut other = client.begin_pessimistic().await.unwrap();
    let error = other.lock_keys_with(["a"], &no_wait()).await.unwrap_err();
    assert!(matches!(why(&error), TxnError::Locked(_)), "{error}");
    txn.commit().await.unwrap();
    assert_eq!(all_newest(&client, &["a"]).await, "mine");
}

#[tokio::test]
async fn a_transaction_whose_locks_have_run_out_is_told_when_it_is_committed() {
    for way in super::support::WAYS {
        let (server, client) = split_at(&["m"]).await;
        let mut txn = client.begin_with(&way.pessimistic()).await.unwrap();
        txn.put("a", "one").await.unwrap();
        txn.put("z", "one").await.unwrap();
        server.clock().advance(Duration::from_secs(60));
        let mut other = another(&server).begin_pessimistic().await.unwrap();
        other.put("a", "other").await.unwrap();
        other.commit().await.unwrap();
        let error = txn.commit().await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Conflict, Outcome::NotApplied), "{way:?}: {error:?}");
        assert!(matches!(why(&error), TxnError::RolledBack { .. } | TxnError::WriteConflict(_)), "{error}");
        assert_eq!(all_newest(&client, &["a", "z"]).await, "other -");
    }
}

#[tokio::test]
async fn only_pessimistic_transactions_read_for_update() {
    let (_server, client) = txn().await;
    let mut txn = client.begin().await.unwrap();
    assert!(!txn.is_pessimistic());
    assert_eq!(txn.get_for_update("a").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_lock_of_which_nobody_was_told_goes_with_its_transaction_whatever_was_written_before_it() {
    for is_committed in [false, true] {
        let (server, client) = txn().await;
        let mut options = fair();
        options.timeout = Some(Duration::from_secs(2));
        let mut txn = client.begin_with(&options).await.unwrap();
        // The store locks it as of this, and not as of when it was asked to.
        put(&client, &[("a", "1")]).await;
        let lost = server.tikv().inject(Fault::new(Action::DropReply).on(Call::KvPessimisticLock));
        assert_eq!(txn.lock_keys(["a"]).await.unwrap_err().kind(), ErrorKind::Timeout);
        drop(lost);
        if is_committed {
            txn.put("b", "1").await.unwrap();
            txn.commit().await.unwrap();
        } else {
            txn.rollback().await.unwrap();
        }
        client.settled().await;
        assert_eq!(locks(&client).await, 0, "{is_committed}");
    }
}
