//! Calls while a cluster falls apart and comes together again: each ends in time, and what was said of it is true.
//!
//! `CHARIOTEER_FAILOVER_SECONDS` says how long, `CHARIOTEER_CHAOS_SEED` repeats a run as far as chance goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use charioteer::pegasus::Client;
use charioteer_server::testing::{Action, Call, Fault, Pegasus, TestServer};
use tokio::task::JoinSet;

use super::chaos::disturber::{Disturber, faults};
use super::chaos::worker::{Group, Office, Worker};
use crate::chaos::ledger::{Ledger, Told, Verdict};
use crate::chaos::{Shift, lateness, seed, setting};

const PARTITIONS: u32 = 8;
const WORKERS: usize = 32;
const IN_A_GROUP: usize = 4;

/// After so many calls of each worker there are rows, and a register with a history.
const ENOUGH: Shift = Shift::Calls(60);

/// What a call may take beyond its time, besides what timers come late on a busy machine.
const ALLOWANCE: Duration = Duration::from_millis(250);

/// A cluster, a client of it, and what they are asked.
struct Trial {
    server: TestServer,
    client: Client,
    office: Arc<Office>,
    seed: u64,
}

impl Trial {
    async fn new(seed: u64) -> Self {
        let server = TestServer::builder().metas(3).nodes(3).table("temp", 8).start().await.unwrap();
        let client = Client::connect(&server.pegasus_url()).await.unwrap();
        let table = client.open_table("temp").await.unwrap();
        Self { server, client, office: Office::new(&table), seed }
    }

    fn pegasus(&self) -> Pegasus {
        self.server.pegasus()
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
            running.spawn(Worker::new(name, &self.office, &group, seed).work(shift));
        }
        let mut ledger = Ledger::default();
        while let Some(one) = running.join_next().await {
            ledger.add(one.unwrap());
        }
        ledger
    }

    async fn verify(&self, ledger: &mut Ledger) -> Verdict {
        let patient = self.office.table.clone().with_timeout(Duration::from_secs(20));
        ledger.verify(self.office.now(), async |key| patient.get(key, "").await.unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_ends_in_time_and_is_what_it_was_said_to_be_while_servers_come_and_go() {
    let seconds = setting("CHARIOTEER_FAILOVER_SECONDS").unwrap_or(3);
    let trial = Trial::new(seed()).await;
    println!("seed {}", trial.seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    let wrong = faults(&trial.pegasus(), trial.seed);
    let disturber = Disturber::new(trial.pegasus(), &trial.office, PARTITIONS, trial.seed);
    let late = tokio::spawn(lateness(until));
    let (mut ledger, times) = tokio::join!(trial.work(Shift::Until(until)), disturber.disturb(until));
    drop(wrong);
    let late = late.await.unwrap();
    let verdict = trial.verify(&mut ledger).await;
    let Ledger { calls, failed, longest_overrun, wrong, .. } = &ledger;
    println!("{calls} calls, {failed} failed, {times} disturbances; {verdict}");
    println!("the longest call took {longest_overrun:?} beyond its time, the latest timer {late:?}");
    println!("{:?}", trial.client.net_stats());
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(verdict.is_right(), "{verdict}");
    assert!(*longest_overrun <= ALLOWANCE + late, "{longest_overrun:?}, with timers up to {late:?} late");
    // Not how much a machine does in that time, but that there was something to go wrong.
    assert!(verdict.acknowledged > 10 && times > 0, "{verdict}; {times} disturbances");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_are_acknowledged_and_not_carried_out_are_noticed() {
    for call in [None, Some(Call::Put), Some(Call::Incr), Some(Call::CheckAndSet)] {
        let trial = Trial::new(seed()).await;
        // The status 0 stands for a write that went well.
        let lost = call.map(|call| trial.pegasus().inject(Fault::new(Action::Status(0)).on(call).times(2)));
        let mut ledger = trial.work(ENOUGH).await;
        drop(lost);
        let verdict = trial.verify(&mut ledger).await;
        println!("{call:?}: {verdict}");
        assert_eq!(verdict.missing.len(), if call == Some(Call::Put) { 2 } else { 0 });
        assert_eq!(verdict.impossible.is_empty(), matches!(call, None | Some(Call::Put)), "{verdict}");
        assert!(verdict.untold.is_empty(), "{verdict}");
    }
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
