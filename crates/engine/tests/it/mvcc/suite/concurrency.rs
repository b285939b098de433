//! Many threads.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use charioteer_engine::mvcc::{BatchRollback, Commit, Get, KeyError, MvccStore, PessimisticLock, Prewrite, ReadAt};

use super::fixture::{Fixture, bytes, locked, pessimistic, put, text};

/// Hands out timestamps, each once.
struct Oracle(AtomicU64);

impl Oracle {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

fn get(store: &MvccStore, key: &str, ts: u64) -> Option<String> {
    loop {
        match store.read(Get { key: bytes(key), at: ReadAt::new(ts) }).unwrap() {
            Ok(found) => return found.map(|found| text(&found.value)),
            Err(KeyError::Locked(_)) => thread::yield_now(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Writes once with a calculated commit timestamp, however often that takes.
fn write(store: &MvccStore, oracle: &Oracle, value: &str, in_one_phase: bool) {
    loop {
        let start_ts = oracle.next();
        let keys = ["a", "b"].map(|key| put(key, value)).to_vec();
        let prewrite = Prewrite::new(keys, "a".into(), start_ts);
        let prewrite = if in_one_phase {
            Prewrite { try_one_pc: true, ..prewrite }
        } else {
            Prewrite { secondaries: Some(vec!["b".into()]), ..prewrite }
        };
        match store.submit(prewrite).wait().unwrap().reply {
            Ok(_) if in_one_phase => return,
            Ok(prewritten) => {
                let keys = vec!["a".into(), "b".into()];
                let commit_ts = prewritten.min_commit_ts;
                store.run(Commit { start_ts, commit_ts, keys }).unwrap().reply.unwrap();
                return;
            }
            Err(_) => thread::yield_now(),
        }
    }
}

#[test]
fn what_was_read_at_a_timestamp_stays_what_is_read_there() {
    let fixture = Fixture::new();
    let (store, oracle, start) = (fixture.store(), Oracle(AtomicU64::new(1)), Barrier::new(4));
    let seen = thread::scope(|scope| {
        for in_one_phase in [true, false] {
            let (oracle, start) = (&oracle, &start);
            scope.spawn(move || {
                start.wait();
                (0..150).for_each(|turn| write(store, oracle, &format!("{in_one_phase} {turn}"), in_one_phase));
            });
        }
        let readers = ["a", "b"].map(|key| {
            let (oracle, start) = (&oracle, &start);
            scope.spawn(move || {
                start.wait();
                let read = |_| {
                    let ts = oracle.next();
                    (key, ts, get(store, key, ts))
                };
                (0..400).map(read).collect::<Vec<_>>()
            })
        });
        readers.map(|reader| reader.join().unwrap())
    });
    for (key, ts, value) in seen.into_iter().flatten() {
        assert_eq!(get(store, key, ts), value, "{key} at {ts}");
        assert_eq!(get(store, "a", ts), get(store, "b", ts), "both were written at once");
    }
}

/// Adds one in a transaction; whether it was committed.
fn add(store: &MvccStore, oracle: &Oracle, is_pessimistic: bool) -> bool {
    let start_ts = oracle.next();
    let add_to = |value: Option<String>| (value.map_or(0, |value| value.parse::<u64>().unwrap()) + 1).to_string();
    let prewrite = if is_pessimistic {
        let for_update_ts = oracle.next();
        let lock = PessimisticLock::new(vec!["n".into()], "n".into(), start_ts);
        let lock = PessimisticLock { for_update_ts, return_values: true, ..lock };
        let Ok(locked_keys) = store.run(lock).unwrap().reply else { return false };
        let value = locked_keys[0].value.as_ref().map(|value| text(value));
        pessimistic(start_ts, for_update_ts, vec![locked(put("n", &add_to(value)))])
    } else {
        Prewrite::new(vec![put("n", &add_to(get(store, "n", start_ts)))], "n".into(), start_ts)
    };
    if store.submit(prewrite).wait().unwrap().reply.is_err() {
        store.run(BatchRollback { start_ts, keys: vec!["n".into()] }).unwrap().reply.unwrap();
        return false;
    }
    let commit_ts = oracle.next();
    store.run(Commit { start_ts, commit_ts, keys: vec!["n".into()] }).unwrap().reply.unwrap();
    true
}

#[test]
fn no_increment_is_lost() {
    let fixture = Fixture::new();
    let (store, oracle) = (fixture.store(), Oracle(AtomicU64::new(1)));
    let committed: usize = thread::scope(|scope| {
        let adders = [true, false, true, false].map(|is_pessimistic| {
            let oracle = &oracle;
            scope.spawn(move || (0..150).filter(|_| add(store, oracle, is_pessimistic)).count())
        });
        adders.into_iter().map(|adder| adder.join().unwrap()).sum()
    });
    assert!(committed > 0);
    assert_eq!(get(store, "n", oracle.next()), Some(committed.to_string()));
}
