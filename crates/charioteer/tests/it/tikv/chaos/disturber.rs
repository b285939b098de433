//! What comes over a cluster: regions that split and merge, leaders that move, stores and PD that go and come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use charioteer::tikv::ApiVersion;
use charioteer_server::testing::tikv::{Region, Tikv};

use super::worker::{Office, any_key};
use crate::tikv::support::pd_key;

/// Regions become no fewer and no more than so.
const FEWEST: usize = 3;
const MOST: usize = 24;

/// Disturbs a cluster, again and again, and leaves it whole.
pub(super) struct Disturber {
    tikv: Tikv,
    api: ApiVersion,
    office: Arc<Office>,
    dice: fastrand::Rng,
    stores: usize,
}

impl Disturber {
    pub(super) fn new(tikv: Tikv, api: ApiVersion, office: &Arc<Office>, seed: u64) -> Self {
        let stores = tikv.stores().len();
        Self { tikv, api, office: Arc::clone(office), dice: fastrand::Rng::with_seed(seed), stores }
    }

    /// Disturbs until then, and says how often.
    pub(super) async fn disturb(mut self, until: Instant) -> u64 {
        let mut times = 0;
        while Instant::now() < until {
            match self.dice.u32(..10) {
                0 | 1 => self.split().await,
                2 | 3 => self.merge().await,
                4 | 5 => self.move_leader().await,
                6 | 7 => self.restart_store().await,
                8 => self.restart_pd().await,
                _ => self.lose_leader().await,
            }
            times += 1;
            self.calls_end(400).await;
        }
        times
    }

    async fn split(&mut self) {
        let many = self.dice.usize(1..4);
        if self.tikv.regions().unwrap().len() + many <= MOST {
            let keys: Vec<_> = (0..many).map(|_| pd_key(self.api, &any_key(&mut self.dice))).collect();
            self.tikv.split(keys).await.unwrap();
        }
    }

    async fn merge(&mut self) {
        let regions = self.tikv.regions().unwrap();
        if regions.len() > FEWEST {
            let at = self.dice.usize(1..regions.len());
            let (one, other) = (regions[at - 1].id, regions[at].id);
            let (source, target) = if self.dice.bool() { (one, other) } else { (other, one) };
            self.tikv.merge(source, target).await.unwrap();
        }
    }

    async fn move_leader(&mut self) {
        let (region, store) = (self.region(), self.dice.usize(..self.stores));
        self.tikv.transfer_leader(region.id, store).await.unwrap();
    }

    async fn restart_store(&mut self) {
        let store = self.dice.usize(..self.stores);
        self.tikv.stop_store(store).await.unwrap();
        self.calls_end(100).await;
        if self.dice.bool() {
            self.fail_over(store).await;
            self.calls_end(200).await;
        }
        if self.dice.bool() {
            // What is asked of the two others is split and led from elsewhere meanwhile.
            self.split().await;
            self.move_leader().await;
        }
        self.tikv.start_store(store).await.unwrap();
    }

    /// Has others lead what a store has led.
    async fn fail_over(&mut self, store: usize) {
        for region in self.tikv.regions().unwrap() {
            if region.leader == Some(store) {
                let other = (store + self.dice.usize(1..self.stores)) % self.stores;
                self.tikv.transfer_leader(region.id, other).await.unwrap();
            }
        }
    }

    async fn restart_pd(&mut self) {
        self.tikv.stop_pd().await.unwrap();
        self.calls_end(100).await;
        self.split().await;
        self.move_leader().await;
        self.merge().await;
        self.calls_end(100).await;
        self.tikv.start_pd().await.unwrap();
    }

    async fn lose_leader(&mut self) {
        let region = self.region();
        self.tikv.give_up_leader(region.id).await.unwrap();
        self.calls_end(100).await;
        self.tikv.transfer_leader(region.id, self.dice.usize(..self.stores)).await.unwrap();
    }

    fn region(&mut self) -> Region {
        let regions = self.tikv.regions().unwrap();
        self.dice.choice(regions).unwrap()
    }

    /// Lets workers go on for up to so many calls. What stops is not waited for, since it may be this that stops it.
    async fn calls_end(&mut self, most: u64) {
        let mut ended = self.office.ended.subscribe();
        let enough = *ended.borrow() + self.dice.u64(1..=most);
        let _ = tokio::time::timeout(Duration::from_secs(1), ended.wait_for(|ended| *ended >= enough)).await;
    }
}
