//! What is counted.

use charioteer_engine::cache::{Arithmetic, Delete, Event, Expiry, Initial, Read, Store, item_size};

use super::fixture::{DEATHS_IN_TWO_READS, Fixture, START, after, bytes};

fn counts(items: &Fixture, events: &[Event]) -> Vec<u64> {
    let stats = items.items.stats();
    events.iter().map(|event| stats.count(*event)).collect()
}

#[test]
fn hits_and_misses_are_counted_for_each_kind_of_operation() {
    let items = Fixture::new();
    items.set("key", "5");
    items.set("doomed", "5");
    for key in ["key", "missing"] {
        items.run(key, Read::get());
        items.run(key, Read::touch(after(100)));
        items.run(key, Read::get_and_touch(after(100)));
        items.run(key, Arithmetic::increment(1));
        items.run(key, Arithmetic::decrement(1));
        items.run(key, Arithmetic::decrement(1));
    }
    items.run("doomed", Delete::new());
    items.run("doomed", Delete::new());
    let hits = [Event::GetHit, Event::TouchHit, Event::IncrementHit, Event::DecrementHit, Event::DeleteHit];
    let misses = [Event::GetMiss, Event::TouchMiss, Event::IncrementMiss, Event::DecrementMiss, Event::DeleteMiss];
    assert_eq!(counts(&items, &hits), [1, 2, 1, 2, 1]);
    assert_eq!(counts(&items, &misses), [1, 2, 1, 2, 1]);
}

#[test]
fn comparisons_are_counted_by_what_came_of_them() {
    let items = Fixture::new();
    let swap = |cas| Store::compare_and_swap(bytes("new"), 0, Expiry::NEVER, cas);
    items.run("key", swap(1));
    let cas = items.set("key", "old");
    items.run("key", swap(cas + 1));
    items.run("key", swap(cas + 2));
    items.run("key", swap(cas));
    let events = [Event::CasHit, Event::CasMiss, Event::CasBad, Event::Set];
    assert_eq!(counts(&items, &events), [1, 1, 2, 5]);
}

#[test]
fn a_number_that_was_created_is_neither_hit_nor_miss() {
    let items = Fixture::new();
    let mut create = Arithmetic::increment(1);
    create.create = Some(Initial { number: 1, expiry: Expiry::NEVER });
    items.run("n", create);
    assert_eq!(counts(&items, &[Event::IncrementHit, Event::IncrementMiss, Event::Set]), [0, 0, 0]);
    assert_eq!(counts(&items, &[Event::NewItem]), [1]);
}

#[test]
fn items_and_their_bytes_are_those_that_are_there() {
    let items = Fixture::new();
    items.set("a", "12345");
    items.run("b", Store::set(bytes("1"), 7, Expiry::NEVER));
    items.set("a", "123");
    items.run("a", Store::append(bytes("45")));
    let stats = items.items.stats();
    assert_eq!((stats.items, stats.count(Event::NewItem)), (2, 4));
    assert_eq!(stats.item_bytes, item_size(1, 5, 0) + item_size(1, 1, 7));
    items.delete("a");
    items.delete("b");
    let stats = items.items.stats();
    assert_eq!((stats.items, stats.item_bytes), (0, 0));
}

#[test]
fn what_was_flushed_is_counted_when_it_is_looked_for() {
    let items = Fixture::new();
    items.set("key", "value");
    items.advance(3);
    items.items.flush(START + 3);
    items.get("key");
    items.get("key");
    assert_eq!(counts(&items, &[Event::Flushed, Event::GetMiss]), [DEATHS_IN_TWO_READS, 2]);
    assert_eq!(items.items.stats().flushes, 1);
}

#[test]
fn refusals_are_counted_and_are_no_sets() {
    let items = Fixture::with_limit(1000);
    items.run("key", Store::set(bytes(&"v".repeat(1000)), 0, Expiry::NEVER));
    assert_eq!(counts(&items, &[Event::TooLarge, Event::Set, Event::NewItem]), [1, 0, 0]);
}
