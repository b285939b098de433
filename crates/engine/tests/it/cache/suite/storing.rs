//! Storing, comparing, joining.

use charioteer_engine::cache::{Expiry, Store, StoreMode, StoreReply};

use super::fixture::{Fixture, after, bytes, stored};

fn with(store: Store, change: impl FnOnce(&mut Store)) -> Store {
    let mut store = store;
    change(&mut store);
    store
}

fn set(value: &str) -> Store {
    Store::set(bytes(value), 0, Expiry::NEVER)
}

#[test]
fn every_value_stored_gets_a_higher_cas_id() {
    let items = Fixture::new();
    let first = items.set("a", "1");
    let second = items.set("b", "1");
    let third = items.set("a", "1");
    assert!(first < second && second < third);
}

#[test]
fn add_stores_where_nothing_is() {
    let items = Fixture::new();
    stored(items.run("key", Store::add(bytes("first"), 0, Expiry::NEVER)));
    assert_eq!(items.run("key", Store::add(bytes("second"), 0, Expiry::NEVER)), StoreReply::NotStored);
    assert_eq!(items.get("key").unwrap(), "first");
}

#[test]
fn replace_stores_where_something_is() {
    let items = Fixture::new();
    assert_eq!(items.run("key", Store::replace(bytes("first"), 0, Expiry::NEVER)), StoreReply::NotStored);
    assert_eq!(items.get("key"), None);
    items.set("key", "first");
    stored(items.run("key", Store::replace(bytes("second"), 9, Expiry::NEVER)));
    assert_eq!(items.read("key").unwrap().before.flags, 9);
    assert_eq!(items.get("key").unwrap(), "second");
}

#[test]
fn a_set_forgets_expiry_flags_and_marks_of_the_old_item() {
    let items = Fixture::new();
    items.run("key", Store::set(bytes("old"), 7, after(10)));
    items.get("key");
    items.set("key", "new");
    let hit = items.read("key").unwrap();
    assert_eq!((hit.before.flags, hit.before.expiry, hit.before.fetched), (0, Expiry::NEVER, false));
}

#[test]
fn compare_and_swap_stores_over_that_very_value() {
    let items = Fixture::new();
    let cas = items.set("key", "old");
    let swap = |cas| Store::compare_and_swap(bytes("new"), 0, Expiry::NEVER, cas);
    assert_eq!(items.run("key", swap(cas + 1)), StoreReply::Exists);
    assert_eq!(items.get("key").unwrap(), "old");
    let new_cas = stored(items.run("key", swap(cas))).cas;
    assert!(new_cas > cas);
    assert_eq!(items.run("key", swap(cas)), StoreReply::Exists);
    assert_eq!(items.get("key").unwrap(), "new");
}

#[test]
fn there_is_nothing_to_compare_with_where_nothing_is() {
    let items = Fixture::new();
    assert_eq!(items.run("key", Store::compare_and_swap(bytes("new"), 0, Expiry::NEVER, 1)), StoreReply::NotFound);
    let replace = with(Store::replace(bytes("new"), 0, Expiry::NEVER), |store| store.compare = Some(1));
    assert_eq!(items.run("key", replace), StoreReply::NotFound);
    assert_eq!(items.get("key"), None);
}

#[test]
fn no_item_is_swapped_by_0() {
    let items = Fixture::new();
    let swap = || Store::compare_and_swap(bytes("new"), 0, Expiry::NEVER, 0);
    assert_eq!(items.run("key", swap()), StoreReply::NotFound);
    items.run("key", with(set("old"), |store| store.cas = Some(0)));
    assert_eq!(items.run("key", swap()), StoreReply::Exists);
}

#[test]
fn add_takes_no_notice_of_a_cas_id() {
    let items = Fixture::new();
    let add = with(Store::add(bytes("value"), 0, Expiry::NEVER), |store| store.compare = Some(5));
    stored(items.run("key", add.clone()));
    assert_eq!(items.run("key", add), StoreReply::NotStored);
}

#[test]
fn a_value_gets_the_cas_id_that_was_asked_for() {
    let items = Fixture::new();
    assert_eq!(stored(items.run("key", with(set("value"), |store| store.cas = Some(12_345)))).cas, 12_345);
    assert_eq!(items.read("key").unwrap().before.cas, 12_345);
}

#[test]
fn a_value_that_is_late_may_be_stored_as_out_of_date() {
    let items = Fixture::new();
    let late = items.set("key", "old");
    let cas = items.set_until("key", "newer", after(30));
    let invalidate = |value: &str, cas| {
        with(Store::compare_and_swap(bytes(value), 0, after(999), cas), |store| store.invalidate = true)
    };
    stored(items.run("key", invalidate("late", late)));
    let hit = items.read("key").unwrap();
    assert!(hit.before.stale && hit.won, "whoever reads it first is to renew it");
    assert_eq!(hit.before.expiry, after(30), "it expires when the value before it would have");
    assert!(hit.before.cas > cas);
    let hit = items.read("key").unwrap();
    assert!(hit.before.stale && hit.before.won && !hit.won);

    assert_eq!(items.run("key", invalidate("early", hit.before.cas + 1)), StoreReply::Exists);
    stored(items.run("key", invalidate("fresh", hit.before.cas)));
    let hit = items.read("key").unwrap();
    assert!(!hit.before.stale && !hit.before.won && !hit.won);
}

#[test]
fn a_late_value_keeps_the_mark_that_somebody_renews_it() {
    let items = Fixture::new();
    let late = items.set("key", "old");
    items.run("key", with(Store::compare_and_swap(bytes("newer"), 0, Expiry::NEVER, late), |_| ()));
    let mut store = Store::compare_and_swap(bytes("late"), 0, Expiry::NEVER, late);
    store.invalidate = true;
    stored(items.run("key", store.clone()));
    assert!(items.read("key").unwrap().won);
    stored(items.run("key", store));
    let hit = items.read("key").unwrap();
    assert!(hit.before.won && !hit.won);
}

#[test]
fn joining_needs_something_to_join_to() {
    let items = Fixture::new();
    assert_eq!(items.run("key", Store::append(bytes("b"))), StoreReply::NotStored);
    assert_eq!(items.run("key", Store::prepend(bytes("a"))), StoreReply::NotStored);
    assert_eq!(items.get("key"), None);
}

#[test]
fn joining_keeps_flags_and_expiry_and_tells_the_whole_length() {
    let items = Fixture::new();
    let set = stored(items.run("key", Store::set(bytes("-"), 7, after(60))));
    let append = with(Store::append(bytes("bb")), |store| (store.flags, store.expiry) = (1, Expiry::PAST));
    let appended = stored(items.run("key", append));
    let prepended = stored(items.run("key", Store::prepend(bytes("aa"))));
    assert!(set.cas < appended.cas && appended.cas < prepended.cas);
    assert_eq!((appended.value_bytes, prepended.value_bytes), (3, 5));
    let hit = items.read("key").unwrap();
    assert_eq!((hit.before.flags, hit.before.expiry), (7, after(60)));
    assert_eq!(items.get("key").unwrap(), "aa-bb");
}

#[test]
fn joining_nothing_is_fine() {
    let items = Fixture::new();
    items.set("key", "");
    stored(items.run("key", Store::append(bytes(""))));
    assert_eq!(items.get("key").unwrap(), "");
}

#[test]
fn values_grow_by_joining_into_large_ones_and_on() {
    let items = Fixture::new();
    items.set("key", "");
    let mut expected = String::new();
    for piece in 0..40 {
        let piece = format!("{piece:01000}");
        stored(items.run("key", Store::append(bytes(&piece))));
        expected += &piece;
        assert_eq!(items.get("key").as_ref(), Some(&expected));
    }
}

#[test]
fn joining_may_compare() {
    let items = Fixture::new();
    let cas = items.set("key", "a");
    let append = |cas| with(Store::append(bytes("b")), |store| store.compare = Some(cas));
    assert_eq!(items.run("key", append(cas + 1)), StoreReply::Exists);
    stored(items.run("key", append(cas)));
    stored(items.run("key", append(0)));
    assert_eq!(items.get("key").unwrap(), "abb");
}

#[test]
fn joining_may_create() {
    let items = Fixture::new();
    for mode in [StoreMode::Append, StoreMode::Prepend] {
        let create = with(Store::append(bytes("x")), |store| {
            (store.mode, store.create, store.flags) = (mode, Some(after(30)), 7);
        });
        items.delete("key");
        stored(items.run("key", create.clone()));
        let hit = items.read("key").unwrap();
        assert_eq!((hit.before.flags, hit.before.expiry), (7, after(30)));
        stored(items.run("key", create));
        assert_eq!(items.get("key").unwrap(), "xx");
    }
}

#[test]
fn add_of_what_is_there_counts_as_a_use() {
    let items = Fixture::new();
    items.set("key", "value");
    items.advance(10);
    items.run("key", Store::add(bytes("other"), 0, Expiry::NEVER));
    let hit = items.peek("key").unwrap();
    assert!(!hit.before.fetched, "it was not read");
}
