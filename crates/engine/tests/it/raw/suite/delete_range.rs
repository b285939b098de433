use charioteer_engine::raw::{BatchPut, Delete, DeleteRange, Family, Get, Put};

use super::fixture::{Fixture, bytes};

fn range(start: &str, end: &str) -> DeleteRange {
    DeleteRange::new(bytes(start), bytes(end))
}

fn with_keys(keys: &[&str]) -> Fixture {
    let f = Fixture::new();
    keys.iter().for_each(|key| f.put(key, "value"));
    f
}

#[test]
fn the_rows_from_the_start_to_before_the_end_are_removed() {
    let f = with_keys(&["", "a", "b", "c", "d"]);
    f.store().run(Family::Lock, Put::new(bytes("b"), bytes("value"))).unwrap();
    let delete = |start, end| f.store().delete_range(Family::Default, range(start, end)).unwrap();
    for (start, end) in [("c", "c"), ("d", "b"), ("e", "")] {
        delete(start, end);
    }
    assert_eq!(f.keys(), ["", "a", "b", "c", "d"]);
    delete("b", "d");
    assert_eq!(f.keys(), ["", "a", "d"]);
    delete("a", "");
    assert_eq!(f.keys(), [""]);
    delete("", "");
    assert_eq!(f.keys(), [""; 0]);
    assert!(f.store().run(Family::Lock, Get::new(bytes("b"))).unwrap().is_some());
}

#[test]
fn what_was_handed_in_before_is_removed_and_what_comes_after_stays() {
    let f = with_keys(&["a", "d"]);
    let (store, mut tickets) = (f.store(), Vec::new());
    let mut put = |key| tickets.push(store.submit(Family::Default, Put::new(bytes(key), bytes("new"))));
    put("a");
    put("b");
    put("x");
    let deleted = store.submit(Family::Default, Delete::new(bytes("d")));
    let first = store.submit_delete_range(Family::Default, range("a", "x"));
    put("b");
    let second = store.submit_delete_range(Family::Default, range("c", "d"));
    assert_eq!((first.wait().unwrap(), second.wait().unwrap()), (None, None));
    deleted.wait().unwrap();
    tickets.into_iter().for_each(|ticket| ticket.wait().unwrap());
    assert_eq!(f.keys(), ["b", "x"]);
}

#[test]
fn a_range_of_many_rows_goes_in_pieces() {
    let f = Fixture::new();
    let puts = (0..10_000).map(|number| Put::new(bytes(&format!("{number:04}")), bytes("value")));
    f.run(BatchPut::new(puts.collect()));
    let mut left = Some(range("0001", "9999"));
    let mut pieces = 0;
    while let Some(range) = left {
        left = f.store().submit_delete_range(Family::Default, range).wait().unwrap();
        pieces += 1;
    }
    assert_eq!((pieces, f.keys()), (3, vec!["0000".to_owned(), "9999".to_owned()]));
    let puts = (0..10_000).map(|number| Put::new(bytes(&format!("{number:04}")), bytes("value")));
    f.run(BatchPut::new(puts.collect()));
    f.store().delete_range(Family::Default, range("", "")).unwrap();
    assert_eq!(f.keys(), [""; 0]);
}
