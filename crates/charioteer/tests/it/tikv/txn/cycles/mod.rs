//! Transactions that append to lists and read them while clients vanish, regions split and merge, leaders move, stores come and go, clocks
//! jump and answers are lost. From what they have read it follows in which order they must have happened, and whether there is one.
//!
//! `CHARIOTEER_FAILOVER_SECONDS` says how long, `CHARIOTEER_CHAOS_SEED` repeats a run as far as chance goes.

mod check;
mod graph;
mod history;
mod worker;

use std::sync::Arc;

use charioteer::tikv::TxnClient;

use self::check::{Anomaly, check};
use self::history::{Told, Txn};
use self::worker::{Lists, PLACES, Worker, key, numbers};
use super::disturber::{Disturber, Progress, faults};
use super::support::{locks, split_at};
use crate::chaos::seed;
use crate::tikv::support::LONG;

const WORKERS: u64 = 8;

/// What the lists are now.
async fn now(client: &TxnClient, lists: &Lists) -> history::Lists {
    let all = lists.all();
    let values = client.snapshot().await.unwrap().batch_get(all.iter().map(|list| key(*list))).await.unwrap();
    all.into_iter().zip(values.into_iter().map(numbers)).collect()
}

fn tell(anomaly: &Anomaly, history: &[Txn]) -> String {
    let Anomaly::Circle { name, of } = anomaly else { return format!("{anomaly:?}") };
    let steps = of.iter().map(|(txn, why)| format!("\n  {txn} {}\n    {why:?}", history[*txn]));
    format!("{name}:{}", steps.collect::<String>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_transactions_see_is_of_one_moment_and_their_writes_happen_at_one() {
    let seed = seed();
    println!("seed {seed}");
    let (server, client) = split_at(&["list 2", "list 4"]).await;
    let (server, lists) = (Arc::new(server), Arc::new(Lists::new(Progress::over(4))));
    let wrong = faults(&server.tikv(), seed);
    let work = |name| tokio::spawn(Worker::new(&server, &lists, seed.wrapping_mul(1000) + name).work());
    let workers: Vec<_> = (0..WORKERS).map(work).collect();
    let borders = (0..PLACES).flat_map(|place| [format!("list {place}"), format!("list {place}-000002")]).collect();
    let dice = fastrand::Rng::with_seed(seed);
    let times = Disturber { server: &server, progress: &lists.progress, dice, borders }.disturb().await;
    let mut history = Vec::new();
    for worker in workers {
        history.extend(worker.await.unwrap());
    }
    let hits: Vec<_> = wrong.iter().map(|fault| fault.hits()).collect();
    drop(wrong);
    server.clock().advance(LONG);
    let client = client.with_timeout(LONG);
    let report = check(&history, &now(&client, &lists).await);
    let told = |told| history.iter().filter(|txn| txn.told == told).count();
    let (committed, failed, unknown) = (told(Told::Committed), told(Told::Failed), told(Told::Unknown));
    println!("{report}; {committed} committed, {failed} failed, {unknown} unknown");
    println!("{} lists, {times} disturbances, faults {hits:?}", lists.all().len());
    let anomalies: Vec<String> = report.anomalies.iter().take(5).map(|anomaly| tell(anomaly, &history)).collect();
    assert!(anomalies.is_empty(), "{} anomalies, {}", report.anomalies.len(), anomalies.join("\n"));
    assert!(committed > 0 && times > 0, "{committed} were committed, {times} disturbances");
    client.resolve_locks("", "", client.timestamp().await.unwrap()).await.unwrap();
    assert_eq!(locks(&client).await, 0, "no lock is for ever");
}
