//! Whatever bytes come as keys, bounds and numbers: an answer or an error, never a panic.

use bytes::Bytes;
use charioteer_engine::table::{
    BatchGet, Get, Increment, MultiGet, MultiGetRange, MultiPut, MultiRemove, Owner, Put, RangeRequest, Remove, Scan,
    SortKeyCount, Status, Ttl, raw_key,
};
use charioteer_engine::{Error, MAX_KEY_BYTES};
use proptest::collection::vec;
use proptest::prelude::*;

use super::fixture::{Fixture, full_scan};

/// Four bytes of a stored key are the partition.
const MAX_RAW_BYTES: usize = MAX_KEY_BYTES - 4;

#[test]
fn malformed_raw_keys_are_rows_of_their_own() {
    let f = Fixture::new();
    let malformed: [&'static [u8]; 4] = [b"", b"\0", b"\0\x05ab", b"\xff\xff"];
    for raw in malformed {
        let raw = Bytes::from_static(raw);
        assert_eq!(f.run(Increment::new(raw.clone(), 1, 0)).new_value, 1);
        assert_eq!(f.run(Get::new(raw)).as_deref(), Some(&b"1"[..]));
    }
    let scan = Scan { start_key: Bytes::new(), stop_inclusive: true, ..full_scan() };
    assert_eq!(f.table.open_scan(0, scan).unwrap().page.rows.len(), malformed.len());
    let owner = Some(Owner { partition_index: 0, partition_version: 0 });
    let filtered = Scan { sort_key_filter_type: 1, sort_key_filter_pattern: "a".into(), owner, ..full_scan() };
    assert_eq!(f.table.open_scan(0, filtered).unwrap().page.rows.len(), 1);
    for raw in malformed {
        f.run(Remove::new(Bytes::from_static(raw)));
        assert_eq!(f.run(Get::new(Bytes::from_static(raw))), None);
    }
}

#[test]
fn the_longest_key_is_a_row_and_a_longer_one_is_refused() {
    let f = Fixture::new();
    let longest = raw_key(b"h", &vec![b's'; MAX_RAW_BYTES - 3]);
    f.run(Put::new(longest.clone(), "v".into(), 0));
    assert_eq!(f.run(Get::new(longest)).as_deref(), Some(&b"v"[..]));

    let too_long = raw_key(b"h", &vec![b's'; MAX_RAW_BYTES - 2]);
    let refused = Error::KeyTooLong { len: MAX_KEY_BYTES + 1 };
    assert_eq!(f.table.run(0, Put::new(too_long.clone(), "v".into(), 0)), Err(refused.clone()));
    assert_eq!(f.table.run(0, Increment::new(too_long.clone(), 1, 0)), Err(refused));
    assert_eq!(f.run(Get::new(too_long.clone())), None, "to a read it is missing");
    assert_eq!(f.run(Ttl::new(too_long.clone())), None);
    f.run(Remove::new(too_long));
}

#[test]
fn a_batch_with_a_key_too_long_writes_nothing() {
    let f = Fixture::new();
    let rows = vec![("a".into(), "v".into()), (vec![b's'; MAX_KEY_BYTES].into(), "v".into())];
    let put = MultiPut::new("h".into(), rows, 0);
    assert!(matches!(f.table.run(0, put), Err(Error::KeyTooLong { .. })));
    assert_eq!(f.get("h", "a"), None);
}

#[test]
fn reads_of_several_rows_skip_keys_too_long() {
    let f = Fixture::new();
    f.put("h", "a", "1");
    f.put("h", "b", "2");
    let too_long = Bytes::from(vec![b's'; MAX_KEY_BYTES]);
    let sort_keys = vec!["b".into(), too_long.clone(), "a".into(), too_long.clone()];
    let reply = f.run(MultiGet::new("h".into(), sort_keys, 0, 0, false));
    assert_eq!(reply.rows, [("b".into(), "2".into()), ("a".into(), "1".into())]);
    let reply = f.run(BatchGet::new(vec![(too_long, "s".into()), ("h".into(), "a".into())]));
    assert_eq!(reply.rows.len(), 1);
}

#[test]
fn a_hash_key_beyond_16_bits_of_length_finds_and_writes_nothing() {
    let f = Fixture::new();
    f.put("h", "s", "v");
    let hash_key = Bytes::from(vec![b'h'; 70_000]);
    let put = MultiPut::new(hash_key.clone(), vec![("s".into(), "v".into())], 0);
    assert!(matches!(f.table.run(0, put), Err(Error::KeyTooLong { .. })));
    assert_eq!(f.run(MultiGet::new(hash_key.clone(), vec!["s".into()], 0, 0, false)).rows, []);
    assert_eq!(f.run(MultiRemove::new(hash_key.clone(), vec!["s".into()])).count, 1);
    assert_eq!(f.walk(SortKeyCount::new(&hash_key)), 0);
    for reverse in [false, true] {
        let request = RangeRequest { hash_key: hash_key.clone(), reverse, ..RangeRequest::default() };
        let reply = f.walk(MultiGetRange::new(request));
        assert_eq!((reply.status, reply.rows.len()), (Status::Ok, 0));
    }
}

fn any_bytes() -> impl Strategy<Value = Bytes> {
    let byte = prop_oneof![Just(0_u8), Just(1), Just(0xff), Just(b'a'), any::<u8>()];
    vec(byte, 0..6).prop_map(Bytes::from)
}

fn any_scan() -> impl Strategy<Value = Scan> {
    let keys = (any_bytes(), any_bytes(), any_bytes(), any_bytes());
    let filters = (-1..5_i32, -1..5_i32, any::<i32>());
    let flags = any::<[bool; 6]>();
    (keys, filters, flags, any::<Option<[u32; 2]>>()).prop_map(|(keys, filters, flags, owner)| Scan {
        start_key: keys.0,
        stop_key: keys.1,
        hash_key_filter_pattern: keys.2,
        sort_key_filter_pattern: keys.3,
        hash_key_filter_type: filters.0,
        sort_key_filter_type: filters.1,
        batch_size: filters.2,
        start_inclusive: flags[0],
        stop_inclusive: flags[1],
        no_value: flags[2],
        return_expire_ts: flags[3],
        full_scan: flags[4],
        only_return_count: flags[5],
        owner: owner.map(|[partition_index, partition_version]| Owner { partition_index, partition_version }),
    })
}

fn any_range() -> impl Strategy<Value = RangeRequest> {
    let keys = (any_bytes(), any_bytes(), any_bytes(), any_bytes());
    (keys, -1..5_i32, any::<[i32; 2]>(), any::<[bool; 4]>()).prop_map(|(keys, filter, limits, flags)| RangeRequest {
        hash_key: keys.0,
        start_sort_key: keys.1,
        stop_sort_key: keys.2,
        sort_key_filter_pattern: keys.3,
        sort_key_filter_type: filter,
        max_count: limits[0],
        max_size: limits[1],
        start_inclusive: flags[0],
        stop_inclusive: flags[1],
        no_value: flags[2],
        reverse: flags[3],
    })
}

proptest! {
    #[test]
    fn walks_over_any_rows_with_any_bounds_come_to_an_end(
        rows in vec((any_bytes(), any_bytes(), any::<i32>()), 0..20),
        scan in any_scan(),
        range in any_range(),
    ) {
        let f = Fixture::new();
        for (raw, value, expire_ts) in rows {
            f.run(Put::new(raw, value, expire_ts));
        }
        let mut batch = f.table.open_scan(0, scan).unwrap();
        while !batch.is_last() {
            batch = f.table.next_scan(0, batch.context_id).unwrap().unwrap();
        }
        f.walk(SortKeyCount::new(&range.hash_key));
        f.walk(MultiGetRange::new(range));
    }
}
