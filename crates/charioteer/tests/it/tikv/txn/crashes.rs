//! Clients that vanish between any two steps of a commit. What a second client then finds is all of the transaction or nothing of it, and
//! it is what the first was told, if that was told anything.

use std::time::Duration;

use charioteer::Outcome;
use charioteer::tikv::Locking;
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Action, Call, Fault};

use super::support::{WAYS, Way, all_newest, another, locks, put, split_at, write};
use crate::tikv::support::LONG;

/// Where a client vanishes: a fault from which on nothing that it asks is answered.
#[derive(Clone, Copy, Debug)]
struct Boundary {
    call: Call,
    /// The key that the request names.
    key: &'static str,
    /// Whether the request is carried out.
    is_applied: bool,
}

const fn at(call: Call, key: &'static str, is_applied: bool) -> Boundary {
    Boundary { call, key, is_applied }
}

/// Keys in three regions: the primary, one beside it, and two secondaries.
const KEYS: [&str; 4] = ["a", "b", "n", "z"];

const BOUNDARIES: [Boundary; 12] = [
    at(Call::KvPrewrite, "a", false),
    at(Call::KvPrewrite, "a", true),
    at(Call::KvPrewrite, "n", false),
    at(Call::KvPrewrite, "n", true),
    at(Call::KvPrewrite, "z", false),
    at(Call::KvPrewrite, "z", true),
    at(Call::KvCommit, "a", false),
    at(Call::KvCommit, "a", true),
    at(Call::KvCommit, "n", false),
    at(Call::KvCommit, "n", true),
    at(Call::KvCommit, "z", false),
    at(Call::KvCommit, "z", true),
];

/// Has a client vanish there while it commits, and tells what it was told, and what a second client finds.
async fn crash(server: &TestServer, way: Way, locking: Locking, keys: &[&str], boundary: Boundary) -> Told {
    let crashing = another(server);
    let action = if boundary.is_applied { Action::DropReply } else { Action::Drop };
    let fault = server.tikv().inject(Fault::new(action).on(boundary.call).key(boundary.key));
    let mut options = way.options();
    options.locking = locking;
    let mut txn = crashing.begin_with(&options).await.unwrap();
    let pairs: Vec<_> = keys.iter().map(|key| (*key, "new")).collect();
    write(&mut txn, &pairs).await.unwrap();
    let committing = tokio::spawn(txn.commit());
    // In one region one phase is all there is.
    if way != Way::OnePhase || boundary.call == Call::KvPrewrite || server.tikv().regions().unwrap().len() > 2 {
        tokio::time::timeout(LONG, fault.hit(1)).await.unwrap();
    } else {
        while !committing.is_finished() {
            tokio::task::yield_now().await;
        }
    }
    let told = if committing.is_finished() { Some(committing.await.unwrap()) } else { None };
    crashing.close();
    drop(fault);
    match told {
        Some(Ok(_)) => Told::Committed,
        Some(Err(error)) if error.outcome() == Outcome::NotApplied => Told::Failed,
        Some(Err(_)) | None => Told::Nothing,
    }
}

/// What the client that has vanished was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Committed,
    Failed,
    Nothing,
}

async fn is_all_or_nothing(way: Way, locking: Locking, splits: &[&str], keys: &[&str], boundary: Boundary) {
    let (server, client) = split_at(splits).await;
    let old: Vec<_> = keys.iter().map(|key| (*key, "old")).collect();
    put(&client, &old).await;
    let told = crash(&server, way, locking, keys, boundary).await;
    server.clock().advance(Duration::from_secs(120));
    // Each key by itself, since whoever meets one lock may do away with all of them.
    let second = another(&server);
    let mut found = Vec::new();
    for key in keys.iter().rev() {
        found.push(all_newest(&second, &[*key]).await);
    }
    let (new, old) = (vec!["new"; keys.len()], vec!["old"; keys.len()]);
    let context = format!("{way:?} {locking:?} {boundary:?}, told {told:?}, found {found:?}");
    match told {
        Told::Committed => assert_eq!(found, new, "{context}"),
        Told::Failed => assert_eq!(found, old, "{context}"),
        Told::Nothing => assert!(found == new || found == old, "{context}"),
    }
    second.resolve_locks("", "", second.timestamp().await.unwrap()).await.unwrap();
    assert_eq!(locks(&second).await, 0, "{context}");
}

#[tokio::test]
async fn every_step_of_an_optimistic_commit_in_three_regions() {
    for way in WAYS {
        for boundary in BOUNDARIES {
            is_all_or_nothing(way, Locking::Optimistic, &["m", "x"], &KEYS, boundary).await;
        }
    }
}

#[tokio::test]
async fn every_step_of_a_pessimistic_commit_in_three_regions() {
    for way in WAYS {
        for boundary in BOUNDARIES {
            is_all_or_nothing(way, Locking::Pessimistic, &["m", "x"], &KEYS, boundary).await;
        }
    }
}

#[tokio::test]
async fn every_step_of_a_commit_in_one_region() {
    for way in WAYS {
        for locking in [Locking::Optimistic, Locking::Pessimistic] {
            for boundary in BOUNDARIES.into_iter().filter(|boundary| boundary.key == "a") {
                is_all_or_nothing(way, locking, &["x"], &["a", "b", "n"], boundary).await;
            }
        }
    }
}

#[tokio::test]
async fn a_reader_of_the_present_gets_through_when_the_time_of_the_locks_is_over() {
    for way in WAYS {
        let (server, client) = split_at(&["m", "x"]).await;
        put(&client, &[("a", "old"), ("z", "old")]).await;
        crash(&server, way, Locking::Optimistic, &["a", "z"], at(Call::KvPrewrite, "z", false)).await;
        let reading = tokio::spawn({
            let client = client.clone();
            async move { all_newest(&client, &["a", "z"]).await }
        });
        let asked = server.tikv().requests(Call::KvCheckTxnStatus);
        server.clock().advance(Duration::from_secs(4));
        assert_eq!(reading.await.unwrap(), "old old", "{way:?}");
        assert!(server.tikv().requests(Call::KvCheckTxnStatus) >= asked);
    }
}
