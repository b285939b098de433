//! How large an item may be.

use charioteer_engine::cache::{Expiry, Store, StoreReply, item_size};

use super::fixture::{Fixture, bytes, stored};

#[test]
fn an_item_may_be_as_large_as_in_memcached() {
    let items = Fixture::new();
    let largest = (1 << 20) - item_size(1, 0, 0);
    for len in [1_048_400, largest] {
        stored(items.run("k", Store::set(bytes(&"v".repeat(len)), 0, Expiry::NEVER)));
        assert_eq!(items.read("k").unwrap().value_bytes, len);
    }
    for len in [largest + 1, 1_048_576] {
        let refused = items.run("k", Store::set(bytes(&"v".repeat(len)), 0, Expiry::NEVER));
        assert_eq!(refused, StoreReply::TooLarge);
    }
    let with_flags = Store::set(bytes(&"v".repeat(largest)), 1, Expiry::NEVER);
    assert_eq!(items.run("k", with_flags), StoreReply::TooLarge, "flags take four bytes");
}

#[test]
fn a_set_that_is_too_large_removes_the_old_item() {
    let items = Fixture::with_limit(1000);
    items.set("key", "old");
    let too_large = bytes(&"v".repeat(1000));
    assert_eq!(items.run("key", Store::set(too_large, 0, Expiry::NEVER)), StoreReply::TooLarge);
    assert_eq!(items.get("key"), None);
}

#[test]
fn anything_else_that_is_too_large_leaves_the_old_item() {
    let items = Fixture::with_limit(1000);
    items.set("key", "old");
    let too_large = bytes(&"v".repeat(1000));
    for store in [
        Store::add(too_large.clone(), 0, Expiry::NEVER),
        Store::replace(too_large.clone(), 0, Expiry::NEVER),
        Store::append(too_large.clone()),
        Store::compare_and_swap(too_large, 0, Expiry::NEVER, 1),
    ] {
        assert_eq!(items.run("key", store), StoreReply::TooLarge);
        assert_eq!(items.get("key").unwrap(), "old");
    }
}

#[test]
fn what_would_be_too_large_when_joined_is_not_stored() {
    let items = Fixture::with_limit(1000);
    let half = "v".repeat(500);
    items.set("key", &half);
    assert_eq!(items.run("key", Store::append(bytes(&half))), StoreReply::NotStored);
    assert_eq!(items.run("key", Store::prepend(bytes(&half))), StoreReply::NotStored);
    assert_eq!(items.get("key").unwrap(), half);
}

#[test]
fn keys_have_1_to_250_bytes() {
    let items = Fixture::new();
    let longest = "k".repeat(250);
    items.set(&longest, "value");
    assert_eq!(items.get(&longest).unwrap(), "value");
    items.set("k", "value");
    assert_eq!(items.get("k").unwrap(), "value");
    for len in [0, 251, 100_000] {
        items.items.assert_refuses(&vec![b'k'; len]);
    }
}
