//! What a transaction writes, and what becomes of it.

use charioteer::ErrorKind;
use charioteer::tikv::TxnError;

use super::support::{WAYS, Way, all_newest, newest, no_locks, put, split_at, txn, why, write};

#[tokio::test]
async fn what_is_committed_is_seen_all_at_once_whichever_way_it_went() {
    for way in WAYS {
        for keys in [&[][..], &["b", "c"]] {
            let (server, client) = split_at(keys).await;
            let mut txn = client.begin_with(&way.options()).await.unwrap();
            write(&mut txn, &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]).await.unwrap();
            assert_eq!(all_newest(&client, &["a", "b", "c", "d"]).await, "- - - -");
            let start_ts = txn.start_ts();
            let commit_ts = txn.commit().await.unwrap().unwrap();
            assert!(commit_ts > start_ts, "{way:?}");
            assert_eq!(all_newest(&client, &["a", "b", "c", "d"]).await, "1 2 3 4", "{way:?}");
            assert!(client.timestamp().await.unwrap() >= commit_ts, "{way:?}");
            no_locks(&server, &client).await;
        }
    }
}

#[tokio::test]
async fn pessimistic_transactions_are_committed_every_way_too() {
    for way in WAYS {
        for keys in [&[][..], &["b", "c"]] {
            let (server, client) = split_at(keys).await;
            put(&client, &[("d", "old")]).await;
            let mut txn = client.begin_with(&way.pessimistic()).await.unwrap();
            write(&mut txn, &[("a", "1"), ("b", "2")]).await.unwrap();
            txn.insert("c", "3").await.unwrap();
            txn.delete("d").await.unwrap();
            txn.lock_keys(["e"]).await.unwrap();
            txn.commit().await.unwrap().unwrap();
            assert_eq!(all_newest(&client, &["a", "b", "c", "d", "e"]).await, "1 2 3 - -", "{way:?}");
            no_locks(&server, &client).await;
        }
    }
}

#[tokio::test]
async fn a_transaction_of_many_keys_and_regions_is_committed_in_many_requests() {
    let (server, client) = split_at(&["00250", "00500", "00750"]).await;
    let keys: Vec<String> = (0..1000).map(|number| format!("{number:05}")).collect();
    for way in WAYS {
        let value = format!("{way:?}").repeat(30);
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        txn.batch_put(keys.iter().map(|key| (key, value.clone()))).await.unwrap();
        assert_eq!(txn.len(), 1000);
        txn.commit().await.unwrap();
        let found = client.snapshot().await.unwrap().batch_get(&keys).await.unwrap();
        assert!(found.into_iter().all(|found| found.unwrap() == value), "{way:?}");
        no_locks(&server, &client).await;
    }
}

#[tokio::test]
async fn nothing_written_is_nothing_committed() {
    let (_server, client) = txn().await;
    assert_eq!(client.begin().await.unwrap().commit().await.unwrap(), None);
    let mut txn = client.begin_pessimistic().await.unwrap();
    txn.lock_keys(["a"]).await.unwrap();
    assert_eq!(txn.commit().await.unwrap(), None);
}

#[tokio::test]
async fn what_is_inserted_must_not_be_there() {
    for way in WAYS {
        let (_server, client) = split_at(&["m"]).await;
        put(&client, &[("a", "1")]).await;
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        txn.insert("a", "2").await.unwrap();
        txn.insert("z", "2").await.unwrap();
        let error = txn.commit().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{way:?}: {error}");
        assert_eq!(why(&error), TxnError::AlreadyExists { key: "a".into() });
        assert_eq!(all_newest(&client, &["a", "z"]).await, "1 -");

        let mut txn = client.begin_with(&way.pessimistic()).await.unwrap();
        let error = txn.insert("a", "2").await.unwrap_err();
        assert_eq!(why(&error), TxnError::AlreadyExists { key: "a".into() });
        txn.insert("z", "2").await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(all_newest(&client, &["a", "z"]).await, "1 2", "it goes on without what it could not insert");
    }
}

#[tokio::test]
async fn an_insert_that_was_deleted_again_writes_nothing_and_is_checked_all_the_same() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    for way in WAYS {
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        txn.insert("b", "2").await.unwrap();
        txn.delete("b").await.unwrap();
        assert_eq!(txn.commit().await.unwrap(), None, "{way:?}");
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        txn.insert("a", "2").await.unwrap();
        txn.delete("a").await.unwrap();
        txn.put("c", "3").await.unwrap();
        assert_eq!(txn.commit().await.unwrap_err().kind(), ErrorKind::AlreadyExists, "{way:?}");
    }
    assert_eq!(all_newest(&client, &["a", "b", "c"]).await, "1 - -");
}

#[tokio::test]
async fn what_the_transaction_itself_has_put_can_not_be_inserted_and_what_it_has_deleted_can() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    for options in [Way::TwoPhases.options(), Way::TwoPhases.pessimistic()] {
        let mut txn = client.begin_with(&options).await.unwrap();
        txn.put("b", "1").await.unwrap();
        assert_eq!(txn.insert("b", "2").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        txn.delete("a").await.unwrap();
        txn.insert("a", "2").await.unwrap();
        txn.commit().await.unwrap();
        assert_eq!(newest(&client, "a").await.as_deref(), Some("2"));
    }
}

#[tokio::test]
async fn a_rollback_leaves_nothing() {
    let (server, client) = split_at(&["m"]).await;
    for options in [Way::TwoPhases.options(), Way::TwoPhases.pessimistic()] {
        let mut txn = client.begin_with(&options).await.unwrap();
        write(&mut txn, &[("a", "1"), ("z", "2")]).await.unwrap();
        txn.rollback().await.unwrap();
        assert_eq!(all_newest(&client, &["a", "z"]).await, "- -");
        no_locks(&server, &client).await;
    }
}
