use bytes::Bytes;
use charioteer_engine::table::{Ended, MultiGetRange, MultiGetReply, RangeRequest, Status, Walk};

use super::fixture::{Fixture, START, bytes, text, whole_hash_key};

fn get(f: &Fixture, request: &RangeRequest) -> MultiGetReply {
    f.walk(MultiGetRange::new(request.clone()))
}

fn answer(f: &Fixture, request: &RangeRequest) -> (Status, String) {
    let reply = get(f, request);
    let sort_keys: Vec<String> = reply.rows.iter().map(|(sort_key, _)| text(sort_key)).collect();
    (reply.status, sort_keys.join(" "))
}

fn ok(sort_keys: &str) -> (Status, String) {
    (Status::Ok, sort_keys.to_owned())
}

fn incomplete(sort_keys: &str) -> (Status, String) {
    (Status::Incomplete, sort_keys.to_owned())
}

/// Rows "a" to "e" of the hash key "h", and nothing else.
fn five_rows() -> Fixture {
    let f = Fixture::new();
    for sort_key in ["a", "b", "c", "d", "e"] {
        f.put("h", sort_key, "1234");
    }
    f
}

fn between(start: &str, start_inclusive: bool, stop: &str, stop_inclusive: bool) -> RangeRequest {
    RangeRequest {
        start_sort_key: bytes(start),
        start_inclusive,
        stop_sort_key: bytes(stop),
        stop_inclusive,
        ..whole_hash_key("h")
    }
}

fn reverse(request: RangeRequest) -> RangeRequest {
    RangeRequest { reverse: true, ..request }
}

#[test]
fn all_rows_of_a_hash_key_come_ascending_in_both_directions() {
    let f = five_rows();
    f.put("g", "x", "v");
    f.put("i", "x", "v");
    f.put("", "x", "v");
    assert_eq!(answer(&f, &whole_hash_key("h")), ok("a b c d e"));
    assert_eq!(answer(&f, &reverse(whole_hash_key("h"))), ok("a b c d e"));
    assert_eq!(answer(&f, &whole_hash_key("none")), ok(""));
    assert_eq!(answer(&f, &whole_hash_key("")), ok("x"));
}

#[test]
fn bounds_belong_to_the_range_if_inclusive() {
    let f = five_rows();
    for direction in [|request| request, reverse] {
        assert_eq!(answer(&f, &direction(between("b", true, "d", true))), ok("b c d"));
        assert_eq!(answer(&f, &direction(between("b", false, "d", true))), ok("c d"));
        assert_eq!(answer(&f, &direction(between("b", true, "d", false))), ok("b c"));
        assert_eq!(answer(&f, &direction(between("b", false, "d", false))), ok("c"));
        assert_eq!(answer(&f, &direction(between("aa", false, "cc", false))), ok("b c"));
        assert_eq!(answer(&f, &direction(between("c", true, "c", true))), ok("c"));
        assert_eq!(answer(&f, &direction(between("d", true, "", true))), ok("d e"), "empty is the end");
        assert_eq!(answer(&f, &direction(between("", false, "b", true))), ok("a b"));
    }
}

#[test]
fn an_empty_sort_key_is_left_out_by_an_exclusive_start() {
    let f = five_rows();
    f.put("h", "", "v");
    assert_eq!(answer(&f, &between("", true, "b", false)), ok(" a"));
    assert_eq!(answer(&f, &between("", false, "b", false)), ok("a"));
}

#[test]
fn an_empty_range_is_no_error() {
    let f = five_rows();
    for direction in [|request| request, reverse] {
        assert_eq!(answer(&f, &direction(between("d", true, "b", true))), ok(""));
        assert_eq!(answer(&f, &direction(between("c", true, "c", false))), ok(""));
        assert_eq!(answer(&f, &direction(between("c", false, "c", true))), ok(""));
    }
}

#[test]
fn forwards_the_count_is_incomplete_when_the_hash_key_has_a_further_row() {
    let f = five_rows();
    f.put("i", "x", "v");
    let limited = |max_count, request| RangeRequest { max_count, ..request };
    assert_eq!(answer(&f, &limited(2, whole_hash_key("h"))), incomplete("a b"));
    assert_eq!(answer(&f, &limited(5, whole_hash_key("h"))), ok("a b c d e"), "the next row is another hash key's");
    let exclusive = between("a", true, "c", false);
    assert_eq!(answer(&f, &limited(2, exclusive)), incomplete("a b"), "the further row may be beyond the range");
    let inclusive = between("a", true, "b", true);
    assert_eq!(answer(&f, &limited(2, inclusive)), ok("a b"), "the last row is the stop key");
}

#[test]
fn backwards_the_count_is_incomplete_when_the_partition_has_an_earlier_row() {
    let f = five_rows();
    let limited = |max_count, request| reverse(RangeRequest { max_count, ..request });
    assert_eq!(answer(&f, &limited(2, whole_hash_key("h"))), incomplete("d e"));
    assert_eq!(answer(&f, &limited(5, whole_hash_key("h"))), ok("a b c d e"), "nothing is in front of it");
    assert_eq!(answer(&f, &limited(2, between("b", false, "d", true))), incomplete("c d"));
    assert_eq!(answer(&f, &limited(2, between("c", true, "d", true))), ok("c d"), "the last row is the start key");
    f.put("g", "x", "v");
    assert_eq!(answer(&f, &limited(5, whole_hash_key("h"))), incomplete("a b c d e"), "another hash key's row");
}

#[test]
fn rows_of_another_partition_are_not_seen_backwards() {
    let f = five_rows();
    let put = charioteer_engine::table::Put::new(super::fixture::key("h", "z"), "v".into(), 0);
    f.table.run(1, put).unwrap();
    let request = reverse(RangeRequest { max_count: 1, ..whole_hash_key("h") });
    let reply = f.table.walk(1, MultiGetRange::new(request)).unwrap();
    assert_eq!((reply.status, reply.rows.len()), (Status::Ok, 1));
}

#[test]
fn the_size_may_overshoot_by_one_row() {
    let f = five_rows();
    let limited = |max_size| RangeRequest { max_size, ..whole_hash_key("h") };
    assert_eq!(answer(&f, &limited(1)), incomplete("a"));
    assert_eq!(answer(&f, &limited(5)), incomplete("a"));
    assert_eq!(answer(&f, &limited(6)), incomplete("a b"));
    assert_eq!(answer(&f, &limited(25)), ok("a b c d e"));
    assert_eq!(answer(&f, &reverse(limited(6))), incomplete("d e"));
    let keys_only = RangeRequest { no_value: true, ..limited(2) };
    assert_eq!(answer(&f, &keys_only), incomplete("a b"), "without values only keys count");
}

#[test]
fn values_come_empty_if_not_wanted() {
    let f = five_rows();
    let reply = get(&f, &RangeRequest { no_value: true, ..whole_hash_key("h") });
    assert!(reply.rows.iter().all(|(_, value)| value.is_empty()));
    let reply = get(&f, &whole_hash_key("h"));
    assert_eq!(reply.rows.first(), Some(&(Bytes::from("a"), Bytes::from("1234"))));
}

#[test]
fn expired_rows_are_left_out_but_are_further_rows() {
    let f = five_rows();
    f.put_until("h", "b", "v", START);
    f.put_until("h", "f", "v", START);
    assert_eq!(answer(&f, &whole_hash_key("h")), ok("a c d e"));
    let four = RangeRequest { max_count: 4, ..whole_hash_key("h") };
    assert_eq!(answer(&f, &four), incomplete("a c d e"), "the expired row at the end is not looked at");
}

fn filtered(filter_type: i32, pattern: &str) -> RangeRequest {
    RangeRequest { sort_key_filter_type: filter_type, sort_key_filter_pattern: bytes(pattern), ..whole_hash_key("h") }
}

#[test]
fn filters_look_at_the_bytes_of_the_sort_key() {
    let f = Fixture::new();
    for sort_key in ["", "a", "ab", "abc", "b", "bab", "c"] {
        f.put("h", sort_key, "v");
    }
    for direction in [|request| request, reverse] {
        assert_eq!(answer(&f, &direction(filtered(0, "zzz"))), ok(" a ab abc b bab c"));
        assert_eq!(answer(&f, &direction(filtered(1, "b"))), ok("ab abc b bab"));
        assert_eq!(answer(&f, &direction(filtered(2, "ab"))), ok("ab abc"));
        assert_eq!(answer(&f, &direction(filtered(3, "ab"))), ok("ab bab"));
        assert_eq!(answer(&f, &direction(filtered(1, "longer than all"))), ok(""));
        for filter_type in 0..=3 {
            assert_eq!(answer(&f, &direction(filtered(filter_type, ""))), ok(" a ab abc b bab c"));
        }
    }
}

#[test]
fn a_prefix_narrows_the_range_from_both_sides() {
    let f = Fixture::new();
    for sort_key in ["a", "ab", "abc", "abd", "ac", "b"] {
        f.put("h", sort_key, "v");
    }
    let prefix = |request| RangeRequest { sort_key_filter_type: 2, sort_key_filter_pattern: "ab".into(), ..request };
    for direction in [|request| request, reverse] {
        let request = |start, start_inclusive, stop, stop_inclusive| {
            direction(prefix(between(start, start_inclusive, stop, stop_inclusive)))
        };
        assert_eq!(answer(&f, &request("a", false, "b", true)), ok("ab abc abd"));
        assert_eq!(answer(&f, &request("ab", false, "b", true)), ok("abc abd"), "an equal start stays exclusive");
        assert_eq!(answer(&f, &request("abc", true, "abd", false)), ok("abc"), "a narrower range stays");
        assert_eq!(answer(&f, &request("", true, "ac", true)), ok("ab abc abd"), "an equal stop becomes exclusive");
        assert_eq!(answer(&f, &request("ac", true, "", true)), ok(""));
        assert_eq!(answer(&f, &request("", true, "aa", true)), ok(""));
    }
    // Backwards the range starts inside the prefix, so that a row behind it is no further row.
    let last = reverse(prefix(RangeRequest { max_count: 3, ..whole_hash_key("h") }));
    assert_eq!(answer(&f, &last), ok("ab abc abd"), "the last row is the narrowed start key");
}

#[test]
fn filtered_rows_are_further_rows_too() {
    let f = five_rows();
    let request = RangeRequest { max_count: 1, ..filtered(3, "a") };
    assert_eq!(answer(&f, &request), incomplete("a"));
}

#[test]
fn an_unknown_filter_is_invalid() {
    let f = five_rows();
    for filter_type in [-1, 4, i32::MAX] {
        assert_eq!(answer(&f, &filtered(filter_type, "a")), (Status::InvalidArgument, String::new()));
    }
}

#[test]
fn at_most_3000_rows_are_looked_at() {
    let f = Fixture::new();
    for number in 0..3000 {
        f.put("h", &format!("{number:04}"), "v");
    }
    let all = RangeRequest { max_count: 100_000, ..whole_hash_key("h") };
    let reply = get(&f, &all);
    assert_eq!((reply.status, reply.rows.len()), (Status::Ok, 3000));
    f.put("h", "9999", "v");
    let reply = get(&f, &all);
    assert_eq!((reply.status, reply.rows.len()), (Status::Incomplete, 3000));
    let last = RangeRequest { sort_key_filter_type: 3, sort_key_filter_pattern: "9999".into(), ..all };
    assert_eq!(answer(&f, &last), incomplete(""), "filtered rows count as looked at");
    assert_eq!(answer(&f, &reverse(last)), incomplete("9999"));
}

#[test]
fn a_skipped_exclusive_start_does_not_count_as_looked_at() {
    let f = Fixture::new();
    for number in 0..=3000 {
        f.put("h", &format!("{number:04}"), "v");
    }
    let reply = get(&f, &between("0000", false, "", false));
    assert_eq!((reply.status, reply.rows.len()), (Status::Ok, 3000));
}

#[test]
fn no_more_than_30_mib_and_a_row_are_returned() {
    let f = Fixture::new();
    let mib = "v".repeat(1 << 20);
    for number in 0..33 {
        f.put("h", &format!("{number:02}"), &mib);
    }
    let reply = get(&f, &RangeRequest { max_size: i32::MAX, ..whole_hash_key("h") });
    assert_eq!((reply.status, reply.rows.len()), (Status::Incomplete, 30));
}

#[test]
fn running_out_of_time_is_incomplete() {
    assert_eq!(MultiGetRange::new(whole_hash_key("h")).finish(Ended::OutOfTime).status, Status::Incomplete);
}

#[test]
fn a_hash_key_of_all_ones_has_its_own_rows_only() {
    let f = Fixture::new();
    let ones = Bytes::from_static(b"\xff\xff");
    for hash_key in [&b"\xff\xff"[..], b"\xff\xfe", b"\0\0\0"] {
        let key = charioteer_engine::table::raw_key(hash_key, b"s");
        f.run(charioteer_engine::table::Put::new(key, "v".into(), 0));
    }
    let request = RangeRequest { hash_key: ones, ..whole_hash_key("") };
    assert_eq!(answer(&f, &request), ok("s"));
    assert_eq!(answer(&f, &reverse(request)), ok("s"));
}
