//! Keys, timestamps and stored values, byte by byte.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use charioteer_proto::DecodeFailure;
use charioteer_proto::tikv::key::{KeyspaceId, Layout, Mode};
use charioteer_proto::tikv::kvrpcpb::ApiVersion;
use charioteer_proto::tikv::value::RawValue;
use charioteer_proto::tikv::{memcomparable, pdpb, timestamp::Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use super::vectors::from_hex;

#[test]
fn keys_and_timestamps_are_what_client_go_makes_of_them() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tikv/keys.txt");
    let text = fs::read_to_string(file).expect("testdata is there");
    let mut seen = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["memcomparable", key, encoded] => {
                let (key, encoded) = (from_hex(key.trim_matches('-')), from_hex(encoded));
                assert_eq!(memcomparable::encode(&key), encoded, "{line}");
                assert_eq!(memcomparable::decode(&encoded), Ok((key, &b""[..])), "{line}");
            }
            ["timestamp", physical, logical, number] => {
                let timestamp = Timestamp::new(physical.parse().unwrap(), logical.parse().unwrap());
                assert_eq!(timestamp.map(u64::from), Some(number.parse().unwrap()), "{line}");
            }
            ["descending", number, encoded] => {
                let timestamp = Timestamp::from(number.parse::<u64>().unwrap());
                assert_eq!(timestamp.descending()[..], from_hex(encoded), "{line}");
            }
            _ => panic!("{line}"),
        }
        seen += 1;
    }
    assert!(seen > 15);
}

#[test]
fn what_is_not_memcomparable_is_an_error_that_says_where() {
    let failed = |encoded: &'static [u8]| memcomparable::decode(encoded).map_err(|error| (error.offset, error.failure));
    assert_eq!(failed(b""), Err((0, DecodeFailure::CutShort)));
    assert_eq!(failed(b"12345678"), Err((8, DecodeFailure::CutShort)));
    assert_eq!(failed(b"12345678\xff"), Err((9, DecodeFailure::CutShort)));
    assert_eq!(failed(b"12345678\xf6"), Err((8, DecodeFailure::Marker(0xf6))));
    assert_eq!(failed(b"1\0\0\x02\0\0\0\0\xf8"), Err((1, DecodeFailure::Marker(2))));
}

proptest! {
    #[test]
    fn encoded_keys_sort_as_the_keys_do(left in vec(0_u8..3, 0..20), right in vec(0_u8..3, 0..20), behind in vec(any::<u8>(), 0..9)) {
        let encoded = |key: &[u8]| [&memcomparable::encode(key)[..], &behind].concat();
        prop_assert_eq!(encoded(&left).cmp(&encoded(&right)), left.cmp(&right));
        prop_assert_eq!(memcomparable::encode(&left).len(), memcomparable::encoded_len(left.len()));
        let whole = encoded(&left);
        prop_assert_eq!(memcomparable::decode(&whole), Ok((left, &behind[..])));
    }

    #[test]
    fn any_bytes_are_a_key_or_an_error(bytes in vec(any::<u8>(), 0..40), filled in vec(prop_oneof![Just(0_u8), Just(0xff), 0xf5_u8..], 0..40)) {
        for bytes in [bytes, filled] {
            if let Ok((key, rest)) = memcomparable::decode(&bytes) {
                prop_assert_eq!([&memcomparable::encode(&key)[..], rest].concat(), bytes.clone());
            }
            let bytes = Bytes::from(bytes);
            for version in [ApiVersion::V1, ApiVersion::V1ttl, ApiVersion::V2] {
                if let Ok(value) = RawValue::decode(version, &bytes) {
                    prop_assert!(value.encode(version) == bytes || (version == ApiVersion::V2 && value.expires_at == 0));
                }
            }
            let _ = Layout::V2(Mode::Txn, KeyspaceId::DEFAULT).region(&bytes, &bytes);
            let _ = Layout::V2(Mode::Txn, KeyspaceId::DEFAULT).user_key(&bytes);
        }
    }
}

fn v2(keyspace: u32) -> Layout {
    Layout::V2(Mode::Txn, KeyspaceId::new(keyspace).unwrap())
}

#[test]
fn version_1_changes_no_key_and_encodes_boundaries_for_transactions_only() {
    let key = Bytes::from("key");
    for layout in [Layout::V1(Mode::Raw), Layout::V1(Mode::Txn), Layout::V1Ttl] {
        assert_eq!((layout.wire_key(&key), layout.user_key(&key)), (key.clone(), Ok(key.clone())));
        assert_eq!(layout.wire_range(b"a", b""), (Bytes::from("a"), Bytes::new()));
        assert_eq!(layout.keyspace(), None);
    }
    assert_eq!(Layout::V1(Mode::Raw).pd_key(&key), key);
    assert_eq!(Layout::V1Ttl.pd_key(&key), key);
    assert_eq!(&Layout::V1(Mode::Txn).pd_key(&key)[..], b"key\0\0\0\0\0\xfa");
}

#[test]
fn version_2_puts_mode_and_keyspace_before_the_key() {
    assert_eq!(&v2(0x01_02_03).wire_key(b"k")[..], b"x\x01\x02\x03k");
    assert_eq!(
        v2(0xff_ff_ff).wire_range(b"", b""),
        (Bytes::from_static(b"x\xff\xff\xff"), Bytes::from_static(b"y\0\0\0"))
    );
    assert_eq!(v2(1).wire_range(b"a", b"b"), (Bytes::from_static(b"x\0\0\x01a"), Bytes::from_static(b"x\0\0\x01b")));
    assert_eq!(&v2(1).pd_key(&v2(1).wire_key(b"k"))[..], b"x\0\0\x01k\0\0\0\xfc");
    assert_eq!((v2(1).api_version(), v2(1).keyspace().map(KeyspaceId::get)), (ApiVersion::V2, Some(1)));
}

#[test]
fn a_key_of_another_keyspace_or_mode_is_an_error() {
    let failed = |wire: &'static [u8]| v2(1).user_key(&Bytes::from_static(wire)).map_err(|error| error.failure);
    assert_eq!(failed(b"x\0\0\x01"), Ok(Bytes::new()));
    assert_eq!(failed(b"x\0\0\x02k"), Err(DecodeFailure::Marker(0x7800_0002)));
    assert_eq!(failed(b"r\0\0\x01k"), Err(DecodeFailure::Marker(0x7200_0001)));
    assert_eq!(failed(b"x\0\0"), Err(DecodeFailure::CutShort));
}

#[test]
fn a_region_is_cut_to_the_keyspace() {
    let pd = |key: &'static [u8]| if key.is_empty() { Bytes::new() } else { memcomparable::encode(key) };
    let region = |start, end| v2(1).region(&pd(start), &pd(end)).unwrap();
    let part = |start: &'static str, end: &'static str| Some((Bytes::from(start), Bytes::from(end)));
    assert_eq!(region(b"", b""), part("", ""));
    assert_eq!(region(b"x\0\0\x01", b"x\0\0\x02"), part("", ""));
    assert_eq!(region(b"x\0\0\x01a", b"x\0\0\x01b"), part("a", "b"));
    assert_eq!(region(b"r", b"x\0\0\x01b"), part("", "b"));
    assert_eq!(region(b"x\0\0\x01a", b"z"), part("a", ""));
    assert_eq!(region(b"x\0\0\x02", b""), None);
    assert_eq!(region(b"", b"x\0\0\x01"), None);
    assert_eq!(region(b"a", b"b"), None);
}

#[test]
fn a_region_is_read_as_the_layout_has_it() {
    let (start, end) = (Bytes::from("a"), Bytes::from("b"));
    assert_eq!(Layout::V1(Mode::Raw).region(&start, &end), Ok(Some((start.clone(), end.clone()))));
    assert!(Layout::V1(Mode::Txn).region(&start, &end).is_err());
    let (start, end) = (memcomparable::encode(&start), Bytes::new());
    assert_eq!(Layout::V1(Mode::Txn).region(&start, &end), Ok(Some((Bytes::from("a"), end.clone()))));
    let error = Layout::V1(Mode::Txn).region(&[&start[..], b"x"].concat().into(), &end).unwrap_err();
    assert_eq!(error.failure, DecodeFailure::Trailing(1));
}

#[test]
fn stored_values_have_the_suffix_of_their_version() {
    let value = |expires_at, deleted| RawValue { value: Bytes::from_static(b"\x12\x34\x56"), expires_at, deleted };
    let stored = [
        (ApiVersion::V1, value(0, false), &b"\x12\x34\x56"[..]),
        (ApiVersion::V1ttl, value(0, false), b"\x12\x34\x56\0\0\0\0\0\0\0\0"),
        (ApiVersion::V1ttl, value(0xffff, false), b"\x12\x34\x56\0\0\0\0\0\0\xff\xff"),
        (ApiVersion::V2, value(0, false), b"\x12\x34\x56\0"),
        (ApiVersion::V2, value(0xffff, false), b"\x12\x34\x56\0\0\0\0\0\0\xff\xff\x01"),
        (ApiVersion::V2, value(0, true), b"\x12\x34\x56\x02"),
        (ApiVersion::V2, value(0xffff, true), b"\x12\x34\x56\0\0\0\0\0\0\xff\xff\x03"),
    ];
    for (version, value, bytes) in stored {
        assert_eq!(value.encode(version), bytes);
        assert_eq!(RawValue::decode(version, &Bytes::from_static(bytes)), Ok(value));
    }
}

#[test]
fn a_stored_value_without_its_suffix_is_an_error() {
    let failed =
        |version, stored: &'static [u8]| RawValue::decode(version, &Bytes::from_static(stored)).unwrap_err().failure;
    assert_eq!(failed(ApiVersion::V1ttl, b"1234567"), DecodeFailure::CutShort);
    assert_eq!(failed(ApiVersion::V2, b""), DecodeFailure::CutShort);
    assert_eq!(failed(ApiVersion::V2, b"1234567\x01"), DecodeFailure::CutShort);
    assert_eq!(failed(ApiVersion::V2, b"12345678\x04"), DecodeFailure::Marker(4));
}

#[test]
fn timestamps_are_handed_out_in_order_and_never_before_the_clock() {
    let at = |physical, logical| Timestamp::new(physical, logical).unwrap();
    assert_eq!(at(5, 7).next(9, 3), Some(at(9, 0)..=at(9, 2)));
    // A clock that went back, or stood still.
    assert_eq!(at(9, 7).next(5, 3), Some(at(9, 8)..=at(9, 10)));
    assert_eq!(at(9, 262_140).next(9, 3), Some(at(9, 262_141)..=at(9, 262_143)));
    // All are of one millisecond.
    assert_eq!(at(9, 262_141).next(9, 3), Some(at(10, 0)..=at(10, 2)));
    assert_eq!(at(9, 0).next(9, 262_144), Some(at(10, 0)..=at(10, 262_143)));
    assert_eq!(at(9, 0).next(9, 262_145), None);
    assert_eq!(at(9, 0).next(9, 0), None);
    assert_eq!(Timestamp::MAX.next(9, 1), None);
    assert_eq!(at(9, 0).next(u64::MAX, 1), None);
}

#[test]
fn the_last_timestamp_of_an_answer_tells_the_others() {
    let at = |physical, logical| Timestamp::new(physical, logical).unwrap();
    assert_eq!(at(9, 4).ending_here(3), Some(at(9, 2)..=at(9, 4)));
    assert_eq!(at(9, 4).ending_here(5), Some(at(9, 0)..=at(9, 4)));
    assert_eq!(at(9, 4).ending_here(6), None);
    assert_eq!(at(9, 4).ending_here(0), None);
}

#[test]
fn a_timestamp_of_impossible_parts_is_an_error() {
    let of =
        |physical, logical| Timestamp::try_from(pdpb::Timestamp { physical, logical, suffix_bits: 0 }).map(u64::from);
    assert_eq!(of(1, 2), Ok(1 << 18 | 2));
    for (physical, logical) in [(-1, 0), (0, -1), (0, 1 << 18), (1 << 46, 0)] {
        assert!(of(physical, logical).is_err());
    }
    let message = pdpb::Timestamp::from(Timestamp::from(1 << 18 | 2));
    assert_eq!((message.physical, message.logical), (1, 2));
}
