//! etcd's keys as they are now, and what has lately happened to them, without I/O.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use bytes::Bytes;
use charioteer_proto::tikv::etcdserverpb::range_request::{SortOrder, SortTarget};
use charioteer_proto::tikv::etcdserverpb::{RangeRequest, RangeResponse};
use charioteer_proto::tikv::mvccpb::KeyValue;

/// How much all keys and values may take, in bytes. Clients keep safe points and settings here, which take little.
const MOST_BYTES: usize = 16 << 20;

/// The longest key, in bytes: the store cannot hold much longer ones.
const MOST_KEY_BYTES: usize = 60_000;

/// How many changes are remembered for those who watch, if they take no more than all keys may.
const REMEMBERED: usize = 1000;

/// The keys, each change of which has the next revision.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tikv::pd) struct Keys {
    keys: BTreeMap<Bytes, KeyValue>,
    revision: i64,
    bytes: usize,
    /// The newest last.
    changes: VecDeque<Change>,
    changes_bytes: usize,
    /// The last revision of which nothing is remembered.
    forgotten: i64,
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tikv::pd) struct Change {
    pub(in crate::tikv::pd) revision: i64,
    /// Whether it was deleted.
    pub(in crate::tikv::pd) deleted: bool,
    /// What it is, or was.
    pub(in crate::tikv::pd) pair: KeyValue,
}

/// Why a key is not put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tikv::pd) enum PutError {
    NoKey,
    TooLarge,
    NoSpace,
}

/// Revisions of which nothing is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tikv::pd) struct Forgotten {
    pub(in crate::tikv::pd) up_to: i64,
}

impl Keys {
    /// The keys as they were left, at that revision.
    pub(super) fn restore(pairs: Vec<KeyValue>, revision: i64) -> Self {
        let bytes = pairs.iter().map(size).sum();
        let keys = pairs.into_iter().map(|pair| (pair.key.clone(), pair)).collect();
        Self { keys, revision, bytes, changes: VecDeque::new(), changes_bytes: 0, forgotten: revision }
    }

    pub(in crate::tikv::pd) const fn revision(&self) -> i64 {
        self.revision
    }

    pub(in crate::tikv::pd) fn get(&self, key: &[u8]) -> Option<&KeyValue> {
        self.keys.get(key)
    }

    /// All that begin so.
    pub(in crate::tikv::pd) fn beginning_with(&self, prefix: &[u8]) -> impl Iterator<Item = &KeyValue> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.keys.range::<[u8], _>(from).map(|(_, pair)| pair).take_while(move |pair| pair.key.starts_with(prefix))
    }

    /// Puts a key, and answers it as it is now.
    pub(in crate::tikv::pd) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<KeyValue, PutError> {
        if key.is_empty() {
            return Err(PutError::NoKey);
        }
        if key.len() > MOST_KEY_BYTES {
            return Err(PutError::TooLarge);
        }
        let old = self.keys.get(key);
        let bytes = self.bytes - old.map_or(0, size) + key.len() + value.len();
        if bytes > MOST_BYTES {
            return Err(PutError::NoSpace);
        }
        let revision = self.revision + 1;
        let pair = KeyValue {
            create_revision: old.map_or(revision, |old| old.create_revision),
            version: old.map_or(1, |old| old.version + 1),
            mod_revision: revision,
            // Both may be slices of a larger message, which would be kept with them.
            key: Bytes::copy_from_slice(key),
            value: Bytes::copy_from_slice(value),
            lease: 0,
        };
        (self.bytes, self.revision) = (bytes, revision);
        self.keys.insert(pair.key.clone(), pair.clone());
        self.remember(Change { revision, deleted: false, pair: pair.clone() });
        Ok(pair)
    }

    /// Deletes a key; one that is not there takes no revision.
    pub(in crate::tikv::pd) fn delete(&mut self, key: &[u8]) -> Option<KeyValue> {
        let pair = self.keys.remove(key)?;
        self.bytes -= size(&pair);
        self.revision += 1;
        self.remember(Change { revision: self.revision, deleted: true, pair: pair.clone() });
        Some(pair)
    }

    fn remember(&mut self, change: Change) {
        self.changes_bytes += size(&change.pair);
        self.changes.push_back(change);
        while self.changes.len() > REMEMBERED || self.changes_bytes > MOST_BYTES {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.changes_bytes -= size(&oldest.pair);
            self.forgotten = oldest.revision;
        }
    }

    /// What happened from that revision on to keys that begin so.
    pub(in crate::tikv::pd) fn changes_from(&self, revision: i64, prefix: &[u8]) -> Result<Vec<Change>, Forgotten> {
        if revision <= self.forgotten {
            return Err(Forgotten { up_to: self.forgotten });
        }
        let wanted = self.changes.iter().filter(|change| change.revision >= revision);
        Ok(wanted.filter(|change| change.pair.key.starts_with(prefix)).cloned().collect())
    }

    /// The keys of a range, as they are now.
    pub(super) fn range(&self, request: &RangeRequest) -> RangeResponse {
        let end = match &request.range_end[..] {
            b"" => Bound::Included(&request.key[..]),
            b"\0" => Bound::Unbounded,
            end => Bound::Excluded(end),
        };
        if matches!(end, Bound::Excluded(end) if *end <= request.key[..]) {
            return RangeResponse::default();
        }
        let pairs = self.keys.range::<[u8], _>((Bound::Included(&request.key[..]), end)).map(|(_, pair)| pair);
        let all: Vec<&KeyValue> = pairs.collect();
        let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
        if request.count_only {
            return RangeResponse { count, ..RangeResponse::default() };
        }
        let mut wanted: Vec<&KeyValue> = all.into_iter().filter(|pair| is_wanted(pair, request)).collect();
        sort(&mut wanted, request);
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let more = wanted.len() > limit;
        let told = |pair: &KeyValue| match request.keys_only {
            true => KeyValue { value: Bytes::new(), ..pair.clone() },
            false => pair.clone(),
        };
        RangeResponse { header: None, kvs: wanted.into_iter().take(limit).map(told).collect(), more, count }
    }
}

fn size(pair: &KeyValue) -> usize {
    pair.key.len() + pair.value.len()
}

fn is_wanted(pair: &KeyValue, request: &RangeRequest) -> bool {
    let within = |revision: i64, least: i64, most: i64| revision >= least && (most == 0 || revision <= most);
    within(pair.mod_revision, request.min_mod_revision, request.max_mod_revision)
        && within(pair.create_revision, request.min_create_revision, request.max_create_revision)
}

/// Pairs come by key; a target without an order ascends.
fn sort(pairs: &mut [&KeyValue], request: &RangeRequest) {
    match request.sort_target() {
        SortTarget::Key => {}
        SortTarget::Version => pairs.sort_by_key(|pair| pair.version),
        SortTarget::Create => pairs.sort_by_key(|pair| pair.create_revision),
        SortTarget::Mod => pairs.sort_by_key(|pair| pair.mod_revision),
        SortTarget::Value => pairs.sort_by(|one, other| one.value.cmp(&other.value)),
    }
    if request.sort_order() == SortOrder::Descend {
        pairs.reverse();
    }
}
