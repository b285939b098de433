//! Removing whatever lies in a range.

use charioteer_engine::mvcc::{DeleteRange, KeyRange};

use super::fixture::{Fixture, long_value, put};

fn delete(store: &Fixture, start: &'static str, end: &'static str) -> usize {
    let (mut left, mut steps) = (Some(DeleteRange::new(KeyRange::new(start.into(), end.into()))), 0);
    while let Some(delete) = left {
        left = store.run(delete);
        steps += 1;
    }
    steps
}

#[test]
fn versions_values_and_locks_go() {
    let store = Fixture::new();
    for key in ["a", "b", "c"] {
        store.put(10, 20, key, &long_value('x'));
    }
    store.prewrite(30, vec![put("b", "1"), put("c", "1")]).unwrap();
    assert_eq!(delete(&store, "b", "c"), 1);
    let gone = store.info("b");
    assert!(gone.lock.is_none() && gone.writes.is_empty() && gone.values.is_empty());
    assert!(store.is_locked("c") && store.get("a", 99).is_some() && store.get("c", 29).is_some());
    delete(&store, "", "");
    assert!(!store.is_locked("c") && store.info("a").values.is_empty());
}

#[test]
fn bounds_in_the_wrong_order_hold_nothing() {
    let store = Fixture::new();
    store.put(10, 20, "b", "1");
    assert_eq!((delete(&store, "c", "a"), delete(&store, "b", "b")), (1, 1));
    assert!(store.get("b", 20).is_some());
}

#[test]
fn many_rows_go_some_thousand_at_a_time() {
    let store = Fixture::new();
    let keys: Vec<String> = (0..5_000).map(|number| format!("{number:05}")).collect();
    store.prewrite(10, keys.iter().map(|key| put(key, "1")).collect()).unwrap();
    store.commit(10, 11, &keys.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    store.prewrite(20, keys.iter().map(|key| put(key, "1")).collect()).unwrap();
    assert_eq!(delete(&store, "00001", ""), 3);
    assert_eq!((store.get("00000", 19).is_some(), store.get("00001", 19), store.get("04999", 30)), (true, None, None));
    assert!(store.is_locked("00000"));
}
