//! What a commit is going to do: what is written, in which order, and which way it may go. Nothing here waits or sends.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::prewrite_request::{ForUpdateTsConstraint, PessimisticAction};
use charioteer_proto::tikv::kvrpcpb::{Assertion, AssertionLevel, Mutation, Op};

use super::buffer::{Buffer, Write};
use super::options::TxnOptions;

/// A transaction with more keys, or with longer ones, waits for its primary. The limits are those of client-go.
const MOST_ASYNC_KEYS: usize = 256;
const MOST_ASYNC_KEY_BYTES: usize = 4 << 10;

/// How long locks hold at least and at most.
const LEAST_TTL: Duration = Duration::from_secs(3);
const MOST_TTL: Duration = Duration::from_secs(20);
/// Those of a transaction with fewer bytes hold for the least.
const SMALL: usize = 16 << 10;

/// A key that was locked before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Its newest value when it was locked, where that was asked for; `None` within for a key that was not there.
    pub(super) value: Option<Option<Bytes>>,
    /// The timestamp up to which the lock has seen the key, where it may be another than that of all.
    pub(super) seen_up_to: Option<u64>,
}

/// What was locked before it is written.
#[derive(Clone, Debug)]
pub(super) struct HeldKeys {
    pub(super) primary: Bytes,
    pub(super) for_update_ts: u64,
    pub(super) keys: BTreeMap<Bytes, Held>,
}

/// What is to be committed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) start_ts: u64,
    pub(super) primary: Bytes,
    /// In the order of their keys.
    pub(super) mutations: Vec<Mutation>,
    /// What was locked before.
    pub(super) held: Option<HeldKeys>,
    pub(super) one_phase: bool,
    pub(super) async_commit: bool,
    pub(super) causal: bool,
    /// How closely stores look at what is taken to be so.
    pub(super) assertion_level: AssertionLevel,
    /// How many bytes keys and values have.
    pub(super) bytes: usize,
}

impl Plan {
    /// What is to be done for what was written; `None` if nothing was.
    pub(super) fn new(start_ts: u64, buffer: &Buffer, held: Option<HeldKeys>, options: &TxnOptions) -> Option<Self> {
        let is_written =
            |(_, write): (&Bytes, &Write)| held.is_none() || !matches!(write, Write::Lock | Write::CheckMissing);
        if !buffer.iter().any(is_written) {
            return None;
        }
        let mutations = mutations(buffer, held.as_ref());
        let first = mutations.iter().find(|mutation| locks(mutation)).or_else(|| mutations.first())?;
        let primary = held.as_ref().map_or(&first.key, |held| &held.primary).clone();
        let is_any_expected = mutations.iter().any(|mutation| mutation.assertion() != Assertion::None);
        let key_bytes: usize = mutations.iter().map(|mutation| mutation.key.len()).sum();
        let is_any_locked = mutations.iter().any(locks);
        let is_short = mutations.len() <= MOST_ASYNC_KEYS && key_bytes <= MOST_ASYNC_KEY_BYTES;
        Some(Self {
            start_ts,
            primary,
            one_phase: options.one_phase && is_any_locked,
            async_commit: options.async_commit && is_any_locked && is_short,
            causal: options.causal,
            assertion_level: if is_any_expected { options.assertions.level() } else { AssertionLevel::Off },
            bytes: buffer.bytes(),
            held,
            mutations,
        })
    }

    /// What is left to do for a transaction of which all but its primary's commit is done, or is done by others.
    pub(super) fn of_primary(start_ts: u64, primary: Bytes) -> Self {
        let mutation = Mutation { op: Op::Put.into(), key: primary.clone(), ..Mutation::default() };
        Self {
            start_ts,
            primary,
            mutations: vec![mutation],
            held: None,
            one_phase: false,
            async_commit: false,
            causal: false,
            assertion_level: AssertionLevel::Off,
            bytes: 0,
        }
    }

    /// The keys that are locked and then committed.
    pub(super) fn locked(&self) -> impl Iterator<Item = &Bytes> {
        self.mutations.iter().filter(|mutation| locks(mutation)).map(|mutation| &mutation.key)
    }

    /// The same, to be kept.
    pub(super) fn locked_keys(&self) -> Vec<Bytes> {
        self.locked().cloned().collect()
    }

    /// Whether there are any.
    pub(super) fn locks_any(&self) -> bool {
        self.locked().next().is_some()
    }

    /// How much of a request each takes.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.mutations.iter().map(|mutation| mutation.key.len() + mutation.value.len()).collect()
    }

    /// All that are locked but the primary, as the primary's lock names them.
    pub(super) fn secondaries(&self) -> Vec<Bytes> {
        self.locked().filter(|key| **key != self.primary).cloned().collect()
    }

    /// The timestamp up to which the transaction has seen what it has locked before.
    pub(super) fn for_update_ts(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.for_update_ts)
    }

    /// The least timestamp at which it can be committed.
    pub(super) fn least_commit_ts(&self) -> u64 {
        self.start_ts.max(self.for_update_ts()) + 1
    }

    /// What the store is to look for, of each of these: those that were locked must be so still.
    pub(super) fn pessimistic_actions(&self, mutations: &[usize]) -> Vec<i32> {
        let Some(held) = &self.held else { return Vec::new() };
        let action = |at: &usize| match held.keys.contains_key(&self.mutations[*at].key) {
            true => PessimisticAction::DoPessimisticCheck,
            false => PessimisticAction::SkipPessimisticCheck,
        };
        mutations.iter().map(|at| action(at).into()).collect()
    }

    /// The same of those whose lock must be the very one that was told of.
    pub(super) fn constraints(&self, mutations: &[usize]) -> Vec<ForUpdateTsConstraint> {
        let Some(held) = &self.held else { return Vec::new() };
        let constraint = |(index, at): (usize, &usize)| {
            let expected_for_update_ts = held.keys.get(&self.mutations[*at].key)?.seen_up_to?;
            Some(ForUpdateTsConstraint { index: u32::try_from(index).ok()?, expected_for_update_ts })
        };
        mutations.iter().enumerate().filter_map(constraint).collect()
    }
}

/// Whether it locks its key, or only looks.
fn locks(mutation: &Mutation) -> bool {
    mutation.op() != Op::CheckNotExists
}

/// What is sent for what was written, in the order of the keys.
pub(super) fn mutations(buffer: &Buffer, held: Option<&HeldKeys>) -> Vec<Mutation> {
    let mutation = |key: &Bytes, op: Op, value: Bytes| {
        let assertion = match buffer.expected(key) {
            None => Assertion::None,
            Some(true) => Assertion::Exist,
            Some(false) => Assertion::NotExist,
        };
        Mutation { op: op.into(), key: key.clone(), value, assertion: assertion.into() }
    };
    let written = buffer.iter().map(|(key, write)| match write {
        Write::Put(value) => mutation(key, Op::Put, value.clone()),
        // That it was not there was seen when it was locked.
        Write::Insert(value) if held.is_some() => mutation(key, Op::Put, value.clone()),
        Write::Insert(value) => mutation(key, Op::Insert, value.clone()),
        Write::Delete => mutation(key, Op::Del, Bytes::new()),
        Write::CheckMissing if held.is_none() => mutation(key, Op::CheckNotExists, Bytes::new()),
        Write::CheckMissing | Write::Lock => mutation(key, Op::Lock, Bytes::new()),
    });
    let mut mutations: Vec<Mutation> = written.collect();
    let only_locked = held.into_iter().flat_map(|held| held.keys.keys()).filter(|key| buffer.get(key).is_none());
    mutations.extend(only_locked.map(|key| mutation(key, Op::Lock, Bytes::new())));
    mutations.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    mutations
}

/// How long locks hold, which are put on so long after the transaction began: longer the more there is to write.
pub(super) fn lock_ttl_ms(bytes: usize, elapsed: Duration) -> u64 {
    let ttl = if bytes < SMALL {
        LEAST_TTL
    } else {
        // What matters is no more than its order of magnitude.
        #[expect(clippy::cast_precision_loss, reason = "a size in memory, which is far below 2^52")]
        let mebibytes = bytes as f64 / f64::from(1 << 20);
        Duration::from_secs_f64(6.0 * mebibytes.sqrt()).clamp(LEAST_TTL, MOST_TTL)
    };
    u64::try_from((ttl + elapsed).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer() -> Buffer {
        let mut buffer = Buffer::default();
        buffer.insert("a".into(), "1".into()).unwrap();
        buffer.delete("a".into());
        buffer.put("b".into(), "2".into());
        buffer.insert("c".into(), "3".into()).unwrap();
        buffer.delete("d".into());
        buffer.lock("e".into());
        buffer
    }

    fn plan(buffer: &Buffer, held: Option<HeldKeys>) -> Option<Plan> {
        let options = TxnOptions { async_commit: true, ..TxnOptions::default() };
        Plan::new(10, buffer, held, &options)
    }

    fn ops(plan: &Plan) -> Vec<Op> {
        plan.mutations.iter().map(Mutation::op).collect()
    }

    #[test]
    fn the_primary_is_the_first_key_that_is_locked() {
        let plan = plan(&buffer(), None).unwrap();
        assert_eq!(ops(&plan), [Op::CheckNotExists, Op::Put, Op::Insert, Op::Del, Op::Lock]);
        assert_eq!(plan.primary, "b");
        assert_eq!(plan.secondaries(), ["c", "d", "e"]);
        assert_eq!((plan.least_commit_ts(), plan.for_update_ts()), (11, 0));
        assert!(plan.pessimistic_actions(&[0, 1]).is_empty() && plan.constraints(&[0, 1]).is_empty());
    }

    #[test]
    fn keys_that_were_locked_before_are_looked_for_and_locked_on() {
        let held = |seen_up_to| Held { value: None, seen_up_to };
        let keys = BTreeMap::from([("c".into(), held(None)), ("z".into(), held(Some(30)))]);
        let plan = plan(&buffer(), Some(HeldKeys { primary: "z".into(), for_update_ts: 30, keys })).unwrap();
        assert_eq!(ops(&plan), [Op::Lock, Op::Put, Op::Put, Op::Del, Op::Lock, Op::Lock]);
        assert_eq!((plan.primary.clone(), plan.least_commit_ts()), (Bytes::from("z"), 31));
        assert_eq!(plan.pessimistic_actions(&[1, 2, 5]), [0, 1, 1]);
        let constraints = plan.constraints(&[2, 5]);
        assert_eq!(constraints, [ForUpdateTsConstraint { index: 1, expected_for_update_ts: 30 }]);
    }

    #[test]
    fn a_transaction_that_has_only_locked_has_nothing_to_commit_unless_its_locks_are_yet_to_be_checked() {
        assert!(plan(&Buffer::default(), None).is_none());
        let mut locks = Buffer::default();
        locks.lock("a".into());
        assert!(plan(&locks, None).is_some());
        let held = HeldKeys { primary: "a".into(), for_update_ts: 1, keys: BTreeMap::new() };
        assert!(plan(&locks, Some(held)).is_none());
    }

    #[test]
    fn one_that_only_looks_locks_nothing_and_takes_no_short_cut() {
        let mut looks = Buffer::default();
        looks.insert("a".into(), "1".into()).unwrap();
        looks.delete("a".into());
        let plan = plan(&looks, None).unwrap();
        assert!(plan.locked_keys().is_empty() && !plan.one_phase && !plan.async_commit);
    }

    #[test]
    fn many_keys_or_long_ones_wait_for_their_primary() {
        let of = |keys: usize, bytes: usize| {
            let mut buffer = Buffer::default();
            for key in 0..keys {
                buffer.put(format!("{key:0bytes$}").into(), "".into());
            }
            plan(&buffer, None).unwrap().async_commit
        };
        assert!(of(256, 3) && !of(257, 3));
        assert!(of(2, 2048) && !of(2, 2049));
    }

    #[test]
    fn locks_hold_the_longer_the_more_there_is() {
        let ttl = |bytes| lock_ttl_ms(bytes, Duration::ZERO);
        assert_eq!((ttl(0), ttl(1 << 20), ttl(1 << 30)), (3000, 6000, 20_000));
        assert_eq!(lock_ttl_ms(0, Duration::from_secs(5)), 8000);
    }
}
