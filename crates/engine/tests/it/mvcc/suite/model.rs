//! Random transactions, some of which are left behind by their clients, against a map of versions.

use std::collections::{BTreeMap, BTreeSet};

use charioteer_engine::mvcc::{
    BatchRollback, CheckSecondaryLocks, CheckTxnStatus, Commit, FindGarbage, KeyError, KeyRange, LockInfo, LockKind,
    Mutation, PessimisticLock, PessimisticRollback, Prewrite, Prewritten, ReadAt, ResolveLock, ResolveLockLite, Scan,
    SecondaryLocks, TxnStatus,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::super::TestStore;
use super::fixture::{Fixture, bytes, delete, lock_only, locked, long_value, put, text};

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Optimistic,
    Pessimistic,
    Asynchronous,
    OnePhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Put,
    PutLong,
    Delete,
    Lock,
}

/// Transactions are named by their number among those that were begun, and keys by theirs.
#[derive(Debug, Clone)]
enum Step {
    Begin { mode: Mode, writes: Vec<(usize, Write)> },
    LockKeys(usize),
    PrewritePrimary(usize),
    PrewriteOthers(usize),
    CommitPrimary(usize),
    CommitOthers(usize),
    RollBack(usize),
    PessimisticRollBack(usize),
    ReadNow { backward: bool },
    ReadThen { back: u64, backward: bool },
    Collect { back: u64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let mode =
        prop_oneof![Just(Mode::Optimistic), Just(Mode::Pessimistic), Just(Mode::Asynchronous), Just(Mode::OnePhase)];
    let write = prop_oneof![
        4 => Just(Write::Put), 1 => Just(Write::PutLong), 2 => Just(Write::Delete), 1 => Just(Write::Lock)
    ];
    let writes = prop::collection::vec((0..KEYS.len(), write), 1..4);
    let number = || 0..4_usize;
    prop_oneof![
        6 => (mode, writes).prop_map(|(mode, writes)| Step::Begin { mode, writes }),
        4 => number().prop_map(Step::LockKeys),
        8 => number().prop_map(Step::PrewritePrimary),
        8 => number().prop_map(Step::PrewriteOthers),
        8 => number().prop_map(Step::CommitPrimary),
        6 => number().prop_map(Step::CommitOthers),
        2 => number().prop_map(Step::RollBack),
        1 => number().prop_map(Step::PessimisticRollBack),
        3 => any::<bool>().prop_map(|backward| Step::ReadNow { backward }),
        4 => (1..40_u64, any::<bool>()).prop_map(|(back, backward)| Step::ReadThen { back, backward }),
        1 => (5..40_u64).prop_map(|back| Step::Collect { back }),
        1 => Just(Step::Reopen),
    ]
}

/// What is known of how a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Committed(u64),
    RolledBack,
}

#[derive(Debug, Clone)]
struct Transaction {
    mode: Mode,
    start_ts: u64,
    for_update_ts: u64,
    /// The first key is the primary.
    writes: BTreeMap<&'static str, (Write, String)>,
    fate: Fate,
    /// With asynchronous commit, what the prewrites answered.
    min_commit_ts: [Option<u64>; 2],
    has_prewritten: [bool; 2],
    has_locked: bool,
    /// Whether its client has rolled it back, and so asks for nothing more.
    is_given_up: bool,
}

impl Transaction {
    fn primary(&self) -> &'static str {
        self.writes.keys().next().unwrap()
    }

    fn others(&self) -> Vec<&'static str> {
        self.writes.keys().skip(1).copied().collect()
    }

    fn mutations(&self, keys: &[&'static str]) -> Vec<Mutation> {
        let of = |key: &&'static str| {
            let (write, value) = &self.writes[key];
            let mutation = match write {
                Write::Put | Write::PutLong => put(key, value),
                Write::Delete => delete(key),
                Write::Lock => lock_only(key),
            };
            if self.mode == Mode::Pessimistic { locked(mutation) } else { mutation }
        };
        keys.iter().map(of).collect()
    }

    /// Up to where others' versions may lie.
    fn reads_up_to(&self) -> u64 {
        if self.mode == Mode::Pessimistic { self.for_update_ts } else { self.start_ts }
    }
}

struct Run {
    fixture: Fixture,
    now: u64,
    /// The latest timestamp that everything was read at.
    read_at: u64,
    safe_point: u64,
    transactions: Vec<Transaction>,
    /// Of each key, what was committed when; `None` is a deletion.
    versions: BTreeMap<&'static str, BTreeMap<u64, Option<String>>>,
    /// All that was committed, locks without a change too.
    commits: BTreeMap<&'static str, BTreeSet<u64>>,
}

impl Run {
    fn new() -> Self {
        let (versions, commits) = (BTreeMap::new(), BTreeMap::new());
        Self {
            fixture: Fixture::new(),
            now: 10,
            read_at: 0,
            safe_point: 0,
            transactions: Vec::new(),
            versions,
            commits,
        }
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin { mode, writes } => self.begin(*mode, writes),
            Step::LockKeys(number) => self.with(*number, Self::lock_keys),
            Step::PrewritePrimary(number) => self.with(*number, |run, at| run.prewrite(at, 0)),
            Step::PrewriteOthers(number) => self.with(*number, |run, at| run.prewrite(at, 1)),
            Step::CommitPrimary(number) => self.with(*number, Self::commit_primary),
            Step::CommitOthers(number) => self.with(*number, Self::commit_others),
            Step::RollBack(number) => self.with(*number, Self::roll_back),
            Step::PessimisticRollBack(number) => self.with(*number, Self::pessimistic_roll_back),
            Step::ReadNow { backward } => {
                let ts = self.tick();
                self.read(ts, *backward);
            }
            Step::ReadThen { back, backward } => {
                let ts = self.now.saturating_sub(*back).max(self.safe_point);
                self.read(ts, *backward);
            }
            Step::Collect { back } => self.collect(self.now.saturating_sub(*back)),
            Step::Reopen => {
                self.fixture.opened.reopen();
                let now = self.tick();
                self.fixture.store().raise_max_read_ts(now);
            }
        }
    }

    /// One of the latest transactions.
    fn with(&mut self, number: usize, act: impl FnOnce(&mut Self, usize)) {
        if let Some(at) = self.transactions.len().checked_sub(1 + number) {
            act(self, at);
        }
    }

    fn begin(&mut self, mode: Mode, writes: &[(usize, Write)]) {
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

    fn lock_keys(&mut self, at: usize) {
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

    fn prewrite(&mut self, at: usize, part: usize) {
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

    fn committed(&mut self, at: usize, commit_ts: u64) {
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

    fn commit_primary(&mut self, at: usize) {
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

    fn commit_others(&mut self, at: usize) {
        let transaction = self.transactions[at].clone();
        if let Fate::Committed(commit_ts) = transaction.fate {
            let keys = transaction.others().into_iter().map(bytes).collect();
            self.fixture.run(Commit { start_ts: transaction.start_ts, commit_ts, keys }).unwrap();
        }
    }

    fn roll_back(&mut self, at: usize) {
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

    fn pessimistic_roll_back(&mut self, at: usize) {
        let transaction = &mut self.transactions[at];
        if transaction.mode == Mode::Pessimistic && transaction.has_prewritten == [false, false] {
            let keys = transaction.writes.keys().map(|key| bytes(key)).collect();
            let (start_ts, for_update_ts) = (transaction.start_ts, transaction.for_update_ts);
            transaction.has_locked = false;
            self.fixture.run(PessimisticRollback { start_ts, for_update_ts, keys });
        }
    }

    fn value_at(&self, key: &str, ts: u64) -> Option<String> {
        self.versions
            .get(key)
            .and_then(|versions| versions.range(..=ts).next_back())
            .and_then(|(_, value)| value.clone())
    }

    /// Reads everything at a timestamp, and ends the locks that are in the way as if their time were over.
    fn read(&mut self, ts: u64, backward: bool) {
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

    fn status_of(&self, primary: &str, start_ts: u64, kind: LockKind) -> CheckTxnStatus {
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
    fn collect(&mut self, safe_point: u64) {
        if safe_point <= self.safe_point {
            return;
        }
        let locks = self.fixture.read(charioteer_engine::mvcc::ScanLock::new(KeyRange::all(), safe_point, 0)).unwrap();
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

#[test]
fn random_transactions_are_as_a_map_of_versions_says() {
    let config = Config { cases: TestStore::MODEL_CASES, ..Config::default() };
    let steps = prop::collection::vec(step(), 1..120);
    TestRunner::new(config)
        .run(&steps, |steps| {
            let mut run = Run::new();
            steps.iter().for_each(|step| run.take(step));
            let now = run.tick();
            run.read(now, false);
            for ts in (run.safe_point..now).step_by(3) {
                run.read(ts, ts % 2 == 0);
            }
            Ok(())
        })
        .unwrap();
}
