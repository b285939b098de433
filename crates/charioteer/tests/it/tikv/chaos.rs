//! Calls while regions split and merge, leaders move, stores and PD come and go, and answers are late, lost and wrong: each ends in time,
//! and what was said of it is true.
//!
//! `CHARIOTEER_FAILOVER_SECONDS` says how long, `CHARIOTEER_CHAOS_SEED` repeats a run as far as chance goes.

mod disturber;
mod faults;
mod worker;

use std::sync::Arc;
use std::time::{Duration, Instant};

use charioteer::tikv::{ApiVersion, RawClient};
use charioteer_server::testing::TestServer;
use tokio::task::JoinSet;

use self::disturber::Disturber;
use self::faults::faults;
use self::worker::{Group, Office, Worker, register};
use super::support::{APIS, options, pd_key};
use crate::chaos::ledger::{Ledger, Told, Verdict};
use crate::chaos::{Shift, lateness, seed, setting};

const WORKERS: usize = 32;
const IN_A_GROUP: usize = 4;

/// After so many calls of each worker there are rows, and a register with a history.
const ENOUGH: Shift = Shift::Calls(60);

/// What a call may take beyond its time, besides what timers come late on a busy machine.
const ALLOWANCE: Duration = Duration::from_millis(250);

/// A cluster of three stores, clients of it, and what they are asked.
struct Trial {
    api: ApiVersion,
    server: TestServer,
    clients: [RawClient; 2],
    office: Arc<Office>,
    seed: u64,
}

impl Trial {
    /// Of which API version the cluster is, chance says too.
    async fn new(seed: u64) -> Self {
        let (served, api) = *fastrand::Rng::with_seed(seed).choice(&APIS).unwrap();
        let builder = TestServer::builder().tikv_stores(3).tikv_regions(1).tikv_api(served);
        let server = builder.start().await.unwrap();
        let borders = ["register", "row 08", "row 16", "row 24"];
        server.tikv().split(borders.map(|border| pd_key(api, border))).await.unwrap();
        let mut options = options(&server);
        options.api = api;
        // What one of them has learnt the other one has not.
        let clients = [options.clone(), options].map(|options| RawClient::new(options).unwrap());
        for client in &clients {
            client.cluster_id().await.unwrap();
        }
        Self { api, server, clients, office: Arc::default(), seed }
    }

    /// Has all workers work as long as that.
    async fn work(&self, shift: Shift) -> Ledger {
        let mut running = JoinSet::new();
        let mut group = Group::new(0);
        for name in 0..WORKERS {
            if name % IN_A_GROUP == 0 {
                group = Group::new(name / IN_A_GROUP);
            }
            let seed = self.seed.wrapping_mul(1000).wrapping_add(u64::try_from(name).unwrap());
            let client = &self.clients[name % self.clients.len()];
            running.spawn(Worker::new(name, client, &self.office, &group, seed).work(shift));
        }
        let mut ledger = Ledger::default();
        while let Some(one) = running.join_next().await {
            ledger.add(one.unwrap());
        }
        ledger
    }

    async fn verify(&self, ledger: &mut Ledger) -> Verdict {
        let patient = self.clients[0].clone().with_timeout(Duration::from_secs(20));
        ledger.verify(self.office.now(), async |key| patient.get(key).await.unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_in_time_and_is_what_it_was_said_to_be_while_the_cluster_moves() {
    let seconds = setting("CHARIOTEER_FAILOVER_SECONDS").unwrap_or(5);
    let trial = Trial::new(seed()).await;
    println!("seed {}, API version {:?}", trial.seed, trial.api);
    let until = Instant::now() + Duration::from_secs(seconds);
    let wrong = faults(&trial.server.tikv(), trial.seed);
    let disturber = Disturber::new(trial.server.tikv(), trial.api, &trial.office, trial.seed);
    let late = tokio::spawn(lateness(until));
    let (mut ledger, times) = tokio::join!(trial.work(Shift::Until(until)), disturber.disturb(until));
    let hits: Vec<_> = wrong.iter().map(|fault| fault.hits()).collect();
    drop(wrong);
    let late = late.await.unwrap();
    let verdict = trial.verify(&mut ledger).await;
    let Ledger { calls, failed, longest_overrun, wrong, .. } = &ledger;
    println!("{calls} calls, {failed} failed, {times} disturbances, faults {hits:?}; {verdict}");
    println!("the longest call took {longest_overrun:?} beyond its time, the latest timer {late:?}");
    println!("{:?}", trial.clients[0].net_stats());
    assert!(wrong.is_empty(), "{} wrong, {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    assert!(verdict.is_right(), "{verdict}");
    assert!(*longest_overrun <= ALLOWANCE + late, "{longest_overrun:?}, with timers up to {late:?} late");
    // Not how much a machine does in that time, but that there was something to go wrong.
    assert!(verdict.acknowledged > 10 && times > 0, "{verdict}; {times} disturbances");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_go_astray_behind_their_writers_backs_are_noticed() {
    for lost in [0, 3] {
        let trial = Trial::new(seed()).await;
        let mut ledger = trial.work(ENOUGH).await;
        let rows = ledger.rows.iter().filter(|(_, told)| *told == Told::Acknowledged).take(lost);
        for (key, _) in rows {
            trial.clients[1].delete(key).await.unwrap();
        }
        let verdict = trial.verify(&mut ledger).await;
        assert_eq!((verdict.missing.len(), verdict.is_right()), (lost, lost == 0), "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_register_that_goes_back_to_what_it_once_held_is_noticed() {
    let trial = Trial::new(seed()).await;
    let mut ledger = trial.work(ENOUGH).await;
    let (key, held) = register(&ledger, 20);
    trial.clients[1].put(&key, held.to_string()).await.unwrap();
    let verdict = trial.verify(&mut ledger).await;
    assert_eq!((verdict.missing.len(), verdict.impossible.len()), (0, 1), "{verdict}");
    assert!(verdict.impossible[0].starts_with(&key), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_are_carried_out_and_said_not_to_be_are_noticed() {
    let trial = Trial::new(seed()).await;
    let mut ledger = trial.work(ENOUGH).await;
    let lie = ledger.rows.iter_mut().find(|(_, told)| *told == Told::Acknowledged).unwrap();
    lie.1 = Told::NotApplied;
    let verdict = trial.verify(&mut ledger).await;
    assert_eq!((verdict.missing.len(), verdict.untold.len(), verdict.impossible.len()), (0, 1, 0), "{verdict}");
}
