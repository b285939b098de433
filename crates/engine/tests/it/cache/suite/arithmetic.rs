//! Counting.

use charioteer_engine::cache::{Arithmetic, ArithmeticReply, Delete, Expiry, Initial, Stale, Store};

use super::fixture::{Fixture, after, bytes, computed, stored};

#[test]
fn numbers_are_added_and_subtracted() {
    let items = Fixture::new();
    items.set("n", "10");
    assert_eq!(computed(items.increment("n", 5)).number, 15);
    assert_eq!(computed(items.decrement("n", 1)).number, 14);
    assert_eq!(computed(items.increment("n", 0)).number, 14);
    assert_eq!(items.get("n").unwrap(), "14");
}

#[test]
fn sums_wrap_and_differences_stop_at_0() {
    let items = Fixture::new();
    items.set("n", "18446744073709551615");
    assert_eq!(computed(items.increment("n", 2)).number, 1);
    assert_eq!(computed(items.decrement("n", 2)).number, 0);
    assert_eq!(computed(items.decrement("n", u64::MAX)).number, 0);
}

#[test]
fn a_number_that_becomes_shorter_keeps_its_length() {
    let items = Fixture::new();
    items.set("n", "10");
    items.decrement("n", 1);
    assert_eq!(items.get("n").unwrap(), "9 ");
    items.set("n", "18446744073709551615");
    items.increment("n", 2);
    assert_eq!(items.get("n").unwrap(), format!("{:<20}", 1));
    assert_eq!(computed(items.increment("n", 1)).number, 2);
}

#[test]
fn a_number_that_becomes_longer_is_as_long_as_it_must() {
    let items = Fixture::new();
    items.set("n", "99");
    items.increment("n", 1);
    assert_eq!(items.get("n").unwrap(), "100");
}

#[test]
fn counting_keeps_flags_and_expiry_and_gives_a_new_cas_id() {
    let items = Fixture::new();
    let cas = stored(items.run("n", Store::set(bytes("9"), 7, after(60)))).cas;
    let first = computed(items.increment("n", 1));
    let second = computed(items.increment("n", 1));
    assert!(cas < first.cas && first.cas < second.cas);
    assert_eq!((first.expiry_before, first.expiry), (after(60), after(60)));
    let hit = items.read("n").unwrap();
    assert_eq!((hit.before.flags, hit.before.expiry, hit.before.cas), (7, after(60), second.cas));
}

#[test]
fn what_is_no_number_is_not_counted() {
    let items = Fixture::new();
    for value in ["", "x", "5x", "-5", "184467440737095516160"] {
        items.set("n", value);
        assert_eq!(items.increment("n", 1), ArithmeticReply::NonNumeric, "{value}");
        assert_eq!(items.decrement("n", 1), ArithmeticReply::NonNumeric, "{value}");
        assert_eq!(items.get("n").unwrap(), value);
    }
}

#[test]
fn a_number_with_very_much_behind_it_is_none() {
    let items = Fixture::new();
    items.set("n", &("5".to_owned() + &" ".repeat(524_000)));
    assert_eq!(computed(items.increment("n", 1)).number, 6);
    items.set("n", &("5".to_owned() + &" ".repeat(524_288)));
    assert_eq!(items.increment("n", 1), ArithmeticReply::NonNumeric);
}

#[test]
fn what_is_missing_is_created_if_asked_for() {
    let items = Fixture::new();
    assert_eq!(items.increment("n", 1), ArithmeticReply::NotFound);
    assert_eq!(items.decrement("n", 1), ArithmeticReply::NotFound);
    let mut create = Arithmetic::decrement(5);
    create.create = Some(Initial { number: 20, expiry: after(60) });
    create.touch = Some(after(99));
    let made = computed(items.run("n", create));
    assert_eq!((made.number, made.created, made.expiry_before, made.expiry), (20, true, Expiry::NEVER, after(60)));
    let hit = items.peek("n").unwrap();
    assert_eq!((hit.before.cas, hit.before.flags, hit.before.fetched), (made.cas, 0, false));
    let counted = computed(items.run("n", create));
    assert_eq!((counted.number, counted.created, counted.expiry), (15, false, after(99)));
}

#[test]
fn only_that_very_value_is_counted_if_asked_for() {
    let items = Fixture::new();
    let cas = items.set("n", "1");
    let compare = |cas| {
        let mut increment = Arithmetic::increment(1);
        increment.compare = Some(cas);
        increment
    };
    assert_eq!(items.run("n", compare(cas + 1)), ArithmeticReply::Exists);
    assert_eq!(computed(items.run("n", compare(cas))).number, 2);
    assert_eq!(computed(items.run("n", compare(0))).number, 3, "0 is no condition");
}

#[test]
fn what_is_missing_is_created_whatever_it_is_compared_with() {
    let items = Fixture::new();
    let mut create = Arithmetic::increment(1);
    create.compare = Some(55);
    create.create = Some(Initial { number: 7, expiry: Expiry::NEVER });
    assert_eq!(computed(items.run("n", create)).number, 7);
}

#[test]
fn counting_may_touch_and_set_the_cas_id() {
    let items = Fixture::new();
    for value in ["10", "99"] {
        items.set("n", value);
        let mut increment = Arithmetic::increment(1);
        increment.touch = Some(after(60));
        increment.cas = Some(777);
        let counted = computed(items.run("n", increment));
        assert_eq!((counted.cas, counted.expiry_before, counted.expiry), (777, Expiry::NEVER, after(60)));
        let hit = items.read("n").unwrap();
        assert_eq!((hit.before.cas, hit.before.expiry), (777, after(60)));
    }
}

#[test]
fn counting_in_place_keeps_the_marks_and_growing_does_not() {
    let items = Fixture::new();
    let mut mark = Delete::new();
    mark.stale = Some(Stale::default());
    for (value, is_kept) in [("10", true), ("99", false)] {
        items.set("n", value);
        items.run("n", mark);
        assert!(items.read("n").unwrap().won);
        items.increment("n", 1);
        let hit = items.peek("n").unwrap();
        assert_eq!((hit.before.stale, hit.before.won, hit.before.fetched), (is_kept, is_kept, is_kept));
    }
}
