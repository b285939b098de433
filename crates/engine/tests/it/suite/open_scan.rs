//! Scans between two of their pages.

use bytes::Bytes;
use charioteer_engine::table::{Put, Remove, Scan};

use super::fixture::{Fixture, START, full_scan, key};
use super::scan::{names, sample};

#[test]
fn rows_expire_while_a_scan_is_open() {
    let f = Fixture::new();
    for sort_key in ["a", "b", "c"] {
        f.put_until("h", sort_key, "v", START + 2);
    }
    let first = f.table.open_scan(0, Scan { batch_size: 1, ..full_scan() }).unwrap();
    f.advance(2);
    let second = f.table.next_scan(0, first.context_id).unwrap().unwrap();
    assert_eq!(names(&second).len(), 0);
    assert!(!second.is_last(), "a page looks at as many rows as it may hold");
}

#[test]
fn an_open_scan_sees_no_later_write() {
    let f = sample();
    let first = f.table.open_scan(0, Scan { batch_size: 2, ..full_scan() }).unwrap();
    f.put("a", "3", "v");
    f.put("ab", "1", "changed");
    f.run(Remove::new(key("b", "1")));
    let mut rows = Vec::new();
    let mut id = first.context_id;
    while id != -1 {
        let batch = f.table.next_scan(0, id).unwrap().unwrap();
        id = batch.context_id;
        rows.extend(batch.page.rows);
    }
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.value == "v"));
}

#[test]
fn every_page_has_an_id_that_is_good_for_one_use() {
    let f = sample();
    let first = f.table.open_scan(0, Scan { batch_size: 1, ..full_scan() }).unwrap();
    let second = f.table.next_scan(0, first.context_id).unwrap().unwrap();
    assert!(first.context_id > 0 && second.context_id > 0);
    assert_ne!(first.context_id, second.context_id);
    assert_eq!(f.table.next_scan(0, first.context_id).unwrap(), None);
    assert!(f.table.next_scan(0, second.context_id).unwrap().is_some());
}

#[test]
fn a_scan_belongs_to_its_partition() {
    let f = sample();
    let first = f.table.open_scan(0, Scan { batch_size: 1, ..full_scan() }).unwrap();
    assert_eq!(f.table.next_scan(1, first.context_id).unwrap(), None);
    assert!(f.table.next_scan(0, first.context_id).unwrap().is_some(), "asking elsewhere does not use it up");
}

#[test]
fn unknown_closed_and_idle_scans_are_gone() {
    let f = sample();
    let open = || f.table.open_scan(0, Scan { batch_size: 1, ..full_scan() }).unwrap().context_id;
    assert_eq!(f.table.next_scan(0, 12345).unwrap(), None);
    assert_eq!(f.table.next_scan(0, -1).unwrap(), None);

    let closed = open();
    f.table.close_scan(closed);
    f.table.close_scan(closed);
    assert_eq!(f.table.next_scan(0, closed).unwrap(), None);

    let in_time = open();
    f.advance(299);
    assert!(f.table.next_scan(0, in_time).unwrap().is_some());
    let idle = open();
    f.advance(300);
    assert_eq!(f.table.next_scan(0, idle).unwrap(), None);
}

#[test]
fn scans_of_partitions_that_do_not_exist_are_refused() {
    let f = sample();
    assert!(f.table.open_scan(4, full_scan()).is_err());
    assert!(f.table.run(4, Put::new(key("h", "s"), "v".into(), 0)).is_err());
}

#[test]
fn an_open_scan_keeps_nothing_of_the_message_that_opened_it() {
    let f = sample();
    let message = Bytes::from([vec![0; 2], vec![u8::MAX; 2], vec![b'v'; 100_000]].concat());
    let scan = Scan {
        start_key: message.slice(..2),
        stop_key: message.slice(2..4),
        sort_key_filter_type: 1,
        sort_key_filter_pattern: message.slice(4..),
        batch_size: 1,
        ..full_scan()
    };
    for row in 0..1001 {
        f.put("h", &format!("{row:04}"), "v");
    }
    let first = f.table.open_scan(0, scan).unwrap();
    assert!(!first.is_last());
    assert!(message.is_unique());
}

#[test]
fn tidying_forgets_scans_that_nobody_goes_on_with() {
    let f = Fixture::new();
    for number in 0..10 {
        f.put("h", &number.to_string(), "v");
    }
    let everything = Scan { stop_key: b"\xff\xff".as_slice().into(), batch_size: 1, ..Scan::default() };
    let opened = f.table.open_scan(0, everything).unwrap();
    f.tables.tidy().unwrap();
    let next = f.table.next_scan(0, opened.context_id).unwrap().unwrap();
    f.clock.advance(charioteer_engine::table::SCAN_IDLE_LIMIT);
    f.tables.tidy().unwrap();
    assert!(f.table.next_scan(0, next.context_id).unwrap().is_none());
}
