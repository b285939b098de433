use bytes::Bytes;
use charioteer_engine::table::{
    Ended, Owner, Put, Scan, ScanBatch, ScanPage, Status, Walk, partition_hash, raw_key, split,
};

use super::fixture::{Fixture, START, bytes, full_scan, key, text};

pub(crate) fn names(batch: &ScanBatch) -> Vec<String> {
    let name = |raw: &Bytes| split(raw).map(|(hash_key, sort_key)| format!("{}/{}", text(hash_key), text(sort_key)));
    batch.page.rows.iter().map(|row| name(&row.raw_key).unwrap()).collect()
}

/// All pages of a scan, each as the names of its rows.
fn pages(f: &Fixture, scan: &Scan) -> Vec<Vec<String>> {
    let mut batch = f.table.open_scan(0, scan.clone()).unwrap();
    let mut pages = vec![names(&batch)];
    while !batch.is_last() {
        assert_eq!(batch.page.status, Status::Ok);
        batch = f.table.next_scan(0, batch.context_id).unwrap().unwrap();
        pages.push(names(&batch));
    }
    pages
}

fn all(f: &Fixture, scan: &Scan) -> Vec<String> {
    pages(f, scan).concat()
}

pub(crate) fn sample() -> Fixture {
    let f = Fixture::new();
    for (hash_key, sort_key) in [("", "x"), ("a", "1"), ("a", "2"), ("b", "1"), ("aa", "1"), ("ab", "1")] {
        f.put(hash_key, sort_key, "v");
    }
    f
}

#[test]
fn a_full_scan_returns_raw_keys_in_their_order() {
    assert_eq!(all(&sample(), &full_scan()), ["/x", "a/1", "a/2", "b/1", "aa/1", "ab/1"]);
}

#[test]
fn pages_hold_as_many_rows_as_asked_for() {
    let f = sample();
    let paged = |batch_size| Scan { batch_size, ..full_scan() };
    assert_eq!(pages(&f, &paged(4)), [vec!["/x", "a/1", "a/2", "b/1"], vec!["aa/1", "ab/1"]]);
    assert_eq!(pages(&f, &paged(6)).len(), 1, "no row is left: the scan is finished at once");
    assert_eq!(pages(&f, &paged(1)).len(), 6);
    assert_eq!(pages(&f, &paged(-1)).len(), 1);
}

#[test]
fn a_page_that_ends_in_front_of_the_stop_key_is_followed_by_an_empty_one() {
    let f = sample();
    let scan = Scan { stop_key: key("a", "2"), batch_size: 2, ..full_scan() };
    assert_eq!(pages(&f, &scan), [vec!["/x", "a/1"], vec![]]);
    let inclusive = Scan { stop_key: key("a", "1"), stop_inclusive: true, ..scan };
    assert_eq!(pages(&f, &inclusive), [["/x", "a/1"]], "nothing can follow the stop key itself");
}

#[test]
fn bounds_belong_to_the_scan_if_inclusive() {
    let f = sample();
    let scan = |start_inclusive, stop_inclusive| Scan {
        start_key: key("a", "1"),
        stop_key: key("aa", "1"),
        start_inclusive,
        stop_inclusive,
        full_scan: true,
        ..Scan::default()
    };
    assert_eq!(all(&f, &scan(true, true)), ["a/1", "a/2", "b/1", "aa/1"]);
    assert_eq!(all(&f, &scan(false, false)), ["a/2", "b/1"]);
}

#[test]
fn a_scan_from_a_hash_key_ends_with_it_unless_it_is_a_full_one() {
    let f = sample();
    let from_a = Scan { start_key: key("a", ""), full_scan: false, ..full_scan() };
    assert_eq!(all(&f, &from_a), ["a/1", "a/2"]);
    let full = Scan { full_scan: true, ..from_a.clone() };
    assert_eq!(all(&f, &full), ["a/1", "a/2", "b/1", "aa/1", "ab/1"]);
    let from_empty = Scan { start_key: key("", ""), ..from_a };
    assert_eq!(all(&f, &from_empty), ["/x", "a/1", "a/2", "b/1", "aa/1", "ab/1"], "an empty hash key has no end");
}

#[test]
fn a_hash_scan_is_finished_when_the_last_row_of_the_hash_key_fills_the_page() {
    let f = sample();
    let scan = Scan { start_key: key("a", ""), full_scan: false, batch_size: 2, ..full_scan() };
    assert_eq!(pages(&f, &scan), [["a/1", "a/2"]]);
}

#[test]
fn an_empty_range_is_a_finished_scan() {
    let f = sample();
    let scan = |start_inclusive, stop_inclusive| Scan {
        start_key: key("a", "1"),
        stop_key: key("a", "1"),
        start_inclusive,
        stop_inclusive,
        ..Scan::default()
    };
    for scan in [scan(true, false), scan(false, true), Scan { stop_key: Bytes::new(), ..full_scan() }] {
        let batch = f.table.open_scan(0, scan).unwrap();
        assert_eq!((batch.page.status, batch.page.rows.len(), batch.context_id), (Status::Ok, 0, -1));
    }
    assert_eq!(all(&f, &scan(true, true)), ["a/1"]);
}

#[test]
fn filters_look_at_hash_keys_and_sort_keys() {
    let f = sample();
    let by_hash_key = |hash_key_filter_type, pattern| Scan {
        hash_key_filter_type,
        hash_key_filter_pattern: bytes(pattern),
        ..full_scan()
    };
    assert_eq!(all(&f, &by_hash_key(1, "b")), ["b/1", "ab/1"]);
    assert_eq!(all(&f, &by_hash_key(2, "a")), ["a/1", "a/2", "aa/1", "ab/1"]);
    assert_eq!(all(&f, &by_hash_key(3, "b")), ["b/1", "ab/1"]);
    assert_eq!(all(&f, &by_hash_key(2, "")).len(), 6);
    let by_both = Scan { sort_key_filter_type: 2, sort_key_filter_pattern: "2".into(), ..by_hash_key(2, "a") };
    assert_eq!(all(&f, &by_both), ["a/2"]);
}

#[test]
fn a_start_that_equals_the_prefix_of_hash_keys_stays_exclusive() {
    let f = Fixture::new();
    f.put("a", "", "v");
    f.put("a", "1", "v");
    let scan = |start_inclusive| Scan {
        start_key: key("a", ""),
        start_inclusive,
        hash_key_filter_type: 2,
        hash_key_filter_pattern: "a".into(),
        ..full_scan()
    };
    assert_eq!(all(&f, &scan(false)), ["a/1"]);
    assert_eq!(all(&f, &scan(true)), ["a/", "a/1"]);
}

#[test]
fn a_scan_keeps_to_its_partition() {
    let f = Fixture::new();
    for partition in 0..4 {
        let hash_key = partition.to_string();
        f.table.run(partition, Put::new(key(&hash_key, "s"), "v".into(), 0)).unwrap();
    }
    for partition in 0..4 {
        let batch = f.table.open_scan(partition, full_scan()).unwrap();
        assert_eq!(names(&batch), [format!("{partition}/s")]);
    }
}

#[test]
fn an_unknown_filter_is_invalid() {
    let f = sample();
    let by_hash_key = Scan { hash_key_filter_type: 4, ..full_scan() };
    let by_sort_key = Scan { sort_key_filter_type: -1, only_return_count: true, ..full_scan() };
    for scan in [by_hash_key, by_sort_key] {
        let batch = f.table.open_scan(0, scan).unwrap();
        assert_eq!(batch.page.status, Status::InvalidArgument);
        assert_eq!((batch.page.rows.len(), batch.page.count, batch.context_id), (0, None, -1));
    }
}

#[test]
fn values_and_expiries_come_as_asked_for() {
    let f = Fixture::new();
    f.put("h", "a", "v");
    f.put_until("h", "b", "v", START + 5);
    let rows = |scan| f.table.open_scan(0, scan).unwrap().page.rows;
    let plain = rows(full_scan());
    assert!(plain.iter().all(|row| row.value == "v" && row.expire_ts.is_none()));
    let bare = rows(Scan { no_value: true, return_expire_ts: true, ..full_scan() });
    assert!(bare.iter().all(|row| row.value.is_empty()));
    let expiries: Vec<_> = bare.iter().map(|row| row.expire_ts).collect();
    assert_eq!(expiries, [Some(0), Some(START + 5)]);
}

#[test]
fn counting_returns_no_rows() {
    let f = sample();
    let scan = Scan { only_return_count: true, batch_size: 4, ..full_scan() };
    let first = f.table.open_scan(0, scan).unwrap();
    assert_eq!((first.page.rows.len(), first.page.count), (0, Some(4)));
    let second = f.table.next_scan(0, first.context_id).unwrap().unwrap();
    assert_eq!((second.page.rows.len(), second.page.count, second.is_last()), (0, Some(2), true));
}

#[test]
fn an_empty_range_is_not_counted() {
    let empty = Scan { stop_key: Bytes::new(), only_return_count: true, ..full_scan() };
    assert_eq!(sample().table.open_scan(0, empty).unwrap().page.count, None);
    let without_rows = Scan { only_return_count: true, ..full_scan() };
    assert_eq!(Fixture::new().table.open_scan(0, without_rows).unwrap().page.count, Some(0));
}

#[test]
fn a_later_page_behind_the_stop_key_is_counted() {
    let f = sample();
    let scan = Scan { stop_key: key("a", "2"), batch_size: 2, only_return_count: true, ..full_scan() };
    let first = f.table.open_scan(0, scan).unwrap();
    assert_eq!((first.page.count, first.is_last()), (Some(2), false));
    let second = f.table.next_scan(0, first.context_id).unwrap().unwrap();
    assert_eq!((second.page.count, second.is_last()), (Some(0), true));
}

#[test]
fn a_page_may_be_empty_and_not_the_last() {
    let f = Fixture::new();
    for number in 0..1500 {
        f.put("h", &format!("{number:04}"), "v");
    }
    let scan = |batch_size| Scan {
        sort_key_filter_type: 3,
        sort_key_filter_pattern: "1400".into(),
        batch_size,
        ..full_scan()
    };
    let pages_of_100 = pages(&f, &scan(100));
    assert_eq!(pages_of_100.len(), 1 + 5, "1000 rows are looked at for the first page, then 100 for each");
    assert!(pages_of_100.iter().enumerate().all(|(at, page)| page.len() == usize::from(at == 5)));
    assert_eq!(pages(&f, &scan(0)).len(), 2);
}

#[test]
fn a_page_holds_at_most_1000_rows() {
    let f = Fixture::new();
    for number in 0..2001 {
        f.put("h", &format!("{number:04}"), "v");
    }
    let lens: Vec<usize> = pages(&f, &Scan { batch_size: 5000, ..full_scan() }).iter().map(Vec::len).collect();
    assert_eq!(lens, [1000, 1000, 1]);
}

#[test]
fn rows_of_other_partitions_are_left_out_if_asked_for() {
    let f = Fixture::new();
    for number in 0..100 {
        f.put(&number.to_string(), "s", "v");
    }
    let owned_by = |partition_index| {
        let owner = Some(Owner { partition_index, partition_version: 3 });
        all(&f, &Scan { owner, ..full_scan() })
    };
    let shares: Vec<Vec<String>> = (0..4).map(owned_by).collect();
    assert_eq!(shares.iter().map(Vec::len).sum::<usize>(), 100);
    assert!(shares.iter().all(|share| !share.is_empty()));
    for (index, share) in (0..).zip(&shares) {
        let is_owned = |name: &String| {
            let hash_key = name.split_once('/').unwrap().0;
            partition_hash(&raw_key(hash_key.as_bytes(), b"s")) % 4 == index
        };
        assert!(share.iter().all(is_owned));
    }
}

#[test]
fn a_prefix_filter_beyond_the_hash_key_of_a_hash_scan_finds_nothing() {
    let f = sample();
    let scan = Scan {
        start_key: key("a", ""),
        hash_key_filter_type: 2,
        hash_key_filter_pattern: "zzz".into(),
        full_scan: false,
        ..full_scan()
    };
    assert!(all(&f, &scan).is_empty());
}

#[test]
fn running_out_of_time_is_incomplete_and_ends_the_scan() {
    let page = ScanPage::first(full_scan().into()).finish(Ended::OutOfTime);
    assert_eq!((page.status, page.next), (Status::Incomplete, None));
}

#[test]
fn a_page_holds_no_more_than_30_mib_and_a_row() {
    let f = Fixture::new();
    let value = "v".repeat(1 << 20);
    for row in 0..70 {
        f.put("h", &format!("{row:02}"), &value);
    }
    let sizes: Vec<_> = pages(&f, &full_scan()).iter().map(Vec::len).collect();
    assert_eq!(sizes, [30, 30, 10]);
}
