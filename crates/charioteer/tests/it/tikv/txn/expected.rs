//! What transactions assert of the keys that they write.

use charioteer::tikv::{Assertions, Locking, TxnError};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{WAYS, Way, all_newest, no_locks, put, split_at, txn, why, write};

#[tokio::test]
async fn a_transaction_is_not_committed_against_what_it_asserts() {
    for way in WAYS {
        for locking in [Locking::Optimistic, Locking::Pessimistic] {
            let (server, client) = split_at(&["m"]).await;
            put(&client, &[("a", "old")]).await;
            let mut options = way.options();
            options.locking = locking;
            for (key, exists) in [("a", true), ("z", false)] {
                let mut txn = client.begin_with(&options).await.unwrap();
                write(&mut txn, &[("a", "new"), ("b", "new"), ("z", "new")]).await.unwrap();
                // What is so does no harm.
                txn.assert_missing("b").unwrap();
                if exists { txn.assert_missing(key) } else { txn.assert_exists(key) }.unwrap();
                let error = txn.commit().await.unwrap_err();
                let failed = TxnError::AssertionFailed { key: key.into(), exists };
                assert_eq!((why(&error), error.outcome()), (failed, Outcome::NotApplied), "{way:?} {locking:?}");
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert_eq!(all_newest(&client, &["a", "b", "z"]).await, "old - -");
            }
            no_locks(&server, &client).await;
        }
    }
}

#[tokio::test]
async fn a_transaction_that_asserts_what_is_so_is_committed_even_if_an_answer_was_lost() {
    for way in WAYS {
        let (server, client) = split_at(&["m"]).await;
        put(&client, &[("a", "old")]).await;
        let _lost = server.tikv().inject(Fault::new(Action::CutReply).on(Call::KvPrewrite).times(1));
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        write(&mut txn, &[("a", "new"), ("b", "new")]).await.unwrap();
        txn.assert_exists("a").unwrap();
        txn.assert_missing("b").unwrap();
        txn.commit().await.unwrap();
        assert_eq!(all_newest(&client, &["a", "b"]).await, "new new", "{way:?}");
    }
}

#[tokio::test]
async fn what_is_asserted_is_looked_at_as_closely_as_was_said_and_only_where_it_is_written() {
    let (_server, client) = txn().await;
    for (assertions, fails) in [(Assertions::Off, false), (Assertions::Strict, true)] {
        let mut options = Way::TwoPhases.options();
        options.assertions = assertions;
        let mut txn = client.begin_with(&options).await.unwrap();
        assert_eq!(txn.assert_exists("a").unwrap_err().kind(), ErrorKind::InvalidArgument);
        txn.lock_keys(["a"]).await.unwrap();
        assert_eq!(txn.assert_exists("a").unwrap_err().kind(), ErrorKind::InvalidArgument);
        txn.delete("a").await.unwrap();
        txn.assert_exists("a").unwrap();
        assert_eq!(txn.commit().await.is_err(), fails);
    }
}
