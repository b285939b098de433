//! Readers, who end what they find left behind, and those who collect garbage.

use std::collections::BTreeMap;

use charioteer_engine::mvcc::{
    CheckSecondaryLocks, CheckTxnStatus, FindGarbage, KeyError, KeyRange, LockInfo, LockKind, PessimisticRollback,
    ReadAt, ResolveLock, ResolveLockLite, Scan, ScanLock, SecondaryLocks, TxnStatus,
};

use super::super::fixture::{bytes, text};
use super::transactions::Fate;
use super::{KEYS, Run};

impl Run {
    pub(super) fn value_at(&self, key: &str, ts: u64) -> Option<String> {
        self.versions
            .get(key)
            .and_then(|versions| versions.range(..=ts).next_back())
            .and_then(|(_, value)| value.clone())
    }

    /// Reads everything at a timestamp, and ends the locks that are in the way as if their time were over.
    pub(super) fn read(&mut self, ts: u64, backward: bool) {
        for _ in 0..20 {
            let scan = if backward { Scan::backward } else { Scan::forward };
            let scanned = self.fixture.read(scan("".into(), "".into(), 100, ReadAt::new(ts))).unwrap();
            let mut blocking = Vec::new();
            let mut found = BTreeMap::new();
            for pair in scanned.pairs {
                match pair.found {
                    Ok(value) => drop(found.insert(text(&pair.key), text(&value.value))),
                    Err(KeyError::Locked(lock)) => blocking.push(*lock),
                    Err(error) => panic!("{error:?}"),
                }
            }
            if blocking.is_empty() {
                let expected = KEYS.into_iter().filter_map(|key| Some((key.to_owned(), self.value_at(key, ts)?)));
                assert_eq!(found, expected.collect::<BTreeMap<_, _>>(), "at {ts}");
                self.read_at = self.read_at.max(ts);
                return;
            }
            blocking.iter().for_each(|lock| self.resolve(lock, ts));
        }
        panic!("locks stay in the way for ever");
    }

    pub(super) fn status_of(&self, primary: &str, start_ts: u64, kind: LockKind) -> CheckTxnStatus {
        CheckTxnStatus {
            primary: bytes(primary),
            start_ts,
            caller_start_ts: self.now,
            current_ts: u64::MAX,
            rollback_if_not_exist: true,
            force_sync_commit: false,
            resolving_pessimistic_lock: kind == LockKind::Pessimistic,
            verify_is_primary: true,
        }
    }

    /// Finds out what became of a transaction whose time is over, and ends its lock.
    fn resolve(&mut self, lock: &LockInfo, ts: u64) {
        let at = self.transactions.iter().position(|transaction| transaction.start_ts == lock.start_ts).unwrap();
        let commit_ts = match self.fixture.run(self.status_of(&text(&lock.primary), lock.start_ts, lock.kind)).unwrap()
        {
            TxnStatus::Committed { commit_ts } => commit_ts,
            TxnStatus::Uncommitted { lock: primary, .. } => {
                assert!(primary.use_async_commit, "its time is over");
                self.decide_by_all_locks(&primary)
            }
            TxnStatus::PessimisticRolledBack | TxnStatus::LockNotExistDoNothing => {
                panic!("such a lock is in no reader's way: {lock:?} at {ts}")
            }
            TxnStatus::RolledBack | TxnStatus::TtlExpired | TxnStatus::LockNotExistRolledBack => 0,
        };
        self.learn(at, commit_ts);
        if lock.txn_size > 2 {
            let resolve = ResolveLock::new(KeyRange::all(), [(lock.start_ts, commit_ts)]);
            assert_eq!(self.fixture.run(resolve), Ok(None));
        } else {
            let (start_ts, keys) = (lock.start_ts, vec![lock.key.clone()]);
            self.fixture.run(ResolveLockLite { start_ts, commit_ts, keys }).unwrap();
        }
    }

    fn decide_by_all_locks(&mut self, primary: &LockInfo) -> u64 {
        let check = CheckSecondaryLocks { start_ts: primary.start_ts, keys: primary.secondaries.clone() };
        match self.fixture.run(check).unwrap() {
            SecondaryLocks::Committed { commit_ts } => commit_ts,
            SecondaryLocks::RolledBack => 0,
            SecondaryLocks::Locked(locks) if locks.iter().all(|lock| lock.use_async_commit) => {
                let of_others = locks.iter().map(|lock| lock.min_commit_ts);
                of_others.chain([primary.min_commit_ts]).max().unwrap()
            }
            SecondaryLocks::Locked(_) => {
                // One has fallen back to two phases, and so the primary tells for all.
                let status = self.status_of(&text(&primary.primary), primary.start_ts, primary.kind);
                match self.fixture.run(CheckTxnStatus { force_sync_commit: true, ..status }).unwrap() {
                    TxnStatus::Committed { commit_ts } => commit_ts,
                    TxnStatus::TtlExpired | TxnStatus::RolledBack => 0,
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// What others have found out must be what is known; what was open is closed by it.
    fn learn(&mut self, at: usize, commit_ts: u64) {
        let transaction = &mut self.transactions[at];
        match transaction.fate {
            Fate::Committed(known) => assert_eq!(commit_ts, known, "{transaction:?}"),
            Fate::RolledBack => assert_eq!(commit_ts, 0, "{transaction:?}"),
            Fate::Open if commit_ts == 0 => transaction.fate = Fate::RolledBack,
            Fate::Open => self.committed(at, commit_ts),
        }
    }

    /// Resolves what started by a safe point, and removes what nobody sees behind it.
    pub(super) fn collect(&mut self, safe_point: u64) {
        if safe_point <= self.safe_point {
            return;
        }
        let locks = self.fixture.read(ScanLock::new(KeyRange::all(), safe_point, 0)).unwrap();
        for lock in locks {
            if lock.kind == LockKind::Pessimistic {
                let roll_back =
                    PessimisticRollback { start_ts: lock.start_ts, for_update_ts: u64::MAX, keys: vec![lock.key] };
                self.fixture.run(roll_back);
            } else {
                self.resolve(&lock, safe_point);
            }
        }
        // Whoever started by then and is not over comes too late.
        for transaction in &mut self.transactions {
            if transaction.start_ts <= safe_point && transaction.fate == Fate::Open {
                transaction.fate = Fate::RolledBack;
            }
        }
        self.transactions.retain(|transaction| transaction.start_ts > safe_point);
        let found = self.fixture.read(FindGarbage::new(KeyRange::all(), safe_point));
        assert_eq!(found.left, None);
        self.fixture.run(found.garbage);
        self.safe_point = safe_point;
    }
}
