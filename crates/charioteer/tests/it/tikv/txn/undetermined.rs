//! What is told when nobody has said whether a transaction was committed.

use std::time::Duration;

use charioteer::tikv::{Locking, TxnClient, TxnError};
use charioteer::{ErrorKind, Outcome};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault, RegionError};

use super::support::{WAYS, Way, all_newest, another, newest, no_locks, pd_key, put, split_at, why, write};
use crate::tikv::support::{LONG, options};

/// A client that asks again only where it hears that an answer was lost.
fn patient(server: &TestServer) -> TxnClient {
    let mut options = options(server);
    options.attempt_timeout = LONG;
    TxnClient::new(options).unwrap().with_timeout(LONG)
}

/// Has all answers be lost of the store that leads the region of a key.
async fn lose_answers(server: &TestServer, key: &str) {
    let store = server.tikv().region_of(pd_key(key)).unwrap().leader.unwrap();
    server.tikv().stop_store(store).await.unwrap();
    server.tikv().start_store(store).await.unwrap();
}

/// The call after which a transaction of this way is committed.
fn decisive(way: Way) -> Call {
    match way {
        Way::TwoPhases => Call::KvCommit,
        Way::Async | Way::OnePhase => Call::KvPrewrite,
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again_and_found() {
    for way in WAYS {
        for locking in [Locking::Optimistic, Locking::Pessimistic] {
            for call in [Call::KvPrewrite, Call::KvCommit] {
                let (server, client) = split_at(&["x"]).await;
                let cut = server.tikv().inject(Fault::new(Action::CutReply).on(call).times(1));
                let mut options = way.options();
                options.locking = locking;
                let mut txn = client.begin_with(&options).await.unwrap();
                write(&mut txn, &[("a", "1"), ("b", "2")]).await.unwrap();
                txn.insert("c", "3").await.unwrap();
                txn.commit().await.unwrap().unwrap();
                assert_eq!(all_newest(&client, &["a", "b", "c"]).await, "1 2 3", "{way:?} {call:?}");
                no_locks(&server, &client).await;
                drop(cut);
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_the_outcome_open() {
    for way in WAYS {
        for (action, is_applied) in [(Action::DropReply, true), (Action::Drop, false)] {
            let mut patience = Duration::from_millis(300);
            let (server, error) = loop {
                let (server, client) = split_at(&["m"]).await;
                let lost = server.tikv().inject(Fault::new(action.clone()).on(decisive(way)));
                let mut options = way.options();
                options.timeout = Some(patience);
                let mut txn = client.begin_with(&options).await.unwrap();
                write(&mut txn, &[("a", "1"), ("b", "2")]).await.unwrap();
                let error = txn.commit().await.unwrap_err();
                // On a busy machine the time may be over before anything is to be committed.
                if lost.hits() > 0 || patience > LONG {
                    break (server, error);
                }
                patience *= 4;
            };
            assert_eq!(error.outcome(), Outcome::Unknown, "{way:?} {action:?}: {error}");
            assert_eq!(why(&error), TxnError::Undetermined);
            assert_eq!(error.kind(), ErrorKind::Timeout);
            server.clock().advance(Duration::from_secs(60));
            let found = all_newest(&another(&server), &["a", "b"]).await;
            assert_eq!(found, if is_applied { "1 2" } else { "- -" }, "{way:?} {action:?}");
        }
    }
}

#[tokio::test]
async fn a_prewrite_that_never_comes_is_certainly_not_committed() {
    let (server, client) = split_at(&["m"]).await;
    let lost = server.tikv().inject(Fault::new(Action::DropReply).on(Call::KvPrewrite));
    let mut options = Way::TwoPhases.options();
    options.timeout = Some(Duration::from_millis(200));
    let mut txn = client.begin_with(&options).await.unwrap();
    write(&mut txn, &[("a", "1"), ("z", "2")]).await.unwrap();
    let error = txn.commit().await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotApplied), "{error:?}");
    drop(lost);
    assert_eq!(all_newest(&client, &["a", "z"]).await, "- -");
    no_locks(&server, &client).await;
}

#[tokio::test]
async fn a_store_that_does_not_know_is_asked_again() {
    for way in WAYS {
        let (server, client) = split_at(&["m"]).await;
        let fault = Fault::new(Action::Answer(RegionError::UndeterminedResult)).on(Call::KvCommit).times(2);
        let _unknown = server.tikv().inject(fault);
        let mut txn = client.begin_with(&way.options()).await.unwrap();
        write(&mut txn, &[("a", "1"), ("z", "2")]).await.unwrap();
        txn.commit().await.unwrap().unwrap();
        assert_eq!(all_newest(&client, &["a", "z"]).await, "1 2", "{way:?}");
    }
}

#[tokio::test]
async fn a_commit_whose_region_splits_before_it_is_asked_for_again_may_have_happened() {
    let (server, client) = split_at(&["m"]).await;
    let tikv = server.tikv();
    let unheard = tikv.inject(Fault::new(Action::HoldReply).on(Call::KvCommit).times(1));
    let mut options = Way::TwoPhases.options();
    options.timeout = Some(Duration::from_secs(4));
    let mut txn = patient(&server).begin_with(&options).await.unwrap();
    write(&mut txn, &[("a", "1"), ("b", "2")]).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    unheard.hit(1).await;
    tikv.split([pd_key("b")]).await.unwrap();
    // From now on nothing is asked for that might have happened: only what is not the leader is asked.
    let region = tikv.region_of(pd_key("a")).unwrap().id;
    let refused = tikv.inject(Fault::new(Action::Answer(RegionError::NotLeader)).on(Call::KvCommit).region(region));
    lose_answers(&server, "a").await;
    let error = committing.await.unwrap().unwrap_err();
    assert!(refused.hits() > 0);
    drop(refused);
    assert_eq!((error.outcome(), why(&error)), (Outcome::Unknown, TxnError::Undetermined), "{error}");
    assert_eq!(all_newest(&client, &["a", "b"]).await, "1 2");
}

/// Loses what a key has had, and has it be another's.
async fn overwrite(client: &TxnClient, key: &str) {
    client.unsafe_destroy_range(key, format!("{key}~")).await.unwrap();
    put(client, &[(key, "other")]).await;
}

#[tokio::test]
async fn a_conflict_that_is_met_after_an_answer_was_lost_is_no_sign_that_nothing_was_committed_in_one_phase() {
    let (server, client) = split_at(&["m"]).await;
    let tikv = server.tikv();
    let unheard = tikv.inject(Fault::new(Action::HoldReply).on(Call::KvPrewrite).times(1));
    let mut txn = patient(&server).begin_with(&Way::OnePhase.options()).await.unwrap();
    write(&mut txn, &[("a", "1"), ("b", "2")]).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    unheard.hit(1).await;
    tikv.split([pd_key("b")]).await.unwrap();
    overwrite(&client, "b").await;
    lose_answers(&server, "a").await;
    let error = committing.await.unwrap().unwrap_err();
    assert_eq!((error.outcome(), why(&error)), (Outcome::Unknown, TxnError::Undetermined), "{error}");
    assert_eq!(newest(&client, "a").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_conflict_that_is_met_after_an_answer_was_lost_is_no_sign_that_not_all_keys_were_locked() {
    let (server, client) = split_at(&["m"]).await;
    let tikv = server.tikv();
    let unheard = tikv.inject(Fault::new(Action::HoldReply).on(Call::KvPrewrite).key("z").times(1));
    let mut txn = patient(&server).begin_with(&Way::Async.options()).await.unwrap();
    write(&mut txn, &[("a", "1"), ("z", "2")]).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    unheard.hit(1).await;
    // Whoever comes across it when its time is over sees that it is committed.
    while tikv.locks().await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    server.clock().advance(Duration::from_secs(60));
    assert_eq!(all_newest(&client, &["a", "z"]).await, "1 2");
    no_locks(&server, &client).await;
    overwrite(&client, "z").await;
    lose_answers(&server, "z").await;
    let error = committing.await.unwrap().unwrap_err();
    assert_eq!((error.outcome(), why(&error)), (Outcome::Unknown, TxnError::Undetermined), "{error}");
    assert_eq!(newest(&client, "a").await.as_deref(), Some("1"));
}
