use charioteer_engine::table::{Increment, IncrementReply, Status, TimeToLive};

use super::fixture::{Fixture, START, key};

fn increment(f: &Fixture, by: i64, expire_ts: i32) -> IncrementReply {
    f.run(Increment::new(key("h", "s"), by, expire_ts))
}

fn ok(new_value: i64) -> IncrementReply {
    IncrementReply { status: Status::Ok, new_value }
}

const INVALID: IncrementReply = IncrementReply { status: Status::InvalidArgument, new_value: 0 };

#[test]
fn a_missing_expired_or_empty_value_counts_as_zero() {
    let f = Fixture::new();
    assert_eq!(increment(&f, -3, 0), ok(-3));
    f.put_until("h", "s", "100", START);
    assert_eq!(increment(&f, 4, 0), ok(4));
    f.put("h", "s", "");
    assert_eq!(increment(&f, 5, 0), ok(5));
    assert_eq!(f.get("h", "s").as_deref(), Some("5"));
}

#[test]
fn the_sum_is_stored_as_decimal_text() {
    let f = Fixture::new();
    for (value, sum) in [("41", 42), (" 41", 42), ("+41", 42), ("0x29", 42), ("051", 42), ("-43", -42)] {
        f.put("h", "s", value);
        assert_eq!(increment(&f, 1, 0), ok(sum), "{value:?}");
        assert_eq!(f.get("h", "s"), Some(sum.to_string()));
    }
}

#[test]
fn increment_of_text_that_is_no_integer_writes_nothing() {
    let f = Fixture::new();
    for value in ["text", "1 ", "1.5", "08", "0x", "9223372036854775808", " "] {
        f.put("h", "s", value);
        assert_eq!(increment(&f, 1, 0), INVALID, "{value:?}");
        assert_eq!(f.get("h", "s").as_deref(), Some(value));
    }
}

#[test]
fn a_sum_that_does_not_fit_answers_with_the_old_value_and_writes_nothing() {
    let f = Fixture::new();
    for (value, by) in [(i64::MAX, 1), (i64::MIN, -1), (1, i64::MAX)] {
        f.put("h", "s", &value.to_string());
        let reply = increment(&f, by, 0);
        assert_eq!(reply, IncrementReply { status: Status::InvalidArgument, new_value: value });
        assert_eq!(f.get("h", "s"), Some(value.to_string()));
    }
}

#[test]
fn incrementing_by_zero_reads_or_creates() {
    let f = Fixture::new();
    assert_eq!(increment(&f, 0, 0), ok(0));
    assert_eq!(f.get("h", "s").as_deref(), Some("0"));
}

#[test]
fn a_new_counter_takes_a_positive_expiry_only() {
    let f = Fixture::new();
    increment(&f, 1, -1);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Never));
    f.put_until("h", "s", "1", START);
    increment(&f, 1, (START + 7).cast_signed());
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(7)));
}

#[test]
fn an_existing_counter_keeps_replaces_or_clears_its_expiry() {
    let f = Fixture::new();
    f.put_until("h", "s", "1", START + 10);
    increment(&f, 1, 0);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(10)));
    increment(&f, 1, (START + 20).cast_signed());
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(20)));
    increment(&f, 1, -1);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Never));
}

#[test]
fn the_default_ttl_applies_whenever_no_expiry_is_left() {
    let f = Fixture::new();
    f.put("h", "s", "1");
    f.set_env("default_ttl", "60");
    increment(&f, 1, 0);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(60)));
    f.advance(10);
    increment(&f, 1, 0);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(50)), "the expiry it has now is kept");
    increment(&f, 1, -1);
    assert_eq!(f.ttl("h", "s"), Some(TimeToLive::Seconds(60)));
}

#[test]
fn an_increment_that_writes_nothing_is_numbered_too() {
    let f = Fixture::new();
    f.put("h", "s", "text");
    let done = f.table.run(0, Increment::new(key("h", "s"), 1, 0)).unwrap();
    assert_eq!((done.reply, done.decree), (INVALID, 2));
}
