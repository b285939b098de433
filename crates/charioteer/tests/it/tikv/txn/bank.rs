//! Money that is moved between accounts while clients vanish, regions split and merge, leaders move and stores come and go: there is
//! always as much of it.
//!
//! `CHARIOTEER_FAILOVER_SECONDS` says how long, `CHARIOTEER_CHAOS_SEED` repeats a run as far as chance goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use charioteer::Error;
use charioteer::tikv::{Locking, Transaction, TxnClient, TxnOptions};
use charioteer_server::testing::TestServer;

use super::disturber::{Disturber, Progress, faults, hasty};
use super::support::{WAYS, locks, split_at};
use crate::chaos::seed;
use crate::tikv::support::LONG;

const ACCOUNTS: u64 = 12;
const EACH: u64 = 100;

fn account(number: u64) -> String {
    format!("account {number:02}")
}

fn read(balance: Option<Bytes>) -> u64 {
    balance.map_or(0, |balance| String::from_utf8_lossy(&balance).parse().unwrap())
}

async fn open(client: &TxnClient) {
    let mut txn = client.begin().await.unwrap();
    txn.batch_put((0..ACCOUNTS).map(|number| (account(number), EACH.to_string()))).await.unwrap();
    txn.commit().await.unwrap();
}

async fn total(client: &TxnClient) -> Result<u64, Error> {
    let mut scanner = client.snapshot().await?.scan("account", "accounu")?;
    let (mut total, mut accounts) = (0, 0);
    while let Some(row) = scanner.next().await? {
        total += read(Some(row.value));
        accounts += 1;
    }
    assert_eq!(accounts, ACCOUNTS);
    Ok(total)
}

async fn transfer(mut txn: Transaction, from: u64, to: u64, amount: u64) -> Result<(Transaction, ()), Error> {
    let (from, to) = (account(from), account(to));
    let (has, gets) = if txn.is_pessimistic() {
        (txn.get_for_update(&from).await?, txn.get_for_update(&to).await?)
    } else {
        (txn.get(&from).await?, txn.get(&to).await?)
    };
    let (has, gets) = (read(has), read(gets));
    let amount = amount.min(has);
    txn.put(from, (has - amount).to_string()).await?;
    txn.put(to, (gets + amount).to_string()).await?;
    Ok((txn, ()))
}

fn options(number: u64) -> TxnOptions {
    let mut options = WAYS[usize::try_from(number % 3).unwrap()].options();
    if number % 2 == 1 {
        options.locking = Locking::Pessimistic;
        options.fair_locking = number % 4 == 1;
        // Those who have vanished are not to be waited for long.
        options.lock_ttl = Duration::from_secs(2);
    }
    options
}

/// Moves money with clients of which every few vanishes in the middle of what it does; tells how often that was done, and how often in
/// vain.
async fn move_money(server: Arc<TestServer>, progress: Arc<Progress>, seed: u64) -> (u64, u64) {
    let (mut client, mut dice) = (hasty(&server), fastrand::Rng::with_seed(seed));
    let (mut moved, mut failed) = (0, 0);
    while progress.goes_on() {
        let (from, to, amount) = (dice.u64(..ACCOUNTS), dice.u64(..ACCOUNTS), dice.u64(..50));
        if from == to {
            continue;
        }
        let moving = tokio::spawn({
            let (client, options) = (client.clone(), options(dice.u64(..12)));
            async move { client.run(&options, |txn| transfer(txn, from, to, amount)).await }
        });
        if dice.u32(..8) == 0 {
            // It vanishes somewhere on its way.
            tokio::time::sleep(Duration::from_micros(200 * dice.u64(..17))).await;
            client.close();
            client = hasty(&server);
        }
        let ended = moving.await.unwrap();
        *if ended.is_ok() { &mut moved } else { &mut failed } += 1;
        progress.one_ended(ended.is_ok());
    }
    (moved, failed)
}

/// Counts the money again and again, and tells how often.
async fn count_money(client: TxnClient, progress: Arc<Progress>) -> u64 {
    let mut counted = 0;
    while progress.goes_on() {
        if let Ok(total) = total(&client).await {
            assert_eq!(total, ACCOUNTS * EACH);
            counted += 1;
        }
    }
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_always_as_much_money() {
    let seed = seed();
    println!("seed {seed}");
    let (server, client) = split_at(&["account 04", "account 08"]).await;
    open(&client).await;
    let (server, progress) = (Arc::new(server), Arc::new(Progress::over(2)));
    let wrong = faults(&server.tikv(), seed);
    let moving: Vec<_> = (1..5)
        .map(|worker| tokio::spawn(move_money(Arc::clone(&server), Arc::clone(&progress), seed ^ worker)))
        .collect();
    let counting = tokio::spawn(count_money(hasty(&server), Arc::clone(&progress)));
    let (dice, borders) = (fastrand::Rng::with_seed(seed), (0..ACCOUNTS).map(account).collect());
    let times = Disturber { server: &server, progress: &progress, dice, borders }.disturb().await;
    let (mut moved, mut failed) = (0, 0);
    for one in moving {
        let (more, in_vain) = one.await.unwrap();
        (moved, failed) = (moved + more, failed + in_vain);
    }
    let counted = counting.await.unwrap();
    println!("{moved} transfers, {failed} failed or unknown, counted {counted} times, {times} disturbances");
    drop(wrong);
    server.clock().advance(LONG);
    let client = client.with_timeout(LONG);
    assert_eq!(total(&client).await.unwrap(), ACCOUNTS * EACH);
    assert!(moved > 0, "{moved} transfers");
    client.resolve_locks("", "", client.timestamp().await.unwrap()).await.unwrap();
    assert_eq!(locks(&client).await, 0, "no lock is for ever");
}
