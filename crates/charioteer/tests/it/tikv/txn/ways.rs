//! Which way a transaction is committed, and what that costs.

use charioteer::tikv::{TxnClient, TxnOptions};
use charioteer_server::testing::TestServer;
use charioteer_server::testing::tikv::{Call, Tikv};

use super::support::{Way, all_newest, no_locks, put, split_at, write};

/// How many questions a commit has put to PD, how many prewrites it has sent, and how many commits in the end.
struct Asked {
    timestamps: u64,
    prewrites: u64,
    commits: u64,
}

async fn committed(server: &TestServer, client: &TxnClient, options: &TxnOptions, keys: &[&str]) -> Asked {
    let tikv = server.tikv();
    let mut txn = client.begin_with(options).await.unwrap();
    let pairs: Vec<_> = keys.iter().map(|key| (*key, "v")).collect();
    write(&mut txn, &pairs).await.unwrap();
    let before = (timestamps(&tikv), sent(client, "prewrite"), sent(client, "commit"));
    txn.commit().await.unwrap().unwrap();
    let timestamps = timestamps(&tikv) - before.0;
    no_locks(server, client).await;
    Asked { timestamps, prewrites: sent(client, "prewrite") - before.1, commits: sent(client, "commit") - before.2 }
}

/// How often a command was sent.
fn sent(client: &TxnClient, name: &str) -> u64 {
    client.call_stats().into_iter().find(|(known, _)| *known == name).map_or(0, |(_, stats)| stats.calls)
}

fn timestamps(tikv: &Tikv) -> u64 {
    tikv.requests(Call::Tso)
}

#[tokio::test]
async fn one_phase_is_one_request() {
    let (server, client) = split_at(&["m"]).await;
    let asked = committed(&server, &client, &Way::OnePhase.options(), &["a", "b", "c"]).await;
    assert_eq!((asked.prewrites, asked.commits), (1, 0));
    let mut causal = Way::OnePhase.options();
    causal.causal = true;
    let asked = committed(&server, &client, &causal, &["d"]).await;
    assert_eq!((asked.prewrites, asked.commits), (1, 0));
}

#[tokio::test]
async fn what_lies_in_several_regions_takes_two_phases() {
    let (server, client) = split_at(&["m", "x"]).await;
    let asked = committed(&server, &client, &Way::OnePhase.options(), &["a", "b", "n", "z"]).await;
    // Of the commits only the first is waited for.
    assert_eq!((asked.prewrites, asked.commits), (3, 3));
    let asked = committed(&server, &client, &Way::TwoPhases.options(), &["a", "b"]).await;
    assert_eq!((asked.prewrites, asked.commits), (1, 1));
}

#[tokio::test]
async fn an_async_commit_is_over_when_all_keys_are_locked() {
    let (server, client) = split_at(&["m"]).await;
    let asked = committed(&server, &client, &Way::Async.options(), &["a", "z"]).await;
    assert_eq!((asked.prewrites, asked.commits), (2, 2));
    assert!(asked.timestamps <= 1, "one before, none in between");
}

#[tokio::test]
async fn transactions_with_too_many_keys_wait_for_their_primary() {
    let (server, client) = split_at(&["00100"]).await;
    let keys: Vec<String> = (0..300).map(|number| format!("{number:05}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    committed(&server, &client, &Way::Async.options(), &keys).await;
    assert_eq!(all_newest(&client, &["00000", "00299"]).await, "v v");
}

#[tokio::test]
async fn commits_are_seen_in_the_order_in_which_they_returned() {
    let (_server, client) = split_at(&["m"]).await;
    for round in 0..30 {
        let options = [Way::OnePhase, Way::Async, Way::TwoPhases][round % 3].options();
        let mut txn = client.begin_with(&options).await.unwrap();
        let value = round.to_string();
        write(&mut txn, &[("a", &*value), ("z", &*value)][..1 + round % 2]).await.unwrap();
        let commit_ts = txn.commit().await.unwrap().unwrap();
        let after = client.begin().await.unwrap();
        assert!(after.start_ts() >= commit_ts);
        assert_eq!(after.get("a").await.unwrap().unwrap(), value);
        after.rollback().await.unwrap();
    }
    put(&client, &[("a", "end")]).await;
}
