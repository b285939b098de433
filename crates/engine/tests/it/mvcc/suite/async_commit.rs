//! Commit timestamps that are calculated: asynchronous commit, and commits in one phase.

use charioteer_engine::mvcc::{KeyError, LockKind, Prewrite, Prewritten, ReadAt};

use super::fixture::{Fixture, bytes, delete, insert, lock_only, locked, long_value, pessimistic, put};

fn asynchronous(prewrite: Prewrite, secondaries: &[&str]) -> Prewrite {
    Prewrite { secondaries: Some(secondaries.iter().map(|key| bytes(key)).collect()), ..prewrite }
}

fn one_phase(prewrite: Prewrite) -> Prewrite {
    Prewrite { try_one_pc: true, ..prewrite }
}

fn of(start_ts: u64, key: &str) -> Prewrite {
    Prewrite::new(vec![put(key, "1")], bytes(key), start_ts)
}

const fn min(min_commit_ts: u64) -> Prewritten {
    Prewritten { min_commit_ts, one_pc_commit_ts: 0 }
}

const fn at_once(one_pc_commit_ts: u64) -> Prewritten {
    Prewritten { min_commit_ts: 0, one_pc_commit_ts }
}

#[test]
fn a_commit_lies_behind_its_start_its_locks_and_all_that_was_read() {
    let store = Fixture::new();
    assert_eq!(store.run(asynchronous(of(10, "a"), &[])), Ok(min(11)));
    store.get("x", 30);
    assert_eq!(store.run(asynchronous(of(20, "b"), &[])), Ok(min(31)));
    let prewrite = Prewrite { min_commit_ts: 50, ..of(40, "c") };
    assert_eq!(store.run(asynchronous(prewrite, &[])), Ok(min(50)));
    store.lock(60, 70, &["d"]).unwrap();
    let prewrite = pessimistic(60, 70, vec![locked(put("d", "1"))]);
    assert_eq!(store.run(asynchronous(prewrite, &[])), Ok(min(71)));
    assert_eq!(store.info("d").lock.unwrap().min_commit_ts, 71);
}

#[test]
fn the_primary_tells_of_the_other_keys_and_they_do_not() {
    let store = Fixture::new();
    let mutations = vec![put("a", "1"), put("b", "1")];
    store.run(asynchronous(Prewrite::new(mutations, "a".into(), 10), &["b", "c"])).unwrap();
    let [a, b] = ["a", "b"].map(|key| store.info(key).lock.unwrap());
    assert!(a.use_async_commit && b.use_async_commit);
    assert_eq!((a.secondaries, b.secondaries), (vec![bytes("b"), bytes("c")], vec![]));
}

#[test]
fn asked_again_it_answers_the_same_timestamp() {
    let store = Fixture::new();
    store.run(asynchronous(of(10, "a"), &[])).unwrap();
    store.get("x", 30);
    assert_eq!(store.run(asynchronous(of(10, "a"), &[])), Ok(min(11)));
    store.commit(10, 15, &["a"]).unwrap();
    assert_eq!(store.run(asynchronous(of(10, "a"), &[])), Ok(min(15)), "it is committed");
}

#[test]
fn what_would_be_committed_too_late_is_committed_in_two_phases() {
    let store = Fixture::new();
    store.get("x", 30);
    let late = |prewrite| Prewrite { max_commit_ts: 30, ..prewrite };
    assert_eq!(store.run(asynchronous(late(of(10, "a")), &["b"])), Ok(Prewritten::default()));
    let lock = store.info("a").lock.unwrap();
    assert!(!lock.use_async_commit && lock.secondaries.is_empty() && lock.min_commit_ts == 0);
    assert_eq!(store.run(asynchronous(late(of(10, "a")), &["b"])), Ok(Prewritten::default()), "and stays so");

    assert_eq!(store.run(one_phase(late(of(10, "c")))), Ok(Prewritten::default()));
    assert!(store.is_locked("c"));
    store.commit(10, 40, &["a", "c"]).unwrap();
}

#[test]
fn a_key_that_was_locked_for_two_phases_has_the_others_locked_so() {
    let store = Fixture::new();
    store.run(of(10, "a")).unwrap();
    let both = Prewrite::new(vec![put("a", "1"), put("b", "1")], "a".into(), 10);
    assert_eq!(store.run(asynchronous(both, &["b"])), Ok(Prewritten::default()));
    assert!(!store.info("b").lock.unwrap().use_async_commit);
}

#[test]
fn a_key_that_was_locked_is_not_committed_at_once_with_the_others() {
    let store = Fixture::new();
    store.run(asynchronous(of(10, "a"), &["b"])).unwrap();
    let both = Prewrite::new(vec![put("a", "1"), put("b", "1")], "a".into(), 10);
    assert_eq!(store.run(one_phase(both)), Ok(Prewritten::default()));
    assert!(store.is_locked("a") && store.is_locked("b"));
}

#[test]
fn that_it_is_too_late_may_come_of_that_it_is_committed() {
    let store = Fixture::new();
    let prewrite = Prewrite { skip_constraint_check: true, max_commit_ts: 30, ..of(10, "a") };
    store.run(asynchronous(prewrite.clone(), &[])).unwrap();
    store.commit(10, 20, &["a"]).unwrap();
    store.get("x", 99);
    assert_eq!(store.run(asynchronous(prewrite, &[])), Ok(min(20)));
    assert!(!store.is_locked("a"));
}

#[test]
fn one_phase_writes_at_once() {
    let store = Fixture::new();
    store.put(1, 2, "b", "0");
    store.get("x", 30);
    let long = long_value('x');
    let mutations = vec![put("a", &long), delete("b"), lock_only("c"), insert("d", "1")];
    let done = store.done(one_phase(Prewrite::new(mutations, "a".into(), 20)));
    assert_eq!((done.reply, done.released), (Ok(at_once(31)), vec![]));
    assert_eq!((store.get("a", 31), store.get("a", 30)), (Some(long), None));
    assert_eq!((store.get("b", 31), store.get("b", 30).as_deref()), (None, Some("0")));
    assert_eq!(store.get("d", 31).as_deref(), Some("1"));
    assert!(["a", "b", "c", "d"].iter().all(|key| !store.is_locked(key)));
}

#[test]
fn one_phase_gives_back_pessimistic_locks() {
    let store = Fixture::new();
    store.lock(10, 15, &["a", "b"]).unwrap();
    let done = store.done(one_phase(pessimistic(10, 15, vec![locked(put("a", "1")), locked(lock_only("b"))])));
    assert_eq!(done.reply, Ok(at_once(16)));
    let released: Vec<_> =
        done.released.iter().map(|lock| (&lock.key[..], lock.commit_ts, lock.was_pessimistic)).collect();
    assert_eq!(released, [(&b"a"[..], 16, true), (&b"b"[..], 16, true)]);
    assert!(!store.is_locked("a") && !store.is_locked("b"));
}

#[test]
fn one_phase_asked_again_answers_when_it_was_committed() {
    let store = Fixture::new();
    store.run(one_phase(of(10, "a"))).unwrap();
    assert_eq!(store.run(one_phase(of(10, "a"))), Ok(at_once(11)));
    let both = Prewrite { secondaries: Some(vec![]), ..one_phase(of(20, "b")) };
    let answer = Prewritten { min_commit_ts: 21, one_pc_commit_ts: 21 };
    assert_eq!(store.run(both.clone()), Ok(answer));
    assert_eq!(store.run(both), Ok(answer));
}

#[test]
fn what_is_refused_asked_again_may_be_committed_as_any_of_its_keys_shows() {
    use charioteer_engine::mvcc::{Assertion, AssertionLevel, Change, Mutation};

    let store = Fixture::new();
    let check = Mutation::new("a".into(), Change::CheckNotExists);
    let asserted = Mutation { assertion: Assertion::NotExist, ..put("b", "1") };
    let of_all = |start_ts, primary: &'static str, written| Prewrite {
        assertion_level: AssertionLevel::Strict,
        skip_constraint_check: true,
        ..Prewrite::new(vec![check.clone(), asserted.clone(), written], primary.into(), start_ts)
    };
    let at_first = one_phase(of_all(10, "c", put("c", "1")));
    assert_eq!(store.run(at_first.clone()), Ok(at_once(11)));
    let second = asynchronous(Prewrite::new(vec![check.clone(), put("d", "1")], "d".into(), 20), &[]);
    assert_eq!(store.run(second.clone()), Ok(min(21)));
    store.commit(20, 21, &["d"]).unwrap();
    store.put(30, 31, "a", "another's");
    assert_eq!(store.run(at_first), Ok(at_once(11)));
    assert_eq!(store.run(second), Ok(min(21)));
}

#[test]
fn one_phase_that_is_refused_writes_nothing() {
    let store = Fixture::new();
    store.prewrite(5, vec![put("b", "1")]).unwrap();
    let both = Prewrite::new(vec![put("a", "1"), put("b", "1")], "a".into(), 10);
    assert!(matches!(store.run(one_phase(both)).unwrap_err()[..], [KeyError::Locked(_)]));
    assert!(store.info("a").writes.is_empty() && !store.is_locked("a"));
    assert_eq!(store.get("a", 99), None, "nothing is left in memory either");
}

#[test]
fn what_is_only_checked_is_committed_behind_the_start_alone() {
    use charioteer_engine::mvcc::{Change, Mutation};
    let store = Fixture::new();
    store.get("x", 50);
    let check = Mutation::new("a".into(), Change::CheckNotExists);
    let prewrite = Prewrite::new(vec![check], "a".into(), 10);
    assert_eq!(store.run(asynchronous(prewrite, &[])), Ok(min(11)));
    assert!(!store.is_locked("a"));
}

#[test]
fn a_reader_behind_the_earliest_commit_is_stopped_and_one_before_it_not() {
    let store = Fixture::new();
    store.get("x", 30);
    store.run(asynchronous(of(10, "a"), &[])).unwrap();
    assert_eq!(store.get("a", 30), None);
    assert!(store.get_at("a", ReadAt::new(31)).is_err());
    assert_eq!(store.info("a").lock.unwrap().kind, LockKind::Put);
}

#[test]
fn after_a_reopening_commits_lie_behind_what_the_opener_says() {
    let mut store = Fixture::new();
    store.get("x", 30);
    store.opened.reopen();
    store.store().raise_max_read_ts(40);
    assert_eq!(store.run(one_phase(of(10, "a"))), Ok(at_once(41)));
}
