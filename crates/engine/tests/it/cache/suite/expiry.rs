//! Time.

use charioteer_engine::cache::{Arithmetic, Event, Expiry, Initial, Read, Store, StoreReply};

use super::fixture::{DEATHS_IN_TWO_READS, Fixture, after, bytes, computed, stored};

#[test]
fn an_item_is_gone_in_the_second_in_which_it_expires() {
    let items = Fixture::new();
    items.set_until("key", "value", after(2));
    items.advance(1);
    assert_eq!(items.get("key").unwrap(), "value");
    items.advance(1);
    assert_eq!(items.get("key"), None);
}

#[test]
fn what_does_not_expire_stays() {
    let items = Fixture::new();
    items.set("key", "value");
    items.advance(2_000_000_000);
    assert_eq!(items.get("key").unwrap(), "value");
}

#[test]
fn what_is_stored_as_expired_is_stored_and_never_seen() {
    let items = Fixture::new();
    stored(items.run("key", Store::set(bytes("value"), 0, Expiry::PAST)));
    assert_eq!(items.get("key"), None);
}

#[test]
fn an_expired_item_is_missing_to_every_operation() {
    let items = Fixture::new();
    let expire = |items: &Fixture| {
        items.set_until("key", "5", after(1));
        items.advance(1);
    };
    let items = &items;
    items.set("key", "5");
    items.run("key", Read::touch(Expiry::PAST));
    assert_eq!(items.run("key", Store::append(bytes("x"))), StoreReply::NotStored);
    items.set_until("key", "5", Expiry::PAST);
    assert_eq!(items.run("key", Store::replace(bytes("x"), 0, Expiry::NEVER)), StoreReply::NotStored);
    items.set_until("key", "5", Expiry::PAST);
    let swap = Store::compare_and_swap(bytes("x"), 0, Expiry::NEVER, 1);
    assert_eq!(items.run("key", swap), StoreReply::NotFound);
    expire(items);
    stored(items.run("key", Store::add(bytes("new"), 0, Expiry::NEVER)));
    assert_eq!(items.get("key").unwrap(), "new");
    items.run("key", Read::touch(Expiry::PAST));
    let mut create = Arithmetic::increment(1);
    create.create = Some(Initial { number: 1, expiry: Expiry::NEVER });
    assert_eq!(computed(items.run("key", create)).number, 1);
}

#[test]
fn what_has_expired_is_counted_when_it_is_looked_for() {
    let items = Fixture::new();
    items.set_until("key", "value", after(1));
    items.advance(1);
    items.get("key");
    items.get("key");
    let stats = items.items.stats();
    assert_eq!((stats.count(Event::Expired), stats.count(Event::GetMiss)), (DEATHS_IN_TWO_READS, 2));
}

#[test]
fn sweeping_removes_what_has_expired_and_nothing_else() {
    let items = Fixture::new();
    for at in 0..50 {
        items.set_until(&format!("short {at}"), "value", after(10));
        items.set_until(&format!("long {at}"), "value", after(1000));
    }
    assert_eq!(items.items.sweep(), 0);
    items.advance(10);
    assert_eq!(items.items.sweep(), 50);
    assert_eq!(items.items.sweep(), 0);
    assert_eq!(items.get("long 7").unwrap(), "value");
}
