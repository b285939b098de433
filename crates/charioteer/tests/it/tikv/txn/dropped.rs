//! Transactions and calls that nobody waits for any more.

use std::time::Duration;

use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{WAYS, all_newest, locks, newest, no_locks, split_at, txn, write};

#[tokio::test]
async fn a_transaction_that_is_dropped_is_rolled_back() {
    let (server, client) = split_at(&["m"]).await;
    let mut txn = client.begin_pessimistic().await.unwrap();
    write(&mut txn, &[("a", "1"), ("z", "2")]).await.unwrap();
    assert_eq!(locks(&client).await, 2);
    drop(txn);
    no_locks(&server, &client).await;
    let mut txn = client.begin().await.unwrap();
    txn.put("a", "1").await.unwrap();
    drop(txn);
    assert_eq!(all_newest(&client, &["a", "z"]).await, "- -");
}

#[tokio::test]
async fn what_goes_on_in_the_background_can_be_waited_for() {
    for way in WAYS {
        let (_server, client) = split_at(&["m", "x"]).await;
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        write(&mut txn, &[("a", "1"), ("n", "2"), ("z", "3")]).await.unwrap();
        txn.commit().await.unwrap();
        client.settled().await;
        assert_eq!(locks(&client).await, 0, "{way:?}");
    }
}

#[test]
fn a_transaction_may_be_dropped_where_there_is_no_runtime_any_more() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_server, txn) = runtime.block_on(async {
        let (server, client) = txn().await;
        let mut txn = client.begin_pessimistic().await.unwrap();
        txn.put("a", "1").await.unwrap();
        (server, txn)
    });
    drop(runtime);
    drop(txn);
}

#[tokio::test]
async fn a_commit_that_is_dropped_goes_on() {
    for way in WAYS {
        let (server, client) = split_at(&["m"]).await;
        let held = server.tikv().inject(Fault::new(Action::Hold).on(Call::KvPrewrite));
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        write(&mut txn, &[("a", "1"), ("b", "2")]).await.unwrap();
        let committing = tokio::time::timeout(Duration::from_millis(50), txn.commit()).await;
        assert!(committing.is_err(), "{way:?}");
        held.release();
        while newest(&client, "a").await.is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(all_newest(&client, &["a", "b"]).await, "1 2", "{way:?}");
        no_locks(&server, &client).await;
    }
}

#[tokio::test]
async fn reads_and_locks_may_be_dropped_at_any_moment() {
    let (server, client) = split_at(&["m"]).await;
    let mut txn = client.begin_pessimistic().await.unwrap();
    for _ in 0..20 {
        let _ = tokio::time::timeout(Duration::from_micros(fastrand_micros()), txn.get("a")).await;
        let _ = tokio::time::timeout(Duration::from_micros(fastrand_micros()), txn.lock_keys(["a", "z"])).await;
    }
    txn.put("a", "1").await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(newest(&client, "a").await.as_deref(), Some("1"));
    no_locks(&server, &client).await;
}

#[tokio::test]
async fn what_a_call_may_have_locked_that_was_dropped_is_unlocked_when_the_transaction_ends() {
    for is_committed in [false, true] {
        let (server, client) = split_at(&["m"]).await;
        let mut txn = client.begin_pessimistic().await.unwrap();
        let held = server.tikv().inject(Fault::new(Action::HoldReply).on(Call::KvPessimisticLock).times(1));
        tokio::select! {
            locked = txn.lock_keys(["a"]) => locked.unwrap(),
            () = held.hit(1) => {}
        }
        held.release();
        while locks(&client).await == 0 {
            tokio::task::yield_now().await;
        }
        if is_committed {
            txn.put("b", "1").await.unwrap();
            txn.commit().await.unwrap();
        } else {
            txn.rollback().await.unwrap();
        }
        no_locks(&server, &client).await;
        assert_eq!(all_newest(&client, &["a", "b"]).await, if is_committed { "- 1" } else { "- -" });
    }
}

fn fastrand_micros() -> u64 {
    u64::from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_micros() % 1000)
}
