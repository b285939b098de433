use std::time::{Duration, Instant};

use charioteer_engine::table::{
    CheckAndMutate, CheckAndSet, CheckAndSetRequest, CheckReply, Checked, Mutation, Status, TimeToLive,
};

use super::fixture::{Fixture, START, bytes};

fn request(check_type: i32, operand: &str) -> CheckAndSetRequest {
    CheckAndSetRequest {
        hash_key: "h".into(),
        check_sort_key: "check".into(),
        check_type,
        check_operand: bytes(operand),
        set_sort_key: Some("set".into()),
        set_value: "new".into(),
        set_expire_ts: 0,
        return_check_value: true,
    }
}

/// The status of a check of a row with this value, or without a row.
fn check(value: Option<&str>, check_type: i32, operand: &str) -> Status {
    let f = Fixture::new();
    if let Some(value) = value {
        f.put("h", "check", value);
    }
    let reply = f.run(CheckAndSet::new(request(check_type, operand)));
    assert_eq!(reply.checked, Some(Checked { value: value.map(bytes) }));
    let written = f.get("h", "set").is_some();
    assert_eq!(written, reply.status == Status::Ok, "it writes if and only if the check passes");
    reply.status
}

#[test]
fn every_check_type_does_what_it_says() {
    // Each line: the check types, an operand, the values that pass. Missing rows are written "-".
    let values = ["-", "", "a", "abc", "bc", "ab", "b"];
    let cases: [(i32, &str, &[&str]); 16] = [
        (0, "", &["-", "", "a", "abc", "bc", "ab", "b"]),
        (1, "", &["-"]),
        (2, "", &["-", ""]),
        (3, "", &["", "a", "abc", "bc", "ab", "b"]),
        (4, "", &["a", "abc", "bc", "ab", "b"]),
        (5, "", &["", "a", "abc", "bc", "ab", "b"]),
        (5, "b", &["abc", "bc", "ab", "b"]),
        (6, "ab", &["abc", "ab"]),
        (7, "bc", &["abc", "bc"]),
        (8, "ab", &["", "a"]),
        (9, "ab", &["", "a", "ab"]),
        (10, "ab", &["ab"]),
        (10, "", &[""]),
        (11, "ab", &["abc", "bc", "ab", "b"]),
        (12, "ab", &["abc", "bc", "b"]),
        (12, "", &["a", "abc", "bc", "ab", "b"]),
    ];
    for (check_type, operand, passing) in cases {
        for value in values {
            let expected = if passing.contains(&value) { Status::Ok } else { Status::TryAgain };
            let stored = (value != "-").then_some(value);
            assert_eq!(check(stored, check_type, operand), expected, "type {check_type} of {value:?} by {operand:?}");
        }
    }
}

#[test]
fn integers_are_compared_as_numbers() {
    let cases: [(i32, &[&str]); 5] = [
        (13, &["9", "-100"]),
        (14, &["9", "-100", "10", "0xa"]),
        (15, &["10", "0xa"]),
        (16, &["10", "0xa", "11", "100"]),
        (17, &["11", "100"]),
    ];
    for (check_type, passing) in cases {
        for value in ["9", "-100", "10", "0xa", "11", "100"] {
            let expected = if passing.contains(&value) { Status::Ok } else { Status::TryAgain };
            assert_eq!(check(Some(value), check_type, "10"), expected, "type {check_type} of {value:?}");
        }
    }
}

#[test]
fn comparing_integers_with_something_else_is_invalid() {
    for check_type in 13..=17 {
        assert_eq!(check(Some("ten"), check_type, "10"), Status::InvalidArgument);
        assert_eq!(check(Some(""), check_type, "10"), Status::InvalidArgument);
        assert_eq!(check(Some("10"), check_type, "ten"), Status::InvalidArgument);
        assert_eq!(check(Some("10"), check_type, ""), Status::InvalidArgument);
        assert_eq!(check(None, check_type, "ten"), Status::TryAgain, "a missing row is not compared");
    }
}

#[test]
fn an_unknown_check_is_invalid_and_returns_no_value() {
    let f = Fixture::new();
    f.put("h", "check", "v");
    for check_type in [-1, 18, i32::MAX, i32::MIN] {
        let reply = f.run(CheckAndSet::new(request(check_type, "")));
        assert_eq!(reply, CheckReply { status: Status::InvalidArgument, checked: None });
        assert_eq!(f.get("h", "set"), None);
    }
}

#[test]
fn the_checked_value_is_returned_only_if_asked_for() {
    let f = Fixture::new();
    let quiet = CheckAndSetRequest { return_check_value: false, ..request(3, "") };
    assert_eq!(f.run(CheckAndSet::new(quiet)), CheckReply { status: Status::TryAgain, checked: None });
}

#[test]
fn the_checked_value_is_the_one_before_the_write() {
    let f = Fixture::new();
    f.put("h", "check", "old");
    let same = CheckAndSetRequest { set_sort_key: None, ..request(3, "") };
    let reply = f.run(CheckAndSet::new(same));
    assert_eq!(reply.checked, Some(Checked { value: Some("old".into()) }));
    assert_eq!(f.get("h", "check").as_deref(), Some("new"));
    assert_eq!(f.get("h", "set"), None, "without a sort key of its own it sets the checked row");
}

#[test]
fn an_expired_row_counts_as_missing() {
    let f = Fixture::new();
    f.put_until("h", "check", "v", START);
    let reply = f.run(CheckAndSet::new(request(1, "")));
    assert_eq!(reply, CheckReply { status: Status::Ok, checked: Some(Checked { value: None }) });
}

#[test]
fn setting_drops_the_expiry_a_row_had() {
    let f = Fixture::new();
    f.put_until("h", "check", "v", START + 10);
    f.run(CheckAndSet::new(CheckAndSetRequest { set_sort_key: None, ..request(3, "") }));
    assert_eq!(f.ttl("h", "check"), Some(TimeToLive::Never));
    let expire_ts = (START + 5).cast_signed();
    f.run(CheckAndSet::new(CheckAndSetRequest { set_expire_ts: expire_ts, ..request(3, "") }));
    assert_eq!(f.ttl("h", "set"), Some(TimeToLive::Seconds(5)));
}

#[test]
fn the_default_ttl_applies_to_what_is_set() {
    let f = Fixture::new();
    f.set_env("default_ttl", "60");
    f.run(CheckAndSet::new(request(0, "")));
    assert_eq!(f.ttl("h", "set"), Some(TimeToLive::Seconds(60)));
    mutate(&f, 0, &[put("mutated", "v")]);
    assert_eq!(f.ttl("h", "mutated"), Some(TimeToLive::Seconds(60)));
}

#[test]
fn a_failed_check_is_numbered_like_a_write() {
    let f = Fixture::new();
    let done = f.table.run(0, CheckAndSet::new(request(3, ""))).unwrap();
    assert_eq!((done.reply.status, done.decree), (Status::TryAgain, 1));
}

fn put(sort_key: &str, value: &str) -> Mutation {
    Mutation { operation: 0, sort_key: bytes(sort_key), value: bytes(value), expire_ts: 0 }
}

fn remove(sort_key: &str) -> Mutation {
    Mutation { operation: 1, sort_key: bytes(sort_key), ..Mutation::default() }
}

fn mutate(f: &Fixture, check_type: i32, mutations: &[Mutation]) -> CheckReply {
    f.run(CheckAndMutate::new("h".into(), "check".into(), check_type, "".into(), mutations.to_vec(), true))
}

#[test]
fn mutations_are_applied_in_order_when_the_check_passes() {
    let f = Fixture::new();
    f.put("h", "check", "v");
    f.put("h", "old", "v");
    let late = Mutation { expire_ts: (START + 3).cast_signed(), ..put("late", "1") };
    let mutations = [put("a", "1"), remove("a"), remove("b"), put("b", "2"), remove("old"), late, remove("check")];
    let reply = mutate(&f, 3, &mutations);
    assert_eq!(reply, CheckReply { status: Status::Ok, checked: Some(Checked { value: Some("v".into()) }) });
    assert_eq!(f.get("h", "a"), None);
    assert_eq!(f.get("h", "b").as_deref(), Some("2"));
    assert_eq!(f.get("h", "old"), None);
    assert_eq!(f.ttl("h", "late"), Some(TimeToLive::Seconds(3)));
    assert_eq!(f.get("h", "check"), None);
}

#[test]
fn no_mutation_is_applied_when_the_check_fails() {
    let f = Fixture::new();
    let reply = mutate(&f, 3, &[put("a", "1")]);
    assert_eq!(reply, CheckReply { status: Status::TryAgain, checked: Some(Checked { value: None }) });
    assert_eq!(f.get("h", "a"), None);
}

#[test]
fn mutations_that_make_no_sense_are_invalid() {
    let f = Fixture::new();
    let invalid = CheckReply { status: Status::InvalidArgument, checked: None };
    assert_eq!(mutate(&f, 0, &[]), invalid);
    assert_eq!(mutate(&f, 18, &[put("a", "1")]), invalid);
    for operation in [-1, 2] {
        let unknown = Mutation { operation, ..put("b", "1") };
        assert_eq!(mutate(&f, 0, &[put("a", "1"), unknown]), invalid);
    }
    assert_eq!(f.get("h", "a"), None);
}

#[test]
fn a_check_that_compares_text_as_integers_is_invalid_for_mutations_too() {
    let f = Fixture::new();
    f.put("h", "check", "text");
    let reply = mutate(&f, 15, &[put("a", "1")]);
    let checked = Some(Checked { value: Some("text".into()) });
    assert_eq!(reply, CheckReply { status: Status::InvalidArgument, checked });
}

#[test]
fn a_search_that_almost_matches_everywhere_takes_no_longer_than_others() {
    // As large as a write may be. A search that starts anew at every byte compares 250 GB here.
    const HALF: usize = 500_000;
    let f = Fixture::new();
    f.put("h", "check", &"a".repeat(2 * HALF));
    let operand = "a".repeat(HALF) + "b";
    let started = Instant::now();
    let reply = f.run(CheckAndSet::new(request(5, &operand)));
    assert_eq!(reply.status, Status::TryAgain);
    assert!(started.elapsed() < Duration::from_secs(60), "it took {:?}", started.elapsed());
}
