//! What comes over a cluster while transactions run: regions that split and merge, leaders that move, stores that go and come back, clocks
//! that jump, and answers that are lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use charioteer::tikv::TxnClient;
use charioteer_server::testing::tikv::{Action, Call, Fault, Region, RegionError, Tikv};
use charioteer_server::testing::{Injected, TestServer};
use tokio::sync::watch;

use super::support::pd_key;
use crate::chaos::setting;
use crate::tikv::support::options;

/// Regions become no fewer and no more than so.
const FEWEST: usize = 3;
const MOST: usize = 16;

/// So many transactions must succeed, however long that takes on a busy machine; but for ever is too long.
const ENOUGH: u64 = 20;
const EVER: Duration = Duration::from_secs(300);

/// A client that does not wait long for answers.
pub(super) fn hasty(server: &TestServer) -> TxnClient {
    let mut options = options(server);
    options.attempt_timeout = Duration::from_millis(150);
    TxnClient::new(options).unwrap().with_timeout(Duration::from_secs(2))
}

/// Has some of what decides over transactions go wrong, for as long as what is returned lives.
pub(super) fn faults(tikv: &Tikv, seed: u64) -> Vec<Injected> {
    let all = [
        (Action::CutReply, Call::KvCommit, 40),
        (Action::CutReply, Call::KvPrewrite, 40),
        (Action::DropReply, Call::KvCommit, 60),
        (Action::DropReply, Call::KvPrewrite, 60),
        (Action::Drop, Call::KvCommit, 80),
        (Action::Cut, Call::KvPessimisticLock, 60),
        (Action::CutReply, Call::KvPessimisticLock, 60),
        (Action::CutReply, Call::KvResolveLock, 20),
        (Action::DropReply, Call::KvCheckTxnStatus, 40),
        (Action::Duplicate, Call::KvPrewrite, 40),
        (Action::Answer(RegionError::UndeterminedResult), Call::KvCommit, 60),
        (Action::DelayReply(Duration::from_millis(5)), Call::KvPrewrite, 20),
    ];
    let each = all.into_iter().zip(seed..);
    each.map(|((action, call, chances), seed)| tikv.inject(Fault::new(action).on(call).one_in(chances, seed))).collect()
}

/// How far all have come.
#[derive(Debug)]
pub(super) struct Progress {
    /// Puts what happens in order.
    clock: AtomicU64,
    /// How many transactions have ended, and how many of those as they should.
    ended: watch::Sender<u64>,
    succeeded: AtomicU64,
    until: Instant,
}

impl Progress {
    /// For as long as `CHARIOTEER_FAILOVER_SECONDS` says, or else these, and until enough has come of it.
    pub(super) fn over(seconds: u64) -> Self {
        let time = Duration::from_secs(setting("CHARIOTEER_FAILOVER_SECONDS").unwrap_or(seconds));
        let (clock, succeeded) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { clock, ended: watch::Sender::new(0), succeeded, until: Instant::now() + time }
    }

    pub(super) fn goes_on(&self) -> bool {
        let is_enough = self.succeeded.load(Ordering::Relaxed) >= ENOUGH || Instant::now() >= self.until + EVER;
        Instant::now() < self.until || !is_enough
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn one_ended(&self, has_succeeded: bool) {
        self.succeeded.fetch_add(u64::from(has_succeeded), Ordering::Relaxed);
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Lets up to so many transactions end. What stops is not waited for, since it may be this that stops it.
    async fn some_end(&self, most: u64, dice: &mut fastrand::Rng) {
        let mut ended = self.ended.subscribe();
        let enough = *ended.borrow() + dice.u64(1..=most);
        let _ = tokio::time::timeout(Duration::from_millis(500), ended.wait_for(|ended| *ended >= enough)).await;
    }
}

/// Disturbs a cluster, again and again, and leaves it whole.
pub(super) struct Disturber<'a> {
    pub(super) server: &'a TestServer,
    pub(super) progress: &'a Progress,
    pub(super) dice: fastrand::Rng,
    /// Keys at which regions may be split.
    pub(super) borders: Vec<String>,
}

impl Disturber<'_> {
    /// Disturbs for as long as that goes on, and says how often.
    pub(super) async fn disturb(mut self) -> u64 {
        let tikv = self.server.tikv();
        let mut times = 0;
        while self.progress.goes_on() {
            match self.dice.u32(..10) {
                0 | 1 => self.split(&tikv).await,
                2 | 3 => self.merge(&tikv).await,
                4..=6 => self.move_leader(&tikv).await,
                7 | 8 => self.restart_store(&tikv).await,
                // Locks of those who have vanished run out, and some of those who have not.
                _ => self.server.clock().advance(Duration::from_secs(4)),
            }
            times += 1;
            self.progress.some_end(12, &mut self.dice).await;
        }
        times
    }

    async fn split(&mut self, tikv: &Tikv) {
        let border = self.dice.choice(&self.borders).unwrap();
        if tikv.regions().unwrap().len() < MOST {
            tikv.split([pd_key(border)]).await.unwrap();
        }
    }

    async fn merge(&mut self, tikv: &Tikv) {
        let regions = tikv.regions().unwrap();
        if regions.len() > FEWEST {
            let at = self.dice.usize(1..regions.len());
            let (one, other) = (regions[at - 1].id, regions[at].id);
            let (source, target) = if self.dice.bool() { (one, other) } else { (other, one) };
            tikv.merge(source, target).await.unwrap();
        }
    }

    async fn move_leader(&mut self, tikv: &Tikv) {
        let region = self.region(tikv);
        let store = self.dice.usize(..tikv.stores().len());
        tikv.transfer_leader(region.id, store).await.unwrap();
    }

    async fn restart_store(&mut self, tikv: &Tikv) {
        let stores = tikv.stores().len();
        let store = self.dice.usize(..stores);
        tikv.stop_store(store).await.unwrap();
        if self.dice.bool() {
            // Others lead what it has led.
            for region in tikv.regions().unwrap().iter().filter(|region| region.leader == Some(store)) {
                tikv.transfer_leader(region.id, (store + self.dice.usize(1..stores)) % stores).await.unwrap();
            }
        }
        self.progress.some_end(6, &mut self.dice).await;
        tikv.start_store(store).await.unwrap();
    }

    fn region(&mut self, tikv: &Tikv) -> Region {
        self.dice.choice(tikv.regions().unwrap()).unwrap()
    }
}
