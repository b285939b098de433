//! What is too large, or makes no sense.

use charioteer::ErrorKind;
use charioteer::tikv::{Mode, TxnClient, TxnOptions};
use charioteer_server::testing::TestServer;

use super::support::{Way, all_newest, another, newest, put, split_at, txn};
use crate::tikv::support::options;

#[tokio::test]
async fn a_transaction_does_not_become_larger_than_it_may_be() {
    let (_server, client) = txn().await;
    let mut options = TxnOptions::default();
    (options.max_keys, options.max_bytes) = (Some(2), Some(10));
    let mut txn = client.begin_with(&options).await.unwrap();
    txn.put("a", "1").await.unwrap();
    txn.put("b", "1").await.unwrap();
    let error = txn.put("c", "1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let error = txn.put("a", "0123456789").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    txn.commit().await.unwrap();
    assert_eq!(all_newest(&client, &["a", "b", "c"]).await, "1 1 -");
}

#[tokio::test]
async fn what_no_store_takes_is_refused_before_it_is_sent_or_by_the_store() {
    let (server, _) = txn().await;
    let mut options = options(&server);
    options.max_request_bytes = 4096;
    let client = TxnClient::new(options).unwrap();
    let mut txn = client.begin().await.unwrap();
    assert_eq!(txn.put("a", vec![0; 5000]).await.unwrap_err().kind(), ErrorKind::TooLarge);
    txn.rollback().await.unwrap();

    let client = another(&server);
    for options in [Way::TwoPhases.options(), Way::OnePhase.options()] {
        let mut txn = client.begin_with(&options).await.unwrap();
        txn.put(vec![b'k'; 9000], "1").await.unwrap();
        txn.put("a", "1").await.unwrap();
        let error = txn.commit().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert_eq!(newest(&client, "a").await, None);
    }
}

#[tokio::test]
async fn an_empty_key_is_a_key_or_refused_but_never_worse() {
    let (_server, client) = split_at(&["m"]).await;
    let mut txn = client.begin().await.unwrap();
    txn.put("", "empty").await.unwrap();
    match txn.commit().await {
        Ok(_) => assert_eq!(newest(&client, "").await.as_deref(), Some("empty")),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}"),
    }
}

#[tokio::test]
async fn options_for_raw_keys_are_not_for_transactions() {
    let server = TestServer::start().await;
    let mut raw = options(&server);
    raw.mode = Some(Mode::Raw);
    assert_eq!(TxnClient::new(raw).unwrap_err().kind(), ErrorKind::InvalidConfig);
}

#[tokio::test]
async fn a_client_that_was_closed_says_so() {
    let (_server, client) = txn().await;
    let mut txn = client.begin().await.unwrap();
    txn.put("a", "1").await.unwrap();
    client.close();
    assert_eq!(txn.commit().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(client.begin().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn no_two_transactions_of_a_client_begin_at_the_same_timestamp() {
    let (_server, client) = txn().await;
    let mut options = Way::TwoPhases.options();
    options.start_ts = Some(client.timestamp().await.unwrap());
    let mut one = client.begin_with(&options).await.unwrap();
    assert_eq!(client.begin_with(&options).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    one.put("a", "1").await.unwrap();
    one.commit().await.unwrap();
    let error = client.begin_with(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    let living = client.begin().await.unwrap();
    options.start_ts = Some(living.start_ts());
    assert_eq!(client.begin_with(&options).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    // A conflict is told of, and not that it can't be made again.
    options.start_ts = Some(client.timestamp().await.unwrap());
    put(&client, &[("a", "2")]).await;
    let ran = client.run(&options, |mut txn| async move {
        txn.put("a", "3").await?;
        Ok((txn, ()))
    });
    assert_eq!(ran.await.unwrap_err().kind(), ErrorKind::Conflict);
}
