use std::ops::Bound;

use bytes::Bytes;
use charioteer_engine::table::{crc64, next_after, next_after_hash_key, partition_hash, raw_key, split};

#[test]
fn hashes_are_those_that_clients_compute() {
    let vectors: [(&[u8], u64); 10] = [
        (b"", 0),
        (b"a", 0x8c2f_8445_b4cb_fc3c),
        (b"abc", 0x05e5_cabb_3fc1_faeb),
        (b"hk", 0x5d9a_d5b5_1c9a_4ab3),
        (b"hello", 0x3377_8570_0652_4257),
        (b"hash_key_0", 0x984e_5a07_bde9_cf21),
        (b"test_hkey_1", 0x8f14_102b_be62_1cf8),
        (b"123456789", 0xae8b_1486_0a79_9888),
        (b"\0", 0xd5da_5047_efec_8728),
        (b"\xff\xff", 0xffff_0000_0000_0000),
    ];
    for (bytes, hash) in vectors {
        assert_eq!(crc64(bytes), hash, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_row_is_placed_by_its_hash_key_or_else_by_its_sort_key() {
    assert_eq!(partition_hash(&raw_key(b"hk", b"a")), partition_hash(&raw_key(b"hk", b"b")));
    assert_eq!(partition_hash(&raw_key(b"", b"s")), 0x0a12_9aee_5c1e_814f);
    assert_eq!(partition_hash(&raw_key(b"", b"")), 0);
}

#[test]
fn raw_keys_split_where_they_were_joined() {
    let keys: [(&[u8], &[u8]); 5] = [(b"", b""), (b"h", b""), (b"", b"s"), (b"hash", b"sort"), (b"\0\0", b"\xff")];
    for (hash_key, sort_key) in keys {
        assert_eq!(split(&raw_key(hash_key, sort_key)), Some((hash_key, sort_key)));
    }
    let long = vec![b'h'; 65_534];
    assert_eq!(split(&raw_key(&long, b"s")), Some((&long[..], &b"s"[..])));
}

#[test]
fn rows_are_ordered_by_the_length_of_the_hash_key_first() {
    assert!(raw_key(b"b", b"") < raw_key(b"aa", b""));
    assert!(raw_key(b"aa", b"z") < raw_key(b"ab", b""));
}

#[test]
fn malformed_raw_keys_do_not_split() {
    let malformed: [&[u8]; 5] = [b"", b"\0", b"\0\x01", b"\0\x05abcd", b"\xff\xff"];
    for raw in malformed {
        assert_eq!(split(raw), None, "{}", raw.escape_ascii());
        // Whatever it is, the hash of it must not fail.
        let _ = partition_hash(raw);
    }
}

#[test]
fn the_bound_after_a_prefix_carries_over_bytes_of_all_ones() {
    assert_eq!(next_after(b"a"), Bound::Excluded("b".into()));
    assert_eq!(next_after(b"a\xff\xff"), Bound::Excluded("b".into()));
    assert_eq!(next_after(b""), Bound::Unbounded);
    assert_eq!(next_after(b"\xff"), Bound::Unbounded);
}

#[test]
fn the_bound_after_a_hash_key_may_carry_into_its_length() {
    assert_eq!(next_after_hash_key(b""), Bound::Excluded(Bytes::from_static(b"\0\x01")));
    assert_eq!(next_after_hash_key(b"a"), Bound::Excluded(Bytes::from_static(b"\0\x01b")));
    assert_eq!(next_after_hash_key(b"a\xff"), Bound::Excluded(Bytes::from_static(b"\0\x02b")));
    assert_eq!(next_after_hash_key(b"\xff"), Bound::Excluded(Bytes::from_static(b"\0\x02")));
    assert_eq!(next_after_hash_key(b"\xff\xff"), Bound::Excluded(Bytes::from_static(b"\0\x03")));
}
