//! Flushing.

use charioteer_engine::cache::{Expiry, Read};

use super::fixture::{Fixture, START, after};

#[test]
fn all_items_are_gone_at_once() {
    let items = Fixture::new();
    items.set("old", "value");
    items.advance(10);
    items.set("just now", "value");
    items.items.flush(START + 10);
    assert_eq!((items.get("old"), items.get("just now")), (None, None));
}

#[test]
fn what_is_stored_after_the_flush_stays_though_it_be_in_the_same_second() {
    let items = Fixture::new();
    items.set("key", "old");
    items.items.flush(START);
    items.set("key", "new");
    assert_eq!(items.get("key").unwrap(), "new");
    items.advance(100);
    assert_eq!(items.get("key").unwrap(), "new");
}

#[test]
fn a_flush_to_come_takes_what_is_stored_until_then() {
    let items = Fixture::new();
    items.set("before", "value");
    items.items.flush(START + 10);
    items.advance(5);
    items.set("meanwhile", "value");
    assert_eq!(items.get("before").unwrap(), "value");
    items.advance(5);
    assert_eq!((items.get("before"), items.get("meanwhile")), (None, None));
    items.set("after", "value");
    assert_eq!(items.get("after").unwrap(), "value");
}

#[test]
fn reading_saves_nothing_from_a_flush() {
    let items = Fixture::new();
    items.set("key", "value");
    items.items.flush(START + 10);
    items.advance(8);
    items.run("key", Read::get_and_touch(after(1000)));
    items.advance(2);
    assert_eq!(items.get("key"), None);
}

#[test]
fn a_later_flush_replaces_one_that_was_to_come() {
    let items = Fixture::new();
    items.set("key", "value");
    items.items.flush(START + 10);
    items.items.flush(START + 100);
    items.advance(50);
    assert_eq!(items.get("key").unwrap(), "value");
    items.advance(50);
    assert_eq!(items.get("key"), None);
}

#[test]
fn a_flush_at_once_replaces_one_that_was_to_come() {
    let items = Fixture::new();
    items.items.flush(START + 10);
    items.items.flush(START);
    items.set("key", "value");
    items.advance(50);
    assert_eq!(items.get("key").unwrap(), "value");
}

#[test]
fn what_a_flush_took_does_not_come_back_with_the_next() {
    let items = Fixture::new();
    items.set("key", "value");
    items.advance(10);
    items.items.flush(START + 10);
    items.items.flush(START + 1000);
    assert_eq!(items.get("key"), None);
}

#[test]
fn sweeping_removes_what_was_flushed() {
    let items = Fixture::new();
    for at in 0..50 {
        items.set_until(&format!("key {at}"), "value", Expiry::NEVER);
    }
    items.items.flush(START + 10);
    assert_eq!(items.items.sweep(), 0);
    items.advance(10);
    assert_eq!(items.items.sweep(), 50);
    assert_eq!(items.items.stats().items, 0);
}
