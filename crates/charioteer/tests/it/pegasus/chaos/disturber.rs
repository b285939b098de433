//! What comes over a cluster: partitions that move, servers that go and come back, leaders that change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use charioteer_server::testing::{Action, Call, ErrorCode, Fault, Injected, Pegasus};

use super::worker::Office;

const TABLE: &str = "temp";

/// No call has this number, which is that of a slot the client has not come to.
const NOBODYS_NUMBER: i32 = 0x1234_fff0;

/// Disturbs a cluster, again and again, and leaves it whole.
pub(in crate::pegasus) struct Disturber {
    pegasus: Pegasus,
    office: Arc<Office>,
    dice: fastrand::Rng,
    nodes: usize,
    metas: usize,
    partitions: u32,
}

impl Disturber {
    pub(in crate::pegasus) fn new(pegasus: Pegasus, office: &Arc<Office>, partitions: u32, seed: u64) -> Self {
        let (nodes, metas) = (pegasus.nodes().len(), pegasus.metas().len());
        let dice = fastrand::Rng::with_seed(seed);
        Self { pegasus, office: Arc::clone(office), dice, nodes, metas, partitions }
    }

    /// Disturbs until then, and says how often.
    pub(in crate::pegasus) async fn disturb(mut self, until: Instant) -> u64 {
        let mut times = 0;
        while Instant::now() < until {
            match self.dice.u32(..8) {
                0 | 1 => self.move_primary(),
                2 => self.restart_node().await,
                3 => self.restart_meta().await,
                4 => self.pegasus.lead(self.dice.usize(..self.metas)).unwrap(),
                5 => self.lose_primary().await,
                6 => self.lose_leader().await,
                _ => self.split().await,
            }
            times += 1;
            self.calls_end(400).await;
        }
        times
    }

    fn move_primary(&mut self) {
        let (partition, node) = (self.dice.u32(..self.partitions), self.dice.usize(..self.nodes));
        if self.dice.bool() {
            self.pegasus.move_primary(TABLE, partition, node).unwrap();
        } else {
            self.pegasus.place(TABLE, partition, &[node]).unwrap();
        }
    }

    async fn restart_node(&mut self) {
        let node = self.dice.usize(..self.nodes);
        self.pegasus.stop_node(node).await.unwrap();
        self.calls_end(100).await;
        if self.dice.bool() {
            self.pegasus.fail_over(node).unwrap();
            self.calls_end(100).await;
        }
        self.pegasus.start_node(node).await.unwrap();
    }

    async fn restart_meta(&mut self) {
        let meta = self.dice.usize(..self.metas);
        self.pegasus.stop_meta(meta).await.unwrap();
        self.calls_end(100).await;
        self.pegasus.lead((meta + 1) % self.metas).unwrap();
        self.move_primary();
        self.calls_end(100).await;
        self.pegasus.start_meta(meta).await.unwrap();
    }

    async fn lose_primary(&mut self) {
        let partition = self.dice.u32(..self.partitions);
        self.pegasus.lose_primary(TABLE, partition).unwrap();
        self.calls_end(100).await;
        self.pegasus.move_primary(TABLE, partition, self.dice.usize(..self.nodes)).unwrap();
    }

    async fn lose_leader(&mut self) {
        self.pegasus.lose_leader();
        self.move_primary();
        self.calls_end(100).await;
        self.pegasus.lead(self.dice.usize(..self.metas)).unwrap();
    }

    async fn split(&mut self) {
        let child = self.dice.u32(self.partitions / 2..self.partitions);
        self.pegasus.unready(TABLE, child).unwrap();
        self.calls_end(100).await;
        self.pegasus.ready(TABLE, child).unwrap();
    }

    /// Lets workers go on for up to so many calls. What stops is not waited for, since it may be this that stops it.
    async fn calls_end(&mut self, most: u64) {
        let mut ended = self.office.ended.subscribe();
        let enough = *ended.borrow() + self.dice.u64(1..=most);
        let _ = tokio::time::timeout(Duration::from_secs(1), ended.wait_for(|ended| *ended >= enough)).await;
    }
}

/// Has requests and answers go wrong here and there, for as long as what is returned lives.
pub(in crate::pegasus) fn faults(pegasus: &Pegasus, seed: u64) -> Vec<Injected> {
    let data = [
        (200, Action::Delay(Duration::from_millis(8))),
        (200, Action::DelayReply(Duration::from_millis(12))),
        (300, Action::Answer(ErrorCode::BUSY)),
        (500, Action::Answer(ErrorCode::INVALID_STATE)),
        (1000, Action::CutReply { after_bytes: 0 }),
        (2000, Action::CutReply { after_bytes: 5 }),
        (2000, Action::Cut),
        (3000, Action::Drop),
        (3000, Action::DropReply),
        (4000, Action::Duplicate),
        (4000, Action::Garble),
        (4000, Action::Misnumber(NOBODYS_NUMBER)),
    ];
    let meta = [
        (10, Action::Delay(Duration::from_millis(20))),
        (20, Action::Answer(ErrorCode::SERVICE_NOT_ACTIVE)),
        (20, Action::CutReply { after_bytes: 9 }),
        (40, Action::Drop),
    ];
    let on_data = data.map(|(chances, action)| (chances, Fault::new(action).data()));
    let on_meta = meta.map(|(chances, action)| (chances, Fault::new(action).on(Call::QueryConfig)));
    // Each throws dice of its own, or they would all be for the same requests.
    let all = on_data.into_iter().chain(on_meta).zip(seed..);
    all.map(|((chances, fault), seed)| pegasus.inject(fault.one_in(chances, seed))).collect()
}
