//! Writes that cross: two are on duty, and each may leave if the other one stays. Each transaction writes one of the two keys and only
//! reads the other, which snapshot isolation lets both do unless what was read is locked.
//!
//! `CHARIOTEER_FAILOVER_SECONDS` says how long, `CHARIOTEER_CHAOS_SEED` repeats a run as far as chance goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::{Locking, Transaction, TxnClient, TxnOptions};
use charioteer_server::testing::TestServer;

use super::disturber::{Disturber, Progress, faults, hasty};
use super::support::{WAYS, locks, put, split_at};
use crate::chaos::seed;
use crate::tikv::support::LONG;

const WARDS: u64 = 3;

/// The keys of the two on duty in a ward. They lie in different regions, as a rule.
fn pair(ward: u64) -> [String; 2] {
    [format!("day {ward}"), format!("night {ward}")]
}

fn is_on(value: Option<&Bytes>) -> bool {
    value.is_some_and(|value| value == "on")
}

fn options(dice: &mut fastrand::Rng) -> TxnOptions {
    let mut options = WAYS[dice.usize(..WAYS.len())].options();
    options.locking = if dice.bool() { Locking::Optimistic } else { Locking::Pessimistic };
    options.lock_ttl = Duration::from_secs(2);
    options
}

/// One comes, or leaves if the other one is there.
async fn change(mut txn: Transaction, mine: String, other: String) -> Result<(Transaction, ()), Error> {
    let both = if txn.is_pessimistic() {
        txn.batch_get_for_update([&mine, &other]).await?
    } else {
        txn.lock_keys([&other]).await?;
        txn.batch_get([&mine, &other]).await?
    };
    match (is_on(both[0].as_ref()), is_on(both[1].as_ref())) {
        (true, true) => txn.put(mine, "off").await?,
        (false, _) => txn.put(mine, "on").await?,
        (true, false) => {}
    }
    Ok((txn, ()))
}

async fn work(server: Arc<TestServer>, progress: Arc<Progress>, seed: u64) -> u64 {
    let (mut client, mut dice) = (hasty(&server), fastrand::Rng::with_seed(seed));
    let mut changed = 0;
    while progress.goes_on() {
        let mut both = pair(dice.u64(..WARDS));
        dice.shuffle(&mut both);
        let ([mine, other], options) = (both, options(&mut dice));
        let changing = tokio::spawn({
            let client = client.clone();
            async move { client.run(&options, |txn| change(txn, mine.clone(), other.clone())).await }
        });
        if dice.u32(..10) == 0 {
            tokio::time::sleep(Duration::from_micros(200 * dice.u64(..17))).await;
            client.close();
            client = hasty(&server);
        }
        let has_changed = changing.await.unwrap().is_ok();
        changed += u64::from(has_changed);
        progress.one_ended(has_changed);
    }
    changed
}

async fn check(client: &TxnClient) -> Result<(), Error> {
    let snapshot = client.snapshot().await?;
    for ward in 0..WARDS {
        let both = snapshot.batch_get(pair(ward)).await?;
        assert!(both.iter().any(|one| is_on(one.as_ref())), "nobody is on duty in ward {ward}");
    }
    Ok(())
}

async fn look(client: TxnClient, progress: Arc<Progress>) -> u64 {
    let mut looked = 0;
    while progress.goes_on() {
        looked += u64::from(check(&client).await.is_ok());
    }
    looked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_always_on_duty() {
    let seed = seed();
    println!("seed {seed}");
    let (server, client) = split_at(&["g", "night 1"]).await;
    for ward in 0..WARDS {
        let [day, night] = pair(ward);
        put(&client, &[(&day, "on"), (&night, "on")]).await;
    }
    let (server, progress) = (Arc::new(server), Arc::new(Progress::over(2)));
    let wrong = faults(&server.tikv(), seed);
    let working: Vec<_> =
        (1..5).map(|worker| tokio::spawn(work(Arc::clone(&server), Arc::clone(&progress), seed ^ worker))).collect();
    let looking = tokio::spawn(look(hasty(&server), Arc::clone(&progress)));
    let (dice, borders) = (fastrand::Rng::with_seed(seed), (0..WARDS).flat_map(pair).collect());
    let times = Disturber { server: &server, progress: &progress, dice, borders }.disturb().await;
    let mut changed = 0;
    for one in working {
        changed += one.await.unwrap();
    }
    let looked = looking.await.unwrap();
    println!("{changed} changes, looked {looked} times, {times} disturbances");
    drop(wrong);
    server.clock().advance(LONG);
    let client = client.with_timeout(LONG);
    check(&client).await.unwrap();
    assert!(changed > 0, "{changed} changes");
    client.resolve_locks("", "", client.timestamp().await.unwrap()).await.unwrap();
    assert_eq!(locks(&client).await, 0, "no lock is for ever");
}
