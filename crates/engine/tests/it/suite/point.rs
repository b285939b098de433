use charioteer_engine::table::{Get, Put, Remove, TimeToLive, Ttl};

use super::fixture::{Fixture, START, key};

#[test]
fn a_missing_row_is_none() {
    let f = Fixture::new();
    assert_eq!(f.get("h", "s"), None);
    assert_eq!(f.ttl("h", "s"), None);
}

#[test]
fn put_overwrites_value_and_expiry() {
    let f = Fixture::new();
    f.put_until("h", "s", "first", START + 10);
    f.put("h", "s", "second");
    assert_eq!(f.get("h", "s").as_deref(), Some("second"));
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Never));
}

#[test]
fn empty_values_sort_keys_and_hash_keys_are_rows_like_any_other() {
    let f = Fixture::new();
    for (hash_key, sort_key) in [("", ""), ("", "s"), ("h", "")] {
        f.put(hash_key, sort_key, "");
        assert_eq!(f.get(hash_key, sort_key).as_deref(), Some(""));
    }
}

#[test]
fn hash_key_and_sort_key_do_not_run_into_each_other() {
    let f = Fixture::new();
    f.put("ab", "c", "1");
    assert_eq!(f.get("a", "bc"), None);
}

#[test]
fn a_row_is_gone_in_the_second_of_its_expiry() {
    let f = Fixture::new();
    f.put_until("h", "s", "v", START + 2);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(2)));
    f.advance(1);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(1)));
    assert_eq!(f.get("h", "s").as_deref(), Some("v"));
    f.advance(1);
    assert_eq!(f.ttl("h", "s"), None);
    assert_eq!(f.get("h", "s"), None);
}

#[test]
fn an_expiry_in_the_past_makes_the_row_invisible_at_once() {
    let f = Fixture::new();
    f.put("h", "s", "old");
    f.put_until("h", "s", "new", 1);
    assert_eq!(f.get("h", "s"), None);
}

#[test]
fn a_negative_expiry_is_far_in_the_future() {
    let f = Fixture::new();
    f.run(Put::new(key("h", "s"), "v".into(), -1));
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(u32::MAX - START)));
}

#[test]
fn the_default_ttl_applies_to_rows_written_without_an_expiry() {
    let f = Fixture::new();
    f.put("h", "before", "v");
    f.set_env("default_ttl", "60");
    f.put("h", "after", "v");
    f.put_until("h", "own", "v", START + 5);
    assert_eq!(f.ttl("h", "before"), Some(TimeToLive::Never));
    assert_eq!(f.ttl("h", "after"), Some(TimeToLive::Seconds(60)));
    assert_eq!(f.ttl("h", "own"), Some(TimeToLive::Seconds(5)));
}

#[test]
fn removing_a_row_twice_is_fine() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    f.run(Remove::new(key("h", "s")));
    assert_eq!(f.get("h", "s"), None);
    f.run(Remove::new(key("h", "s")));
}

#[test]
fn partitions_keep_their_rows_apart() {
    let f = Fixture::new();
    f.table.run(1, Put::new(key("h", "s"), "in 1".into(), 0)).unwrap();
    assert_eq!(f.table.run(0, Get::new(key("h", "s"))).unwrap().reply, None);
    assert_eq!(f.table.run(1, Get::new(key("h", "s"))).unwrap().reply.as_deref(), Some(&b"in 1"[..]));
}

#[test]
fn writes_are_numbered_by_partition_and_reads_are_not() {
    let f = Fixture::new();
    let put = || Put::new(key("h", "s"), "v".into(), 0);
    assert_eq!(f.table.run(0, put()).unwrap().decree, 1);
    assert_eq!(f.table.run(0, Remove::new(key("h", "none"))).unwrap().decree, 2);
    assert_eq!(f.table.run(1, put()).unwrap().decree, 1);
    assert_eq!(f.table.run(0, Get::new(key("h", "s"))).unwrap().decree, 0);
    assert_eq!(f.table.run(0, Ttl::new(key("h", "s"))).unwrap().decree, 0);
    assert_eq!(f.table.run(0, put()).unwrap().decree, 3);
}
