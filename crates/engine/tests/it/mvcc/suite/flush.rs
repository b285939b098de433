//! Transactions that write their buffer bit by bit.

use charioteer_engine::mvcc::{
    Assertion, AssertionLevel, BatchRollback, BufferBatchGet, KeyError, Mutation, Prewrite, Prewritten, TxnHeartBeat,
};

use super::fixture::{Fixture, bytes, delete, insert, long_value, put, refused, text};

fn flush(store: &Fixture, generation: u64, mutations: Vec<Mutation>) -> Result<Prewritten, Vec<KeyError>> {
    store.run(Prewrite { generation, ..Prewrite::new(mutations, "a".into(), 10) })
}

fn buffer(store: &Fixture, keys: &[&str]) -> Vec<(String, String)> {
    let keys = keys.iter().map(|key| bytes(key)).collect();
    let found = store.read(BufferBatchGet::new(keys, 10));
    found.into_iter().map(|pair| (text(&pair.key), text(&pair.found.unwrap().value))).collect()
}

#[test]
fn a_later_bit_is_written_over_an_earlier_one() {
    let store = Fixture::new();
    flush(&store, 1, vec![put("a", &long_value('x')), put("b", "1")]).unwrap();
    flush(&store, 2, vec![put("a", "2"), delete("b"), put("c", &long_value('c'))]).unwrap();
    assert_eq!(store.info("a").values, [], "nobody needs the first value any more");
    let found = buffer(&store, &["a", "b", "c", "d"]);
    assert_eq!(found, [("a".into(), "2".into()), ("b".into(), String::new()), ("c".into(), long_value('c'))]);
    store.commit(10, 20, &["a", "b", "c"]).unwrap();
    assert_eq!((store.get("a", 20).as_deref(), store.get("c", 20)), (Some("2"), Some(long_value('c'))));
}

#[test]
fn such_a_transaction_can_be_pushed_and_is_of_unknown_size() {
    let store = Fixture::new();
    flush(&store, 1, vec![put("a", "1")]).unwrap();
    let lock = store.info("a").lock.unwrap();
    assert_eq!((lock.min_commit_ts, lock.txn_size, lock.generation), (11, u64::MAX, 1));
}

#[test]
fn an_earlier_bit_that_comes_late_leaves_later_ones_alone() {
    let store = Fixture::new();
    flush(&store, 2, vec![put("a", "2")]).unwrap();
    assert_eq!(flush(&store, 1, vec![put("b", "1"), put("a", "1")]), Ok(Prewritten::default()));
    assert_eq!(flush(&store, 2, vec![put("a", "3")]), Ok(Prewritten::default()));
    assert_eq!(buffer(&store, &["a", "b"]), [("a".to_owned(), "2".to_owned()), ("b".to_owned(), "1".to_owned())]);
}

#[test]
fn conflicts_and_rollbacks_are_met_each_time() {
    let store = Fixture::new();
    store.put(11, 12, "b", "1");
    assert!(matches!(refused(flush(&store, 1, vec![put("b", "2")])), KeyError::WriteConflict(_)));
    flush(&store, 1, vec![put("a", "1"), put("c", "1")]).unwrap();
    store.run(BatchRollback { start_ts: 10, keys: vec!["a".into(), "c".into()] }).unwrap();
    store.run(BatchRollback { start_ts: 15, keys: vec!["a".into(), "c".into()] }).unwrap();
    for key in ["a", "c"] {
        assert!(matches!(refused(flush(&store, 2, vec![put(key, "2")])), KeyError::WriteConflict(_)), "{key}");
    }
    let writes = store.info("c").writes;
    assert!(writes.iter().any(|(ts, write)| *ts == 10 && write.is_protected));
}

#[test]
fn an_insert_minds_what_an_earlier_bit_has_put() {
    let store = Fixture::new();
    flush(&store, 1, vec![put("a", "1"), delete("b")]).unwrap();
    assert_eq!(refused(flush(&store, 2, vec![insert("a", "2")])), KeyError::AlreadyExists { key: "a".into() });
    flush(&store, 2, vec![insert("b", "2")]).unwrap();
}

#[test]
fn a_key_is_asserted_by_the_first_bit_alone() {
    let store = Fixture::new();
    let asserted = |assertion| Prewrite {
        generation: if assertion == Assertion::NotExist { 1 } else { 2 },
        assertion_level: AssertionLevel::Strict,
        ..Prewrite::new(vec![Mutation { assertion, ..put("a", "1") }], "a".into(), 10)
    };
    store.run(asserted(Assertion::NotExist)).unwrap();
    store.run(asserted(Assertion::Exist)).unwrap();
}

#[test]
fn a_heartbeat_may_raise_the_earliest_commit() {
    let store = Fixture::new();
    flush(&store, 1, vec![put("a", "1")]).unwrap();
    let beat = TxnHeartBeat { primary: "a".into(), start_ts: 10, advise_ttl_ms: 1, min_commit_ts: 50 };
    assert_eq!(store.run(beat), Ok(3_000));
    assert_eq!(store.info("a").lock.unwrap().min_commit_ts, 50);
}
