//! Many that want the same few keys, one or several at a time, and give them back. Whoever waits may do so for an hour here: one that is
//! forgotten, or a circle that is not noticed, keeps the test from ending.

use std::sync::atomic::AtomicU64;

use super::*;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
const CROWD: u64 = 8;
const ROUNDS: u64 = 40;

/// What they have in common.
struct Crowd {
    rows: EmbeddedMvcc,
    waits: Arc<Waits>,
    last_ts: AtomicU64,
}

impl Crowd {
    async fn lock(&self, start_ts: u64, keys: &[&'static str], is_fair: bool) -> PessimisticLockResponse {
        let mutation = |key: &&'static str| kvrpcpb::Mutation {
            op: Op::PessimisticLock.into(),
            key: (*key).into(),
            ..kvrpcpb::Mutation::default()
        };
        let wake_up_mode = match is_fair {
            true => PessimisticLockWakeUpMode::WakeUpModeForceLock,
            false => PessimisticLockWakeUpMode::WakeUpModeNormal,
        };
        let asked = PessimisticLockRequest {
            mutations: keys.iter().map(mutation).collect(),
            primary_lock: "a".into(),
            start_version: start_ts,
            for_update_ts: start_ts,
            wake_up_mode: wake_up_mode.into(),
            ..PessimisticLockRequest::default()
        };
        let locking = Locking::new(self.rows.clone(), Keys::Plain, Arc::clone(&self.waits), asked).unwrap();
        match locking.blocked_by(locking.try_once().wait().await.unwrap()) {
            Ok(lock) => locking.wait_for(lock).await.unwrap(),
            Err(tried) => locking.answer(tried, false),
        }
    }

    /// One transaction, which locks twice what it comes upon. Where that is a deadlock it gives up.
    async fn transact(&self, random: &mut fastrand::Rng) {
        let start_ts = self.last_ts.fetch_add(1, Ordering::SeqCst) + 1;
        for _ in 0..2 {
            let mut keys = KEYS.to_vec();
            random.shuffle(&mut keys);
            keys.truncate(random.usize(1..=3));
            let is_fair = keys.len() == 1 && random.bool();
            loop {
                let answer = self.lock(start_ts, &keys, is_fair).await;
                let Some(error) = answer.errors.first() else { break };
                assert!(error.locked.is_none(), "nobody has waited for so long");
                if error.deadlock.is_some() {
                    return self.give_back(start_ts).await;
                }
            }
            tokio::task::yield_now().await;
        }
        self.give_back(start_ts).await;
    }

    async fn give_back(&self, start_ts: u64) {
        let keys: Vec<Bytes> = KEYS.iter().map(|key| Bytes::from_static(key.as_bytes())).collect();
        let rollback = PessimisticRollback { start_ts, for_update_ts: u64::MAX, keys };
        submit(&self.rows, &self.waits, Keys::Plain, KEYS.len(), rollback).wait().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_who_wants_what_others_give_back_gets_it_or_hears_of_it() {
    let embedded = Embedded::open(Db::memory(), Clock::stopped_at(Duration::ZERO)).unwrap();
    let rows = embedded.rows().unwrap().mvcc(Keys::Plain).clone();
    let waits = Arc::new(Waits::at_most(Duration::from_secs(3600)));
    let crowd = Arc::new(Crowd { rows, waits, last_ts: AtomicU64::new(0) });
    let members: Vec<_> = (0..CROWD)
        .map(|seed| {
            let crowd = Arc::clone(&crowd);
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..ROUNDS {
                    crowd.transact(&mut random).await;
                }
            })
        })
        .collect();
    for member in members {
        tokio::time::timeout(Duration::from_secs(120), member).await.expect("somebody waits for ever").unwrap();
    }
    assert!(crowd.waits.is_empty() && crowd.waits.entries().is_empty());
}
