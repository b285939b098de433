//! Hashes, keys, names of errors and the six special types have the values and bytes of the original.

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::frame::RequestHeader;
use charioteer_proto::pegasus::key;
use charioteer_proto::pegasus::special::{ErrorCode, HostPort, PartitionId, RpcAddress, Text};
use charioteer_proto::pegasus::thrift::{self, Value};
use charioteer_proto::{DecodeError, DecodeFailure};
use proptest::prelude::*;
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::table::error_code;

#[test]
fn crc64_is_the_originals() {
    let rows: [(&[u8], u64, u64, u64); 11] = [
        (b"", 0, 0, 0),
        (b"a", 0x8c2f_8445_b4cb_fc3c, 4, 0),
        (b"abc", 0x05e5_cabb_3fc1_faeb, 3, 3),
        (b"hk", 0x5d9a_d5b5_1c9a_4ab3, 3, 3),
        (b"hello", 0x3377_8570_0652_4257, 7, 3),
        (b"hash_key_0", 0x984e_5a07_bde9_cf21, 1, 1),
        (b"test_hkey_1", 0x8f14_102b_be62_1cf8, 0, 0),
        (b"123456789", 0xae8b_1486_0a79_9888, 0, 0),
        (b"\x00", 0xd5da_5047_efec_8728, 0, 0),
        (b"\xff\xff", 0xffff_0000_0000_0000, 0, 0),
        (b"s", 0x0a12_9aee_5c1e_814f, 7, 3),
    ];
    for (bytes, hash, of_8, of_4) in rows {
        assert_eq!((key::crc64(bytes), hash % 8, hash % 4), (hash, of_8, of_4), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_row_is_hashed_by_its_hash_key_and_by_its_sort_key_when_that_is_empty() {
    assert_eq!(key::partition_hash(b"hk", b"sk"), key::crc64(b"hk"));
    assert_eq!(key::partition_hash(b"", b"s"), 0x0a12_9aee_5c1e_814f);
    assert_eq!(key::raw_partition_hash(b"\x00\x00s"), 0x0a12_9aee_5c1e_814f);
    assert_eq!(key::raw_partition_hash(b"\x00\x02hksk"), 0x5d9a_d5b5_1c9a_4ab3);
}

#[test]
fn a_raw_key_shorter_than_it_says_has_no_parts_and_hash_0() {
    for short in [&b""[..], b"\x00", b"\x00\x01", b"\xff\xffshort"] {
        assert_eq!((key::split(short), key::raw_partition_hash(short)), (None, 0));
    }
}

#[test]
fn rows_with_shorter_hash_keys_come_first() {
    assert!(key::raw(b"b", b"") < key::raw(b"aa", b""));
    assert!(key::raw(b"a", b"z") < key::raw(b"b", b"a"));
}

#[test]
fn the_longest_hash_keys_survive_and_longer_ones_are_cut_at_what_two_bytes_can_tell() {
    let long = vec![7; key::MAX_HASH_KEY_BYTES + 1000];
    let longest = &long[..key::MAX_HASH_KEY_BYTES];
    assert_eq!(key::split(&key::raw(longest, b"sk")), Some((longest, &b"sk"[..])));
    assert_eq!(key::split(&key::raw(&long, b"sk")), Some((&long[..65_535], &b"sk"[..])));
}

proptest! {
    #[test]
    fn raw_keys_come_apart_as_they_were_put_together(hash_key: Vec<u8>, sort_key: Vec<u8>) {
        let raw = key::raw(&hash_key, &sort_key);
        assert_eq!(key::split(&raw), Some((&hash_key[..], &sort_key[..])));
        assert_eq!(key::raw_partition_hash(&raw), key::partition_hash(&hash_key, &sort_key));
    }
}

#[test]
fn the_thread_hash_is_the_originals() {
    let hash =
        |table_id, partition_index| RequestHeader { table_id, partition_index, ..Default::default() }.thread_hash();
    assert_eq!(hash(1, 3), 7922);
    assert_eq!(hash(2, 0), 15_838);
    assert_eq!(hash(0, 5), 0, "calls to the meta server have none");
    assert_eq!(hash(i32::MAX, i32::MAX), i32::MAX.wrapping_mul(7919).wrapping_add(i32::MAX));
}

#[test]
fn error_codes_are_their_names() {
    let codes = [
        (ErrorCode::OK, "ERR_OK"),
        (ErrorCode::UNKNOWN, "ERR_UNKNOWN"),
        (ErrorCode::TIMEOUT, "ERR_TIMEOUT"),
        (ErrorCode::SERVICE_NOT_ACTIVE, "ERR_SERVICE_NOT_ACTIVE"),
        (ErrorCode::BUSY, "ERR_BUSY"),
        (ErrorCode::FORWARD_TO_OTHERS, "ERR_FORWARD_TO_OTHERS"),
        (ErrorCode::OBJECT_NOT_FOUND, "ERR_OBJECT_NOT_FOUND"),
        (ErrorCode::HANDLER_NOT_FOUND, "ERR_HANDLER_NOT_FOUND"),
        (ErrorCode::INVALID_PARAMETERS, "ERR_INVALID_PARAMETERS"),
        (ErrorCode::CAPACITY_EXCEEDED, "ERR_CAPACITY_EXCEEDED"),
        (ErrorCode::INVALID_STATE, "ERR_INVALID_STATE"),
        (ErrorCode::INACTIVE_STATE, "ERR_INACTIVE_STATE"),
        (ErrorCode::NOT_ENOUGH_MEMBER, "ERR_NOT_ENOUGH_MEMBER"),
        (ErrorCode::INVALID_DATA, "ERR_INVALID_DATA"),
        (ErrorCode::NOT_IMPLEMENTED, "ERR_NOT_IMPLEMENTED"),
        (ErrorCode::STATE_FREEZED, "ERR_STATE_FREEZED"),
        (ErrorCode::APP_EXIST, "ERR_APP_EXIST"),
        (ErrorCode::APP_NOT_EXIST, "ERR_APP_NOT_EXIST"),
        (ErrorCode::BUSY_CREATING, "ERR_BUSY_CREATING"),
        (ErrorCode::BUSY_DROPPING, "ERR_BUSY_DROPPING"),
        (ErrorCode::OPERATION_DISABLED, "ERR_OPERATION_DISABLED"),
        (ErrorCode::UNAUTHENTICATED, "ERR_UNAUTHENTICATED"),
        (ErrorCode::ACL_DENY, "ERR_ACL_DENY"),
        (ErrorCode::SPLITTING, "ERR_SPLITTING"),
        (ErrorCode::PARENT_PARTITION_MISUSED, "ERR_PARENT_PARTITION_MISUSED"),
        (ErrorCode::DISK_INSUFFICIENT, "ERR_DISK_INSUFFICIENT"),
        (ErrorCode::LOCAL_APP_FAILURE, "ERR_LOCAL_APP_FAILURE"),
    ];
    for (code, name) in codes {
        assert_eq!((code.name(), code.to_string(), format!("{code:?}")), (name, name.to_owned(), name.to_owned()));
        assert_eq!(error_code(&name.into()), code);
        assert_eq!(code.is_ok(), name == "ERR_OK");
    }
    assert_eq!(ErrorCode::default(), ErrorCode::OK);
}

#[test]
fn names_of_errors_that_no_constant_stands_for_are_kept() {
    let error = error_code(&"ERR_OF_TOMORROW".into());
    assert_eq!((error.name(), error.is_ok()), ("ERR_OF_TOMORROW", false));
}

fn stands_as<T: Value + PartialEq + Debug>(value: &T, wire: &[u8]) {
    let mut written = BytesMut::new();
    thrift::encode(value, &mut written);
    assert_eq!(&written[..], wire);
    assert_eq!(thrift::decode::<T>(Bytes::copy_from_slice(wire)).as_ref(), Ok(value));
    assert_eq!(T::KIND, 12, "special types claim to be structs");
}

#[test]
fn special_types_stand_on_the_wire_as_the_original_writes_them() {
    stands_as(&Bytes::from_static(b"hk"), b"\x00\x00\x00\x02hk");
    stands_as(&ErrorCode::OK, b"\x00\x00\x00\x06ERR_OK");
    stands_as(&PartitionId { table_id: 1, index: 3 }, b"\x00\x00\x00\x03\x00\x00\x00\x01");
    stands_as(&PartitionId { table_id: -1, index: -2 }, b"\xff\xff\xff\xfe\xff\xff\xff\xff");
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 34801);
    stands_as(&RpcAddress::from(address), b"\x7f\x00\x00\x01\x87\xf1\x00\x01");
    stands_as(&RpcAddress::INVALID, &[0; 8]);
    stands_as(&HostPort::new("localhost".into(), 34801), b"\x00\x00\x00\x09localhost\x87\xf1\x01");
    stands_as(&HostPort::default(), &[0; 7]);
}

#[test]
fn only_addresses_of_the_ipv4_kind_are_sockets() {
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 65_535);
    assert_eq!(RpcAddress::from(address).socket(), Some(address));
    for other in [0u64, 0x7f00_0001_87f1_0000, 0x7f00_0001_87f1_0002, 0x7f00_0001_87f1_0003] {
        let decoded = thrift::decode::<RpcAddress>(Bytes::copy_from_slice(&other.to_be_bytes())).unwrap();
        assert_eq!((decoded.socket(), decoded.packed()), (None, other));
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_and_says_where() {
    let wire = Bytes::from_static(b"\x00\x00\x00\x02\xc3\x28");
    let refused = DecodeError { what: "string", offset: 6, failure: DecodeFailure::NotUtf8 };
    assert_eq!(thrift::decode::<Text>(wire.clone()), Err(refused));
    assert_eq!(thrift::decode::<ErrorCode>(wire.clone()).map_err(|error| error.failure), Err(DecodeFailure::NotUtf8));
    assert_eq!(thrift::decode::<Bytes>(wire), Ok(Bytes::from_static(b"\xc3\x28")), "a blob may hold anything");
}
