//! Reading, touching, looking.

use charioteer_engine::cache::{Expiry, Inspect, Read, Store};

use super::fixture::{Fixture, after, bytes, text};

#[test]
fn what_was_set_is_read_with_its_flags_and_its_cas_id() {
    let items = Fixture::new();
    items.run("key", Store::set(bytes("value"), u32::MAX, after(60)));
    let hit = items.read("key").unwrap();
    assert_eq!((hit.before.flags, hit.before.expiry, hit.value_bytes), (u32::MAX, after(60), 5));
    assert!(hit.before.cas > 0 && !hit.won && !hit.created);
    assert_eq!(text(hit).unwrap(), "value");
}

#[test]
fn a_key_that_was_never_set_is_missed() {
    assert_eq!(Fixture::new().read("key"), None);
}

#[test]
fn keys_may_have_any_bytes() {
    let items = Fixture::new();
    for key in ["a b", "a\0b", "a\r\nb", "ä", " "] {
        items.set(key, key);
    }
    for key in ["a b", "a\0b", "a\r\nb", "ä", " "] {
        assert_eq!(items.get(key).as_deref(), Some(key));
    }
}

#[test]
fn values_of_every_size_come_back_as_they_were() {
    let items = Fixture::new();
    for len in [0, 1, 2, 100, 4095, 4096, 4097, 70_000, 1_000_000] {
        let value: String = (0..len).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap())).collect();
        items.set("key", &value);
        assert_eq!(items.get("key"), Some(value));
    }
}

#[test]
fn a_large_value_outlives_its_item_in_the_hands_of_a_reader() {
    let items = Fixture::new();
    let value = "v".repeat(100_000);
    items.set("key", &value);
    let hit = items.read("key").unwrap();
    items.set("key", "other");
    items.delete("key");
    assert_eq!(text(hit), Some(value));
}

#[test]
fn the_first_reader_sees_that_nobody_has_read_before() {
    let items = Fixture::new();
    items.set("key", "value");
    assert!(!items.read("key").unwrap().before.fetched);
    assert!(items.peek("key").is_some());
}

#[test]
fn a_read_without_a_bump_leaves_no_mark() {
    let items = Fixture::new();
    items.set("key", "value");
    assert!(!items.peek("key").unwrap().before.fetched);
    assert!(!items.peek("key").unwrap().before.fetched);
}

#[test]
fn a_touch_sets_the_expiry_and_keeps_value_and_cas_id() {
    let items = Fixture::new();
    let cas = items.set_until("key", "value", after(10));
    let hit = items.run("key", Read::touch(after(60))).unwrap();
    assert_eq!((hit.value.as_ref(), hit.before.expiry, hit.expiry), (None, after(10), after(60)));
    items.advance(59);
    let hit = items.read("key").unwrap();
    assert_eq!((hit.before.cas, hit.before.expiry), (cas, after(60)));
    items.advance(1);
    assert_eq!(items.get("key"), None);
}

#[test]
fn get_and_touch_reads_too() {
    let items = Fixture::new();
    items.set_until("key", "value", after(10));
    let hit = items.run("key", Read::get_and_touch(Expiry::NEVER)).unwrap();
    assert_eq!(text(hit).unwrap(), "value");
    items.advance(1000);
    assert_eq!(items.get("key").unwrap(), "value");
}

#[test]
fn a_touch_of_nothing_makes_nothing() {
    let items = Fixture::new();
    assert_eq!(items.run("key", Read::touch(after(60))), None);
    assert_eq!(items.run("key", Read::get_and_touch(after(60))), None);
    assert_eq!(items.get("key"), None);
}

#[test]
fn a_reader_who_has_the_value_is_not_sent_it() {
    let items = Fixture::new();
    let cas = items.set("key", "value");
    let mut read = Read::get();
    read.compare = Some(cas);
    let hit = items.run("key", read).unwrap();
    assert_eq!((hit.value, hit.value_bytes, hit.unchanged), (None, 5, true));
    read.compare = Some(cas + 1);
    assert_eq!(text(items.run("key", read).unwrap()).unwrap(), "value");
}

#[test]
fn looking_at_an_item_tells_what_there_is_and_leaves_no_trace() {
    let items = Fixture::new();
    let cas = items.set_until("k", "v", after(60));
    for _ in 0..2 {
        let inspected = items.run("k", Inspect).unwrap();
        let attributes = inspected.attributes;
        assert_eq!((inspected.size, attributes.cas, attributes.expiry), (61, cas, after(60)));
        assert!(!attributes.fetched);
    }
    assert_eq!(items.run("other", Inspect), None);
}

#[test]
fn an_item_remembers_whether_its_key_came_in_base64() {
    let items = Fixture::new();
    let mut store = Store::set(bytes("value"), 0, Expiry::NEVER);
    store.base64_key = true;
    items.run("key", store);
    assert!(items.read("key").unwrap().before.base64_key);
    items.set("key", "value");
    assert!(!items.read("key").unwrap().before.base64_key);
}
