use charioteer_engine::Direction;
use charioteer_engine::raw::{
    BatchGet, BatchScan, Checksum, Delete, Family, InvalidRange, PAIR_BYTES, Pairs, Put, RowView, Scan, ScanRange, Walk,
};

use super::fixture::{Fixture, bytes, text};

fn forward(start: &str, end: &str, limit: usize) -> Scan {
    Scan::forward(bytes(start), bytes(end), limit)
}

fn backward(start: &str, end: &str, limit: usize) -> Scan {
    Scan::backward(bytes(start), bytes(end), limit)
}

fn with_keys(keys: &[&str]) -> Fixture {
    let f = Fixture::new();
    keys.iter().for_each(|key| f.put(key, "value"));
    f
}

#[test]
fn a_scan_goes_from_its_start_to_before_its_end() {
    let f = with_keys(&["", "a", "b", "c", "d"]);
    assert_eq!(f.scan(forward("a", "c", 10)), ["a", "b"]);
    assert_eq!(f.scan(forward("a\0", "", 10)), ["b", "c", "d"]);
    assert_eq!(f.scan(forward("", "", 2)), ["", "a"]);
    for (start, end, limit) in [("c", "c", 10), ("c", "a", 10), ("a", "c", 0), ("e", "", 10)] {
        assert_eq!(f.scan(forward(start, end, limit)), [""; 0]);
    }
}

#[test]
fn a_backward_scan_goes_from_before_its_start_down_to_its_end() {
    let f = with_keys(&["", "a", "b", "c", "d"]);
    assert_eq!(f.scan(backward("c", "a", 10)), ["b", "a"]);
    assert_eq!(f.scan(backward("c\0", "", 10)), ["c", "b", "a", ""]);
    assert_eq!(f.scan(backward("z", "", 2)), ["d", "c"]);
    for (start, end, limit) in [("c", "c", 10), ("a", "c", 10), ("c", "a", 0), ("", "", 10)] {
        assert_eq!(f.scan(backward(start, end, limit)), [""; 0]);
    }
}

#[test]
fn a_scan_for_keys_has_empty_values() {
    let f = with_keys(&["a"]);
    let values = |scan: Scan| f.walk(scan).pairs.into_iter().map(|pair| text(&pair.value)).collect::<Vec<_>>();
    assert_eq!(values(forward("", "", 10)), ["value"]);
    assert_eq!(values(forward("", "", 10).keys_only()), [""]);
}

/// The rows as text, and which of them came without a value.
#[derive(Default)]
struct Lines(Vec<String>);

impl Pairs for Lines {
    fn push(&mut self, row: RowView<'_>) {
        self.0.push(format!("{} = {}", text(row.key()), text(row.value())));
    }

    fn push_key(&mut self, row: RowView<'_>) {
        self.0.push(text(row.key()));
    }
}

#[test]
fn what_rows_are_put_into_gets_those_of_every_kind_of_scan_and_no_others() {
    let f = with_keys(&["a", "b", "c"]);
    f.put("d", "");
    let collected = |scan: Scan| {
        let scanned = f.walk(scan.collecting(Lines::default()));
        (scanned.pairs.0.join(", "), scanned.is_cut)
    };
    assert_eq!(collected(forward("b", "", 10)), ("b = value, c = value, d = ".to_owned(), false));
    assert_eq!(collected(backward("d", "", 2).keys_only()), ("c, b".to_owned(), false));
    assert_eq!(collected(forward("", "", 10).max_bytes(6 + PAIR_BYTES)), ("a = value".to_owned(), true));
    assert_eq!(collected(forward("", "", 0)), (String::new(), false));

    let ranges = [("a", "c"), ("d", "")].map(|(start, end)| ScanRange { start: bytes(start), end: bytes(end) });
    let scan = BatchScan::new(ranges.to_vec(), Direction::Forward, 1).unwrap().collecting(Lines::default());
    assert_eq!(f.walk(scan).pairs.0, ["a = value", "d = "]);
    let get = BatchGet::new(["c", "none", "a"].map(bytes).to_vec()).collecting(Lines::default());
    assert_eq!(f.walk(get).pairs.0, ["c = value", "a = value"]);
}

#[test]
fn a_scan_is_cut_where_its_bytes_are_used_up() {
    let f = with_keys(&["a", "b", "c"]);
    let scanned = |scan: Scan| {
        let scanned = f.walk(scan);
        (scanned.pairs.len(), scanned.is_cut)
    };
    assert_eq!(scanned(forward("", "", 10).max_bytes(3 * (6 + PAIR_BYTES))), (3, false));
    assert_eq!(scanned(forward("", "", 10).max_bytes(3 * (6 + PAIR_BYTES) - 1)), (2, true));
    assert_eq!(scanned(forward("", "", 2).max_bytes(2 * (6 + PAIR_BYTES))), (2, false), "it has all it was asked for");
    assert_eq!(scanned(forward("", "", 10).max_bytes(0)), (1, true), "it gets on");
    assert_eq!(scanned(forward("", "", 10).keys_only().max_bytes(3 * (1 + PAIR_BYTES))), (3, false));
    assert_eq!(scanned(backward("z", "", 10).max_bytes(6 + PAIR_BYTES)), (1, true));
}

fn ranges(of: &[(&str, &str)]) -> Vec<ScanRange> {
    of.iter().map(|(start, end)| ScanRange { start: bytes(start), end: bytes(end) }).collect()
}

#[test]
fn a_batch_scan_takes_rows_of_each_range() {
    let f = with_keys(&["a1", "a2", "a3", "b1", "c1", "c2"]);
    let keys = |of: &[(&str, &str)], direction, each| {
        let scan = BatchScan::new(ranges(of), direction, each).unwrap();
        f.walk(scan).pairs.iter().map(|pair| text(&pair.key)).collect::<Vec<_>>()
    };
    assert_eq!(keys(&[("a", "b"), ("c", "")], Direction::Forward, 2), ["a1", "a2", "c1", "c2"]);
    assert_eq!(keys(&[("a2", ""), ("c", ""), ("d", "")], Direction::Forward, 9), ["a2", "a3", "b1", "c1", "c2"]);
    assert_eq!(keys(&[("c", "b"), ("b", "a")], Direction::Backward, 2), ["b1", "a3", "a2"]);
    assert_eq!(keys(&[("z", ""), ("b", "")], Direction::Backward, 9), ["c2", "c1", "b1", "a3", "a2", "a1"]);
    assert_eq!(keys(&[("a", "")], Direction::Forward, 0), [""; 0]);
    assert_eq!(keys(&[], Direction::Forward, 9), [""; 0]);
}

#[test]
fn a_batch_scan_is_cut_once_for_all_its_ranges() {
    let f = with_keys(&["a", "b", "c", "d"]);
    let scan = BatchScan::new(ranges(&[("a", "b"), ("b", "d"), ("d", "")]), Direction::Forward, 9).unwrap();
    let scanned = f.walk(scan.keys_only().max_bytes(2 * (1 + PAIR_BYTES)));
    assert_eq!((scanned.pairs.len(), scanned.is_cut), (2, true));
}

#[test]
fn a_range_that_ends_before_it_starts_is_refused() {
    let refused = |of: &[(&str, &str)], direction| BatchScan::new(ranges(of), direction, 9).err() == Some(InvalidRange);
    assert!(refused(&[("a", "b"), ("b", "b")], Direction::Forward));
    assert!(refused(&[("b", ""), ("a", "")], Direction::Forward), "the first one ends where the second begins");
    assert!(refused(&[("a", "b")], Direction::Backward));
    assert!(!refused(&[("b", "a")], Direction::Backward));
}

#[test]
fn a_walk_sees_one_instant_however_many_steps_it_takes() {
    let f = Fixture::new();
    let number_of = |number: usize| format!("{number:04}");
    (0..2500).for_each(|number| f.put_for(&number_of(number), "old", u64::from(number % 5 == 0)));
    f.advance(1);
    let expected: Vec<String> = (0..2500).filter(|number| number % 5 != 0).map(number_of).collect();
    let forwards = f.store().begin_walk(Family::Default, forward("", "", usize::MAX)).unwrap();
    let backwards = f.store().begin_walk(Family::Default, backward("z", "", usize::MAX)).unwrap();
    for (mut walking, is_forward) in [(forwards, true), (backwards, false)] {
        let (mut steps, mut scanned) = (0, None);
        while scanned.is_none() {
            f.put(&format!("{steps} new"), "new");
            f.put(&number_of(2499 - steps), "new");
            f.put(&number_of(5 * steps), "new");
            f.run(Delete::new(bytes(&number_of(1250 + steps))));
            scanned = walking.step().unwrap();
            steps += 1;
        }
        assert!(walking.step().unwrap().is_none());
        assert_eq!(steps, 3);
        let pairs = scanned.unwrap().pairs;
        let mut keys: Vec<String> = pairs.iter().map(|pair| text(&pair.key)).collect();
        if !is_forward {
            keys.reverse();
        }
        assert_eq!(keys, expected);
        assert!(pairs.iter().all(|pair| pair.value == "old"));
    }
}

#[test]
fn many_empty_ranges_are_taken_in_steps_too() {
    let f = with_keys(&["z"]);
    let many: Vec<_> = (0..2500).map(|number| (format!("{number:04}"), format!("{number:04}a"))).collect();
    let many: Vec<_> = many.iter().map(|(start, end)| (&start[..], &end[..])).chain([("z", "")]).collect();
    let mut walking =
        f.store().begin_walk(Family::Default, BatchScan::new(ranges(&many), Direction::Forward, 9).unwrap()).unwrap();
    assert!(walking.step().unwrap().is_none());
    assert!(walking.step().unwrap().is_none());
    assert_eq!(walking.step().unwrap().map(|scanned| scanned.pairs.len()), Some(1));
    assert!(forward("", "", 0).next_range().is_none());
}

#[test]
fn a_walk_within_bounds_sees_nothing_outside() {
    let f = with_keys(&["", "a", "b", "c", "d"]);
    let keys = |scan: Scan, lower: &str, upper: &str| {
        let mut walking =
            f.store().begin_walk(Family::Default, scan).unwrap().within(lower.as_bytes(), upper.as_bytes());
        let pairs = walking.step().unwrap().unwrap().pairs;
        pairs.iter().map(|pair| text(&pair.key)).collect::<Vec<_>>()
    };
    assert_eq!(keys(forward("", "", 10), "a", "c"), ["a", "b"]);
    assert_eq!(keys(forward("b", "", 10), "a", ""), ["b", "c", "d"]);
    assert_eq!(keys(backward("z", "", 10), "a", "c"), ["b", "a"]);
    assert_eq!(keys(forward("a", "b", 10), "c", "d"), [""; 0]);
    assert_eq!(keys(forward("a", "z", 1), "c", "d"), ["c"]);
    let get = BatchGet::new(["d", "", "a", "b", "c"].map(bytes).to_vec());
    let mut walking = f.store().begin_walk(Family::Default, get).unwrap().within(b"a", b"c");
    let found = walking.step().unwrap().unwrap().pairs;
    assert_eq!(found.iter().map(|pair| text(&pair.key)).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_batch_of_gets_is_cut_where_its_bytes_are_used_up() {
    let f = with_keys(&["a", "b", "c"]);
    let got = |bytes: usize| {
        let keys = ["none", "c", "a", "c"].map(super::fixture::bytes).to_vec();
        let scanned = f.walk(BatchGet::new(keys).max_bytes(bytes));
        (scanned.pairs.len(), scanned.is_cut)
    };
    assert_eq!(got(3 * (6 + PAIR_BYTES)), (3, false));
    assert_eq!(got(3 * (6 + PAIR_BYTES) - 1), (2, true));
    assert_eq!(got(0), (1, true));
}

#[test]
fn long_values_are_more_work_than_short_ones() {
    let f = Fixture::new();
    (0..10).for_each(|number| f.run(Put::new(bytes(&number.to_string()), vec![0; 500 << 10].into())));
    let all = Checksum::new(vec![(bytes(""), bytes(""))]);
    let mut walking = f.store().begin_walk(Family::Default, all).unwrap();
    let steps = (1..).find_map(|steps| walking.step().unwrap().map(|reply| (steps, reply.rows)));
    assert_eq!(steps, Some((6, 10)), "two rows a step, and one that finds no more");
}
