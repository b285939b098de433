//! Clients that run transactions, or leave them behind.

use charioteer_engine::mvcc::{
    BatchRollback, Commit, KeyError, LockInfo, LockKind, PessimisticLock, PessimisticRollback, Prewrite, Prewritten,
    TxnStatus,
};

use super::super::fixture::{bytes, long_value, text};
use super::steps::{Mode, Write};
use super::transactions::{Fate, Transaction};
use super::{KEYS, Run};

impl Run {
    pub(super) fn begin(&mut self, mode: Mode, writes: &[(usize, Write)]) {
        let start_ts = self.tick();
        let value = |write, key: &str| match write {
            Write::PutLong => format!("{key}{start_ts}{}", long_value('x')),
            _ => format!("{key}{start_ts}"),
        };
        let writes = writes.iter().map(|(key, write)| (KEYS[*key], (*write, value(*write, KEYS[*key])))).collect();
        self.transactions.push(Transaction {
            mode,
            start_ts,
            for_update_ts: start_ts,
            writes,
            fate: Fate::Open,
            min_commit_ts: [None, None],
            has_prewritten: [false, false],
            has_locked: false,
            is_given_up: false,
        });
    }

    pub(super) fn lock_keys(&mut self, at: usize) {
        let for_update_ts = self.tick();
        let transaction = self.transactions[at].clone();
        let is_running = transaction.has_prewritten == [false, false] && !transaction.is_given_up;
        if transaction.mode != Mode::Pessimistic || !is_running {
            return;
        }
        let keys: Vec<_> = transaction.writes.keys().map(|key| bytes(key)).collect();
        let lock = PessimisticLock::new(keys, bytes(transaction.primary()), transaction.start_ts);
        match self.fixture.run(PessimisticLock { for_update_ts, return_values: true, ..lock }) {
            Ok(values) => {
                assert_ne!(
                    transaction.fate,
                    Fate::RolledBack,
                    "a rollback of the primary keeps it out: {transaction:?}"
                );
                for (key, found) in transaction.writes.keys().zip(values) {
                    let value = found.value.map(|value| text(&value));
                    assert_eq!(value, self.value_at(key, for_update_ts), "{key}");
                }
                self.transactions[at].for_update_ts = for_update_ts;
                self.transactions[at].has_locked = true;
            }
            Err(KeyError::Locked(lock)) => self.check_blocking(at, &lock),
            Err(KeyError::Abort(_)) => assert_ne!(transaction.fate, Fate::Open, "{transaction:?}"),
            Err(KeyError::WriteConflict(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    /// A lock belongs to somebody else, who was about to write the key.
    fn check_blocking(&self, at: usize, lock: &LockInfo) {
        let owner = self.transactions.iter().find(|other| other.start_ts == lock.start_ts).unwrap();
        assert_ne!(owner.start_ts, self.transactions[at].start_ts);
        assert!(owner.writes.contains_key(&text(&lock.key)[..]));
    }

    pub(super) fn prewrite(&mut self, at: usize, part: usize) {
        let transaction = self.transactions[at].clone();
        let mut keys = if part == 0 { vec![transaction.primary()] } else { transaction.others() };
        if transaction.mode == Mode::OnePhase {
            keys = transaction.writes.keys().copied().collect();
        }
        if keys.is_empty() {
            self.transactions[at].has_prewritten[part] = true;
            return;
        }
        if transaction.is_given_up || (transaction.mode == Mode::Pessimistic && !transaction.has_locked) {
            return;
        }
        let is_asynchronous = transaction.mode == Mode::Asynchronous;
        let secondaries = is_asynchronous.then(|| transaction.others().into_iter().map(bytes).collect());
        let prewrite = Prewrite::new(transaction.mutations(&keys), bytes(transaction.primary()), transaction.start_ts);
        let answer = self.fixture.run(Prewrite {
            for_update_ts: if transaction.mode == Mode::Pessimistic { transaction.for_update_ts } else { 0 },
            secondaries,
            min_commit_ts: transaction.start_ts + 1,
            max_commit_ts: if is_asynchronous { transaction.start_ts + 60 } else { 0 },
            try_one_pc: transaction.mode == Mode::OnePhase,
            ..prewrite
        });
        match answer {
            Ok(prewritten) => self.prewritten(at, part, &keys, prewritten),
            Err(errors) => errors.iter().for_each(|error| self.check_refused(at, error)),
        }
    }

    fn prewritten(&mut self, at: usize, part: usize, keys: &[&'static str], prewritten: Prewritten) {
        let transaction = self.transactions[at].clone();
        if let Fate::Committed(commit_ts) = transaction.fate {
            let is_known = prewritten.one_pc_commit_ts != 0 || transaction.has_prewritten[part];
            assert!(is_known, "{transaction:?}");
            assert!([0, commit_ts].contains(&prewritten.one_pc_commit_ts));
            return;
        }
        if part == 0 || transaction.mode == Mode::OnePhase {
            assert_eq!(transaction.fate, Fate::Open, "the rollback of a primary keeps it out: {transaction:?}");
        }
        let before = self.transactions[at].has_prewritten[part];
        if !before && transaction.fate == Fate::Open {
            for key in keys {
                let newer =
                    self.commits.get(key).and_then(|commits| commits.range(transaction.reads_up_to() + 1..).next());
                assert_eq!(newer, None, "{key} of {transaction:?} was written meanwhile");
            }
        }
        let calculated = prewritten.min_commit_ts.max(prewritten.one_pc_commit_ts);
        assert!(before || calculated == 0 || calculated > self.read_at, "{calculated} was read: {transaction:?}");
        let transaction = &mut self.transactions[at];
        transaction.has_prewritten[part] = true;
        transaction.min_commit_ts[part] = Some(prewritten.min_commit_ts);
        match transaction.mode {
            Mode::OnePhase => {
                assert!(prewritten.one_pc_commit_ts > transaction.start_ts);
                self.committed(at, prewritten.one_pc_commit_ts);
            }
            Mode::Asynchronous => self.commit_if_all_is_there(at),
            Mode::Optimistic | Mode::Pessimistic => {}
        }
    }

    /// With asynchronous commit, a transaction is committed once all its locks are there.
    fn commit_if_all_is_there(&mut self, at: usize) {
        let transaction = &self.transactions[at];
        let others = if transaction.others().is_empty() { Some(0) } else { transaction.min_commit_ts[1] };
        let (Some(primary), Some(others)) = (transaction.min_commit_ts[0], others) else { return };
        let has_fallen_back = primary == 0 || (others == 0 && !transaction.others().is_empty());
        if transaction.fate == Fate::Open && !has_fallen_back {
            self.committed(at, primary.max(others));
        }
    }

    fn check_refused(&self, at: usize, error: &KeyError) {
        let transaction = &self.transactions[at];
        match error {
            KeyError::Locked(lock) => self.check_blocking(at, lock),
            KeyError::WriteConflict(_) => {}
            KeyError::Abort(_) => assert_eq!(transaction.mode, Mode::Pessimistic),
            error => panic!("{error:?}"),
        }
    }

    pub(super) fn committed(&mut self, at: usize, commit_ts: u64) {
        let transaction = &mut self.transactions[at];
        assert_eq!(transaction.fate, Fate::Open);
        transaction.fate = Fate::Committed(commit_ts);
        self.now = self.now.max(commit_ts);
        for (key, (write, value)) in &transaction.writes {
            self.commits.entry(key).or_default().insert(commit_ts);
            let value = match write {
                Write::Put | Write::PutLong => Some(value.clone()),
                Write::Delete => None,
                Write::Lock => continue,
            };
            self.versions.entry(key).or_default().insert(commit_ts, value);
        }
    }

    pub(super) fn commit_primary(&mut self, at: usize) {
        let transaction = self.transactions[at].clone();
        let calculated = match transaction.fate {
            Fate::Committed(commit_ts) => Some(commit_ts),
            Fate::Open if transaction.has_prewritten != [true, true] => return,
            Fate::Open | Fate::RolledBack => None,
        };
        let commit_ts = calculated.unwrap_or_else(|| self.tick());
        let keys = vec![bytes(transaction.primary())];
        match self.fixture.run(Commit { start_ts: transaction.start_ts, commit_ts, keys }) {
            Ok(_) if transaction.fate == Fate::Open => self.committed(at, commit_ts),
            Ok(_) => assert_ne!(transaction.fate, Fate::RolledBack, "{transaction:?}"),
            Err(KeyError::CommitTsExpired(expired)) => {
                assert!(transaction.fate == Fate::Open && expired.min_commit_ts > commit_ts);
            }
            Err(error) => assert_eq!(transaction.fate, Fate::RolledBack, "{error:?} {transaction:?}"),
        }
    }

    pub(super) fn commit_others(&mut self, at: usize) {
        let transaction = self.transactions[at].clone();
        if let Fate::Committed(commit_ts) = transaction.fate {
            let keys = transaction.others().into_iter().map(bytes).collect();
            self.fixture.run(Commit { start_ts: transaction.start_ts, commit_ts, keys }).unwrap();
        }
    }

    pub(super) fn roll_back(&mut self, at: usize) {
        let transaction = self.transactions[at].clone();
        let keys: Vec<_> = transaction.writes.keys().map(|key| bytes(key)).collect();
        let is_committed = matches!(transaction.fate, Fate::Committed(_));
        if is_committed && transaction.mode == Mode::Asynchronous {
            // Its client knows, and its locks do not.
            return;
        }
        let answer = self.fixture.run(BatchRollback { start_ts: transaction.start_ts, keys });
        assert_eq!(answer.is_err(), is_committed, "{transaction:?}");
        if !is_committed {
            (self.transactions[at].fate, self.transactions[at].is_given_up) = (Fate::RolledBack, true);
            self.close(&transaction);
        }
    }

    /// Nobody who asks is told anything else.
    fn close(&self, transaction: &Transaction) {
        let status = self.fixture.run(self.status_of(transaction.primary(), transaction.start_ts, LockKind::Put));
        // A rollback that would lie where another transaction was committed is not written until then.
        assert!(matches!(status, Ok(TxnStatus::RolledBack | TxnStatus::LockNotExistRolledBack)), "{status:?}");
    }

    pub(super) fn pessimistic_roll_back(&mut self, at: usize) {
        let transaction = &mut self.transactions[at];
        if transaction.mode == Mode::Pessimistic && transaction.has_prewritten == [false, false] {
            let keys = transaction.writes.keys().map(|key| bytes(key)).collect();
            let (start_ts, for_update_ts) = (transaction.start_ts, transaction.for_update_ts);
            transaction.has_locked = false;
            self.fixture.run(PessimisticRollback { start_ts, for_update_ts, keys });
        }
    }
}
