//! Who makes a new value: vivifying, renewing before the end, winning.

use charioteer_engine::cache::{Delete, Expiry, Read, Recache, Stale, Vivify};

use super::fixture::{Fixture, after, text};

fn vivify(expiry: Expiry) -> Read {
    let mut read = Read::meta_get();
    read.vivify = Some(Vivify { expiry, cas: None });
    read
}

fn recache(before: Expiry) -> Read {
    let mut read = Read::meta_get();
    read.recache = Some(Recache { before, after_touch: false });
    read
}

#[test]
fn the_first_who_misses_makes_an_empty_item_and_wins() {
    let items = Fixture::new();
    let hit = items.run("key", vivify(after(30))).unwrap();
    assert!(hit.created && hit.won && !hit.before.won && !hit.before.fetched);
    assert_eq!((hit.value.as_deref(), hit.expiry), (Some(&b""[..]), after(30)));
    assert_eq!(hit.before.expiry, Expiry::NEVER, "what it was before its expiry was set");

    let second = items.run("key", vivify(after(99))).unwrap();
    assert!(!second.created && !second.won && second.before.won);
    assert_eq!((second.before.cas, second.expiry), (hit.before.cas, after(30)));
    assert_eq!(items.get("key").unwrap(), "", "to a plain reader it is empty");
}

#[test]
fn an_empty_item_that_nobody_filled_expires() {
    let items = Fixture::new();
    items.run("key", vivify(after(30)));
    items.advance(30);
    assert!(items.run("key", vivify(after(60))).unwrap().created);
}

#[test]
fn who_fills_the_empty_item_clears_the_marks() {
    let items = Fixture::new();
    items.run("key", vivify(after(30)));
    items.set("key", "value");
    let hit = items.run("key", vivify(after(30))).unwrap();
    assert!(!hit.won && !hit.before.won && !hit.created);
    assert_eq!(text(hit).unwrap(), "value");
}

#[test]
fn an_empty_item_gets_the_cas_id_that_was_asked_for() {
    let items = Fixture::new();
    let mut read = vivify(after(30));
    read.vivify = Some(Vivify { expiry: after(30), cas: Some(555) });
    assert_eq!(items.run("key", read).unwrap().before.cas, 555);
    assert_eq!(items.read("key").unwrap().before.cas, 555);
}

#[test]
fn a_touch_does_not_count_for_an_empty_item() {
    let items = Fixture::new();
    let mut read = vivify(after(30));
    read.touch = Some(after(99));
    assert_eq!(items.run("key", read).unwrap().expiry, after(30));
    assert_eq!(items.run("key", read).unwrap().expiry, after(99));
}

#[test]
fn one_reader_is_told_to_renew_an_item_near_its_end() {
    let items = Fixture::new();
    items.set_until("key", "value", after(20));
    assert!(!items.run("key", recache(after(20))).unwrap().won, "it does not end before that");
    let hit = items.run("key", recache(after(30))).unwrap();
    assert!(hit.won && !hit.before.won && !hit.before.stale);
    let hit = items.run("key", recache(after(30))).unwrap();
    assert!(!hit.won && hit.before.won);
    assert!(items.read("key").unwrap().before.won, "every reader sees that somebody renews it");
}

#[test]
fn an_item_that_never_expires_needs_no_renewal() {
    let items = Fixture::new();
    items.set("key", "value");
    assert!(!items.run("key", recache(after(30))).unwrap().won);
    items.set_until("key", "value", after(5));
    assert!(!items.run("key", recache(Expiry::NEVER)).unwrap().won);
}

#[test]
fn whether_the_touch_stands_before_the_renewal_matters() {
    let items = Fixture::new();
    let mut read = recache(after(30));
    read.touch = Some(after(100));
    items.set_until("key", "value", after(20));
    assert!(items.run("key", read).unwrap().won, "it had little time left");
    items.set_until("key", "value", after(20));
    read.recache = Some(Recache { before: after(30), after_touch: true });
    assert!(!items.run("key", read).unwrap().won, "it has enough by now");
}

#[test]
fn winning_leaves_the_value_and_its_cas_id_alone() {
    let items = Fixture::new();
    let cas = items.set_until("key", "value", after(20));
    items.run("key", recache(after(30)));
    let hit = items.read("key").unwrap();
    assert_eq!(hit.before.cas, cas);
    assert_eq!(text(hit).unwrap(), "value");
}

#[test]
fn a_plain_reader_neither_wins_nor_keeps_others_from_it() {
    let items = Fixture::new();
    items.set("key", "value");
    let mut mark = Delete::new();
    mark.stale = Some(Stale::default());
    items.run("key", mark);
    for _ in 0..2 {
        let hit = items.run("key", Read::get()).unwrap();
        assert!(!hit.won && !hit.before.won && hit.before.stale);
    }
    assert!(items.read("key").unwrap().won);
}
