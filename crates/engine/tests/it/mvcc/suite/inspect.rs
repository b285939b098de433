//! All that is stored of a key.

use charioteer_engine::mvcc::{KeyRange, MvccByStartTs, MvccInfo, Write, WriteKind};

use super::fixture::{Fixture, bytes, long_value, put, text};

fn find(store: &Fixture, start_ts: u64) -> Option<String> {
    store.read(MvccByStartTs::new(KeyRange::all(), start_ts)).map(|(key, _)| text(&key))
}

#[test]
fn a_key_is_shown_with_its_lock_versions_and_values() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.put(30, 40, "a", &long_value('x'));
    store.prewrite(50, vec![put("a", &long_value('y'))]).unwrap();
    let MvccInfo { lock, writes, values } = store.info("a");
    assert_eq!(lock.unwrap().start_ts, 50);
    let mut first = Write::new(WriteKind::Put, 10);
    first.short_value = Some("1".into());
    assert_eq!(writes, [(40, Write::new(WriteKind::Put, 30)), (20, first)]);
    assert_eq!(values, [(50, bytes(&long_value('y'))), (30, bytes(&long_value('x')))]);
    assert_eq!(store.info("b"), MvccInfo::default());
}

#[test]
fn a_transaction_is_found_by_its_start() {
    let store = Fixture::new();
    store.put(10, 20, "a", "1");
    store.put(30, 40, "b", "1");
    store.prewrite(50, vec![put("c", "1")]).unwrap();
    assert_eq!([10, 30, 50, 20].map(|ts| find(&store, ts).unwrap_or_default()), ["a", "b", "c", ""]);
}

#[test]
fn a_transaction_is_found_among_many() {
    let store = Fixture::new();
    let keys: Vec<String> = (0..3_000).map(|number| format!("{number:05}")).collect();
    store.prewrite(10, keys.iter().map(|key| put(key, "1")).collect()).unwrap();
    store.commit(10, 11, &keys.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    store.prewrite(20, keys.iter().map(|key| put(key, "1")).collect()).unwrap();
    store.put(30, 31, "x", "1");
    store.prewrite(40, vec![put("y", "1")]).unwrap();
    assert_eq!([30, 40, 50].map(|ts| find(&store, ts).unwrap_or_default()), ["x", "y", ""]);
}
