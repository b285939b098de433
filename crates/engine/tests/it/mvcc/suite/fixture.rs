//! Transactions in a fresh store of the kind that the suite is run on.

use bytes::Bytes;
use charioteer_engine::mvcc::{
    Change, Command, Commit, Done, Get, KeyError, LockInfo, Mutation, MvccByKey, MvccInfo, MvccStore,
    PessimisticAction, PessimisticLock, Prewrite, Prewritten, Read, ReadAt, Scan,
};

use super::super::TestStore;

pub(crate) struct Fixture {
    pub(crate) opened: TestStore,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self { opened: TestStore::new() }
    }

    pub(crate) fn store(&self) -> &MvccStore {
        &self.opened.store
    }

    pub(crate) fn done<C: Command>(&self, command: C) -> Done<C::Reply> {
        self.store().run(command).unwrap()
    }

    pub(crate) fn run<C: Command>(&self, command: C) -> C::Reply {
        self.done(command).reply
    }

    pub(crate) fn read<R: Read>(&self, read: R) -> R::Reply {
        self.store().read(read).unwrap()
    }

    /// Locks keys for an optimistic transaction, the first as its primary.
    pub(crate) fn prewrite(&self, start_ts: u64, mutations: Vec<Mutation>) -> Result<Prewritten, Vec<KeyError>> {
        let primary = mutations[0].key.clone();
        self.run(Prewrite::new(mutations, primary, start_ts))
    }

    pub(crate) fn commit(&self, start_ts: u64, commit_ts: u64, keys: &[&str]) -> Result<u64, KeyError> {
        self.run(Commit { start_ts, commit_ts, keys: keys.iter().map(|key| bytes(key)).collect() })
    }

    /// Writes a value in a transaction of its own.
    pub(crate) fn put(&self, start_ts: u64, commit_ts: u64, key: &str, value: &str) {
        self.prewrite(start_ts, vec![put(key, value)]).unwrap();
        self.commit(start_ts, commit_ts, &[key]).unwrap();
    }

    pub(crate) fn delete(&self, start_ts: u64, commit_ts: u64, key: &str) {
        self.prewrite(start_ts, vec![delete(key)]).unwrap();
        self.commit(start_ts, commit_ts, &[key]).unwrap();
    }

    /// Locks keys for a running transaction, the first as its primary.
    pub(crate) fn lock(&self, start_ts: u64, for_update_ts: u64, keys: &[&str]) -> Result<(), KeyError> {
        let keys: Vec<Bytes> = keys.iter().map(|key| bytes(key)).collect();
        let primary = keys[0].clone();
        self.run(PessimisticLock { for_update_ts, ..PessimisticLock::new(keys, primary, start_ts) }).map(drop)
    }

    pub(crate) fn get_at(&self, key: &str, at: ReadAt) -> Result<Option<String>, KeyError> {
        self.read(Get { key: bytes(key), at }).map(|found| found.map(|found| text(&found.value)))
    }

    pub(crate) fn get(&self, key: &str, ts: u64) -> Option<String> {
        self.get_at(key, ReadAt::new(ts)).unwrap()
    }

    /// The keys and values that a scan finds; what could not be read has no value.
    pub(crate) fn scan(&self, scan: Scan) -> Vec<(String, Option<String>)> {
        let pairs = self.read(scan).unwrap().pairs;
        pairs.into_iter().map(|pair| (text(&pair.key), pair.found.ok().map(|found| text(&found.value)))).collect()
    }

    pub(crate) fn info(&self, key: &str) -> MvccInfo {
        self.read(MvccByKey { key: bytes(key) })
    }

    pub(crate) fn is_locked(&self, key: &str) -> bool {
        self.info(key).lock.is_some()
    }
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A timestamp in a millisecond.
pub(crate) const fn at_ms(ms: u64) -> u64 {
    ms << 18
}

pub(crate) fn put(key: &str, value: &str) -> Mutation {
    Mutation::new(bytes(key), Change::Put(bytes(value)))
}

pub(crate) fn insert(key: &str, value: &str) -> Mutation {
    Mutation::new(bytes(key), Change::Insert(bytes(value)))
}

pub(crate) fn delete(key: &str) -> Mutation {
    Mutation::new(bytes(key), Change::Delete)
}

pub(crate) fn lock_only(key: &str) -> Mutation {
    Mutation::new(bytes(key), Change::Lock)
}

/// As of a key that a pessimistic transaction has locked.
pub(crate) fn locked(mutation: Mutation) -> Mutation {
    Mutation { pessimistic: PessimisticAction::DoPessimisticCheck, ..mutation }
}

pub(crate) fn pessimistic(start_ts: u64, for_update_ts: u64, mutations: Vec<Mutation>) -> Prewrite {
    let primary = mutations[0].key.clone();
    Prewrite { for_update_ts, ..Prewrite::new(mutations, primary, start_ts) }
}

/// The lock that is in the way.
pub(crate) fn blocking<T: std::fmt::Debug>(answer: Result<T, KeyError>) -> LockInfo {
    match answer {
        Err(KeyError::Locked(lock)) => *lock,
        other => panic!("a lock should be in the way: {other:?}"),
    }
}

/// The only error of a prewrite.
pub(crate) fn refused(answer: Result<Prewritten, Vec<KeyError>>) -> KeyError {
    let mut errors = answer.unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

/// A value that does not fit the lock.
pub(crate) fn long_value(letter: char) -> String {
    letter.to_string().repeat(300)
}
