//! Functions that are tried again.

use std::cell::Cell;
use std::time::Duration;

use charioteer::tikv::{Locking, TxnError, TxnOptions};
use charioteer::{Error, ErrorKind, Outcome};
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{Way, newest, put, split_at, txn, why};
use crate::tikv::support::LONG;

#[tokio::test]
async fn a_function_is_tried_again_after_a_conflict() {
    let (_server, client) = txn().await;
    let times = Cell::new(0);
    let (client, times) = (&client, &times);
    let options = TxnOptions::default();
    let ran = client.run(&options, |mut txn| async move {
        times.set(times.get() + 1);
        if times.get() == 1 {
            txn.get("a").await?;
            put(client, &[("a", "other")]).await;
        }
        txn.put("a", format!("{}", times.get())).await?;
        Ok((txn, times.get()))
    });
    assert_eq!(ran.await.unwrap(), 2);
    assert_eq!(newest(client, "a").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn what_was_not_a_conflict_is_told_at_once_and_nothing_is_written() {
    let (_server, client) = txn().await;
    put(&client, &[("a", "1")]).await;
    let times = Cell::new(0);
    let ran: Result<(), Error> = client
        .run(&TxnOptions::default(), |mut txn| {
            times.set(times.get() + 1);
            async move {
                txn.put("b", "1").await?;
                txn.insert("a", "2").await?;
                Ok((txn, ()))
            }
        })
        .await;
    assert_eq!((ran.unwrap_err().kind(), times.get()), (ErrorKind::AlreadyExists, 1));
    assert_eq!(newest(&client, "b").await, None);
}

#[tokio::test]
async fn what_may_have_been_committed_is_not_done_again() {
    let mut patience = Duration::from_millis(300);
    loop {
        let (server, client) = split_at(&["m"]).await;
        let lost = server.tikv().inject(Fault::new(Action::DropReply).on(Call::KvCommit));
        let mut options = Way::TwoPhases.options();
        options.timeout = Some(patience);
        let times = Cell::new(0);
        let ran: Result<(), Error> = client
            .run(&options, |mut txn| {
                times.set(times.get() + 1);
                async move {
                    txn.put("a", "1").await?;
                    Ok((txn, ()))
                }
            })
            .await;
        let error = ran.unwrap_err();
        // On a busy machine the time may be over before anything is to be committed.
        if lost.hits() > 0 || patience > LONG {
            assert_eq!((error.outcome(), times.get()), (Outcome::Unknown, 1), "{error}");
            break;
        }
        patience *= 4;
    }
}

#[tokio::test]
async fn transactions_that_lock_in_different_orders_get_through() {
    let (server, client) = split_at(&["m"]).await;
    let mut options = TxnOptions::default();
    options.locking = Locking::Pessimistic;
    let running: Vec<_> = (0..4)
        .map(|number| {
            let (client, options) = (super::support::another(&server), options.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    let order = if number % 2 == 0 { ["a", "z"] } else { ["z", "a"] };
                    let ran = client.run(&options, |mut txn| async move {
                        for key in order {
                            let count = txn.get_for_update(key).await?.map_or(0, |count| count.len());
                            txn.put(key, "x".repeat(count + 1)).await?;
                        }
                        Ok((txn, ()))
                    });
                    ran.await.unwrap();
                }
            })
        })
        .collect();
    for ran in running {
        ran.await.unwrap();
    }
    assert_eq!(newest(&client, "a").await.unwrap().len(), 20);
    assert_eq!(newest(&client, "z").await.unwrap().len(), 20);
}

#[tokio::test]
async fn a_function_that_never_gets_through_is_given_up_in_time() {
    let (_server, client) = txn().await;
    let mut patience = Duration::from_millis(200);
    let error = loop {
        let mut options = TxnOptions::default();
        options.timeout = Some(patience);
        let ran: Result<(), Error> = client
            .run(&options, |mut txn| async {
                put(&client, &[("a", "other")]).await;
                txn.put("a", "mine").await?;
                Ok((txn, ()))
            })
            .await;
        let error = ran.unwrap_err();
        // On a busy machine the time may be over before it has been tried twice.
        if (error.attempts() > 1 && TxnError::of(&error).is_some()) || patience > LONG {
            break error;
        }
        patience *= 4;
    };
    assert!(error.attempts() > 1, "{error}");
    let _ = why(&error);
}
