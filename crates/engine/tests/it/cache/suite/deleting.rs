//! Deleting, and marking as out of date.

use charioteer_engine::cache::{Delete, DeleteReply, Expiry, RemoveValue, Stale, Store};

use super::fixture::{Fixture, after, bytes};

fn delete(change: impl FnOnce(&mut Delete)) -> Delete {
    let mut delete = Delete::new();
    change(&mut delete);
    delete
}

#[test]
fn what_was_deleted_is_gone() {
    let items = Fixture::new();
    items.set("key", "value");
    assert_eq!(items.delete("key"), DeleteReply::Deleted);
    assert_eq!(items.get("key"), None);
    assert_eq!(items.delete("key"), DeleteReply::NotFound);
}

#[test]
fn only_that_very_value_is_deleted_if_asked_for() {
    let items = Fixture::new();
    let cas = items.set("key", "value");
    assert_eq!(items.run("key", delete(|delete| delete.compare = Some(cas + 1))), DeleteReply::Exists);
    assert_eq!(items.run("key", delete(|delete| delete.compare = Some(0))), DeleteReply::Exists);
    assert_eq!(items.get("key").unwrap(), "value");
    assert_eq!(items.run("key", delete(|delete| delete.compare = Some(cas))), DeleteReply::Deleted);
    assert_eq!(items.run("key", delete(|delete| delete.compare = Some(cas))), DeleteReply::NotFound);
}

#[test]
fn an_item_marked_as_out_of_date_is_still_read_and_renewed_by_one() {
    let items = Fixture::new();
    let cas = items.set_until("key", "value", after(60));
    let mark = delete(|delete| delete.stale = Some(Stale::default()));
    assert_eq!(items.run("key", mark), DeleteReply::Deleted);
    let hit = items.read("key").unwrap();
    assert!(hit.before.stale && hit.won && !hit.before.won);
    assert!(hit.before.cas > cas, "whoever has the old value notices");
    assert_eq!(hit.before.expiry, after(60));
    assert_eq!(hit.value.as_deref(), Some(&b"value"[..]));
    let hit = items.read("key").unwrap();
    assert!(hit.before.stale && !hit.won && hit.before.won);
}

#[test]
fn marking_again_lets_another_reader_win() {
    let items = Fixture::new();
    items.set("key", "value");
    let mark = delete(|delete| delete.stale = Some(Stale::default()));
    for _ in 0..2 {
        items.run("key", mark);
        assert!(items.read("key").unwrap().won);
        assert!(!items.read("key").unwrap().won);
    }
}

#[test]
fn marking_may_set_the_expiry_and_the_cas_id() {
    let items = Fixture::new();
    items.set("key", "value");
    let mark = delete(|delete| {
        delete.stale = Some(Stale { expiry: Some(after(30)) });
        delete.cas = Some(7777);
    });
    items.run("key", mark);
    let hit = items.read("key").unwrap();
    assert_eq!((hit.before.cas, hit.before.expiry), (7777, after(30)));
    items.advance(30);
    assert_eq!(items.get("key"), None);
}

#[test]
fn an_item_may_lose_its_value_and_stay() {
    let items = Fixture::new();
    items.run("key", Store::set(bytes("value"), 7, after(60)));
    items.get("key");
    let cas = items.peek("key").unwrap().before.cas;
    let empty = delete(|delete| delete.remove_value = Some(RemoveValue::default()));
    assert_eq!(items.run("key", empty), DeleteReply::Deleted);
    let hit = items.peek("key").unwrap();
    assert_eq!((hit.value_bytes, hit.before.flags, hit.before.expiry), (0, 0, Expiry::NEVER));
    assert_eq!((hit.before.cas, hit.before.fetched), (cas, false), "the id stays");
    assert_eq!(items.run("other", empty), DeleteReply::NotFound);
}

#[test]
fn an_item_may_lose_its_value_and_be_marked() {
    let items = Fixture::new();
    let cas = items.set("key", "value");
    let both = delete(|delete| {
        delete.remove_value = Some(RemoveValue { flags: 3, expiry: after(5) });
        delete.stale = Some(Stale { expiry: Some(after(5)) });
    });
    items.run("key", both);
    let hit = items.read("key").unwrap();
    assert!(hit.won && hit.before.stale && hit.before.cas > cas);
    assert_eq!((hit.value_bytes, hit.before.flags, hit.before.expiry), (0, 3, after(5)));
}
