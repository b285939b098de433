//! Taking back part of what was written.

use charioteer::ErrorKind;

use super::support::{Way, all_newest, listed, locks, put, txn, write};

#[tokio::test]
async fn what_was_written_since_a_savepoint_can_be_taken_back() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "0")]).await;
    for options in [Way::OnePhase.options(), Way::OnePhase.pessimistic()] {
        let mut txn = client.begin_with(&options).await.unwrap();
        write(&mut txn, &[("b", "1")]).await.unwrap();
        let savepoint = txn.savepoint();
        write(&mut txn, &[("b", "2"), ("c", "2")]).await.unwrap();
        txn.delete("a").await.unwrap();
        txn.rollback_to(savepoint).unwrap();
        assert_eq!(listed(txn.scan("", "").unwrap()).await, "a=0 b=1");
        write(&mut txn, &[("c", "3")]).await.unwrap();
        txn.release(savepoint).unwrap();
        assert_eq!(txn.rollback_to(savepoint).unwrap_err().kind(), ErrorKind::InvalidArgument);
        txn.commit().await.unwrap();
        assert_eq!(all_newest(&client, &["a", "b", "c"]).await, "0 1 3");
        let mut clean = client.begin().await.unwrap();
        clean.batch_delete(["b", "c"]).await.unwrap();
        clean.commit().await.unwrap();
    }
}

#[tokio::test]
async fn keys_stay_locked_when_what_was_written_to_them_is_taken_back() {
    let (_server, client) = txn().await;
    let mut txn = client.begin_pessimistic().await.unwrap();
    let savepoint = txn.savepoint();
    txn.put("a", "1").await.unwrap();
    txn.rollback_to(savepoint).unwrap();
    assert_eq!((txn.len(), locks(&client).await), (0, 1));
    txn.commit().await.unwrap();
    assert_eq!(all_newest(&client, &["a"]).await, "-");
}
