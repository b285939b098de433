//! Frames: which are accepted, which are refused, and when.

use bytes::{BufMut, Bytes, BytesMut};
use charioteer_proto::DecodeFailure;
use charioteer_proto::pegasus::data::UpdateRequest;
use charioteer_proto::pegasus::frame::{
    FrameError, Request, RequestHeader, read_reply, read_request, write_error, write_reply, write_request,
};
use charioteer_proto::pegasus::rpc::{Get, Put, Rpc};
use charioteer_proto::pegasus::special::ErrorCode;

const LIMIT: usize = 1 << 20;

fn get(version: u32) -> BytesMut {
    let header = RequestHeader { version, table_id: 1, partition_index: 3, ..RequestHeader::default() };
    let mut wire = BytesMut::new();
    write_request(&mut wire, &header, Get::NAME, 7, &Bytes::from_static(b"\0\x02hksk"));
    wire
}

fn read(wire: impl AsRef<[u8]>) -> Result<Option<Request>, FrameError> {
    read_request(&mut BytesMut::from(wire.as_ref()), LIMIT)
}

/// A request of version 1 with this header struct and this message.
fn request(meta: &[u8], message: &[u8]) -> BytesMut {
    let mut wire = BytesMut::from(&b"THFT\0\0\0\x01"[..]);
    wire.put_u32(u32::try_from(meta.len()).unwrap());
    wire.put_u32(u32::try_from(message.len()).unwrap());
    wire.put_slice(meta);
    wire.put_slice(message);
    wire
}

fn failure(wire: impl AsRef<[u8]>) -> DecodeFailure {
    match read(wire) {
        Err(FrameError::Malformed(error)) => error.failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_that_begin_no_request_are_refused_at_the_first_wrong_one() {
    for wrong in ["R", "TX", "THX", "THFX", "GET / HTTP/1.1", "RDSN"] {
        assert!(matches!(read(wrong), Err(FrameError::Magic(_))), "{wrong}");
    }
    for begun in ["", "T", "TH", "THF", "THFT"] {
        assert_eq!(read(begun), Ok(None));
    }
    let error = read("GET / HTTP/1.1").unwrap_err();
    assert_eq!(
        (error.clone(), error.to_string().as_str()),
        (FrameError::Magic(*b"GET "), "not a Pegasus request: it begins with GET ")
    );
}

#[test]
fn header_versions_other_than_0_and_1_are_refused() {
    for version in [2, u32::MAX] {
        let mut wire = get(0);
        wire[4..8].copy_from_slice(&version.to_be_bytes());
        assert_eq!(read(&wire), Err(FrameError::Version(version)));
        assert_eq!(read(&wire[..8]), Err(FrameError::Version(version)));
    }
}

#[test]
fn a_header_of_another_length_than_its_version_has_is_refused() {
    for length in [0u32, 47, 49, u32::MAX] {
        let mut wire = get(0);
        wire[8..12].copy_from_slice(&length.to_be_bytes());
        assert_eq!(read(&wire[..12]), Err(FrameError::HeaderLength(length)));
    }
    let mut wire = get(1);
    wire[8..12].copy_from_slice(&1025u32.to_be_bytes());
    assert_eq!(read(&wire[..12]), Err(FrameError::HeaderLength(1025)));
}

#[test]
fn both_checksums_the_thread_hash_and_the_sign_of_the_table_id_are_left_unchecked() {
    let mut wire = get(0);
    wire[12..16].fill(0xff);
    wire[20..24].fill(0xff);
    wire[24..28].fill(0xff);
    wire[36..40].fill(0xff);
    assert_eq!(read(wire).unwrap().unwrap().header.table_id, -1);
}

#[test]
fn every_field_of_a_header_of_version_1_may_be_missing_or_unknown() {
    let message = &get(0)[48..];
    let header = read(request(b"\0", message)).unwrap().unwrap().header;
    assert_eq!(header, RequestHeader { version: 1, ..RequestHeader::default() });
    let meta = b"\x0b\0\x09\0\0\0\x01x\x02\0\x05\x01\x08\0\x01\0\0\0\x07\0";
    let header = read(request(meta, message)).unwrap().unwrap().header;
    let expected = RequestHeader { version: 1, table_id: 7, is_backup_request: true, ..RequestHeader::default() };
    assert_eq!(header, expected);
}

#[test]
fn a_header_struct_that_ends_before_or_behind_its_length_is_refused() {
    let message = &get(0)[48..];
    assert_eq!(failure(request(b"", message)), DecodeFailure::CutShort);
    assert_eq!(failure(request(b"\x08\0\x01\0\0\0\x07", message)), DecodeFailure::CutShort);
    assert_eq!(failure(request(b"\0\0", message)), DecodeFailure::Trailing(1));
}

#[test]
fn the_old_form_of_messages_and_one_way_calls_are_accepted() {
    let strict = read(get(0)).unwrap().unwrap();
    let begin = [&strict.name[..], &7i32.to_be_bytes()].concat();
    let body = |start: &[u8], begin: &[u8]| [start, begin, &strict.arguments].concat();
    for kind in [1, 4] {
        let length = [0, 0, 0, 17];
        let strict_again = read(request(b"\0", &body(&[0x80, 1, 0, kind, 0, 0, 0, 17], &begin))).unwrap().unwrap();
        let old = [&length[..], &strict.name, &[kind], &7i32.to_be_bytes(), &strict.arguments].concat();
        for request in [strict_again, read(request(b"\0", &old)).unwrap().unwrap()] {
            assert_eq!((&request.name, request.sequence_id), (&strict.name, 7));
            assert_eq!(request.argument(), Ok(Bytes::from_static(b"\0\x02hksk")));
        }
    }
}

#[test]
fn messages_that_are_no_calls_are_refused() {
    let message = |begin: &[u8]| request(b"\0", begin);
    assert_eq!(failure(message(b"\x80\x01\0\x02\0\0\0\x01x\0\0\0\x01\0")), DecodeFailure::UnknownType(2));
    assert_eq!(failure(message(b"\0\0\0\x01x\x03\0\0\0\x01\0")), DecodeFailure::UnknownType(3));
    assert_eq!(failure(message(b"\x80\x02\0\x01\0\0\0\x01x\0\0\0\x01\0")), DecodeFailure::Marker(0x8002_0001));
    assert_eq!(failure(message(b"\x80\x01\0\x01\xff\xff\xff\xff\0\0\0\x01\0")), DecodeFailure::Length(-1));
    assert_eq!(failure(message(b"\0\0\0\x09x")), DecodeFailure::CutShort);
    assert_eq!(failure(message(b"")), DecodeFailure::CutShort);
    let long = [&b"\x80\x01\0\x01\0\0\x01\x01"[..], &[b'x'; 257], b"\0\0\0\x01\0"].concat();
    assert_eq!(failure(message(&long)), DecodeFailure::Length(257));
}

#[test]
fn a_request_that_is_too_large_is_refused_as_soon_as_it_can_be_said_whose() {
    for version in [0, 1] {
        let mut wire = BytesMut::new();
        let header = RequestHeader { version, ..RequestHeader::default() };
        write_request(
            &mut wire,
            &header,
            Put::NAME,
            7,
            &UpdateRequest { value: vec![0; 2000].into(), ..Default::default() },
        );
        let body_at = if version == 0 { 48 } else { 16 + 37 };
        let begin_at = body_at + 4 + 4 + Put::NAME.len() + 4;
        let bytes = u32::try_from(wire.len() - body_at).unwrap();
        for arrived in 0..begin_at {
            assert_eq!(read_request(&mut BytesMut::from(&wire[..arrived]), 1000), Ok(None), "{arrived}");
        }
        let from = Some((Bytes::from(Put::NAME), 7));
        let refused = read_request(&mut BytesMut::from(&wire[..begin_at]), 1000);
        assert_eq!(refused, Err(FrameError::TooLarge { bytes, limit: 1000, from }));
    }
}

#[test]
fn a_request_that_is_too_large_and_whose_begin_makes_no_sense_is_refused_without_waiting_for_more() {
    let refused = |message: &[u8], limit: usize| match read_request(&mut request(b"\0", message), limit) {
        Err(FrameError::TooLarge { from, .. }) => from,
        other => panic!("{other:?}"),
    };
    let marker = [&b"\x80\x02\0\x01"[..], &[0; 200]].concat();
    assert_eq!(refused(&marker, 100), None);
    assert_eq!(refused(b"\0\0\0\x09x", 4), None, "all of it is there");
    assert_eq!(refused(&[0xff; 300], 100), None);
}

#[test]
fn an_argument_must_be_there_alone() {
    let argument = |arguments: &'static [u8]| {
        let mut request = read(get(0)).unwrap().unwrap();
        request.arguments = Bytes::from_static(arguments);
        request.argument::<Bytes>().map_err(|error| error.failure)
    };
    assert_eq!(argument(b"\x0c\0\x01\0\0\0\x02hk\0"), Ok(Bytes::from_static(b"hk")));
    assert_eq!(argument(b"\x08\0\x02\0\0\0\x02\x0c\0\x01\0\0\0\x02hk\0"), Ok(Bytes::from_static(b"hk")));
    assert_eq!(argument(b"\0"), Err(DecodeFailure::Missing));
    assert_eq!(argument(b"\x08\0\x01\0\0\0\x02\0"), Err(DecodeFailure::Missing), "of another type");
    assert_eq!(argument(b"\x0c\0\x02\0\0\0\x02hk\0"), Err(DecodeFailure::UnskippableField(2)));
    assert_eq!(argument(b"\x0c\0\x01\0\0\0\x02hk\0\0\0"), Err(DecodeFailure::Trailing(2)));
    assert_eq!(argument(b""), Err(DecodeFailure::CutShort));
}

#[test]
fn fields_may_come_in_any_order_and_be_missing_and_the_last_of_two_counts() {
    let argument = |fields: &[u8]| {
        let mut request = read(get(0)).unwrap().unwrap();
        request.arguments = Bytes::from([&b"\x0c\0\x01"[..], fields, b"\0\0"].concat());
        request.argument::<UpdateRequest>().unwrap()
    };
    let backwards = argument(b"\x08\0\x03\0\0\0\x09\x0c\0\x02\0\0\0\x01v\x0c\0\x01\0\0\0\x01k");
    let expected =
        UpdateRequest { key: "k".into(), value: "v".into(), expire_ts_seconds: 9, ..UpdateRequest::default() };
    assert_eq!(backwards, expected);
    assert_eq!(argument(b""), UpdateRequest::default());
    assert_eq!(argument(b"\x08\0\x03\0\0\0\x01\x08\0\x03\0\0\0\x02").expire_ts_seconds, 2);
    let mistyped = argument(b"\x0a\0\x03\0\0\0\0\0\0\0\x01\x0c\0\x01\0\0\0\x01k");
    assert_eq!((mistyped.expire_ts_seconds, &mistyped.key[..]), (0, &b"k"[..]));
}

#[test]
fn replies_of_impossible_length_are_refused() {
    let read = |length: i32, limit: usize| read_reply(&mut BytesMut::from(&length.to_be_bytes()[..]), limit);
    for length in [-1, i32::MIN, 0, 3] {
        assert_eq!(read(length, LIMIT), Err(FrameError::ReplyLength(length)));
    }
    assert_eq!(read(100, 100), Ok(None));
    assert!(matches!(read(4, LIMIT), Err(FrameError::Malformed(error)) if error.failure == DecodeFailure::CutShort));
}

#[test]
fn a_reply_too_large_tells_whom_it_answers_as_soon_as_that_has_come() {
    let mut wire = BytesMut::new();
    write_reply(&mut wire, Get::NAME.as_bytes(), 7, &Bytes::from(vec![0; 200]));
    let name = Bytes::from_static(b"RPC_RRDB_RRDB_GET_ACK");
    let bytes = u32::try_from(wire.len()).unwrap();
    let told = 4 + 4 + "ERR_OK".len() + 4 + 4 + name.len() + 4;
    assert_eq!(read_reply(&mut BytesMut::from(&wire[..told - 1]), 100), Ok(None));
    let mut begin = BytesMut::from(&wire[..told]);
    let refused = FrameError::TooLarge { bytes, limit: 100, from: Some((name, 7)) };
    assert_eq!(read_reply(&mut begin, 100), Err(refused));
    assert_eq!(begin.len(), told);
    let nobody = FrameError::TooLarge { bytes: 101, limit: 100, from: None };
    let mut no_reply = BytesMut::from(&[0; 101][..]);
    no_reply[3] = 101;
    assert_eq!(read_reply(&mut no_reply, 100), Err(nobody));
}

#[test]
fn replies_that_are_no_strict_replies_are_refused() {
    let mut whole = BytesMut::new();
    write_reply(&mut whole, Get::NAME.as_bytes(), 7, &1i32);
    for marker in [0x8001_0001u32, 0x8001_0003, 0x8002_0002, 17] {
        let mut wire = whole.clone();
        wire[14..18].copy_from_slice(&marker.to_be_bytes());
        let failure = DecodeFailure::Marker(marker);
        assert!(matches!(read_reply(&mut wire, LIMIT), Err(FrameError::Malformed(error)) if error.failure == failure));
    }
}

#[test]
fn an_error_reply_ends_behind_its_number_and_has_no_result() {
    let mut wire = BytesMut::new();
    write_error(&mut wire, Get::NAME.as_bytes(), 7, &ErrorCode::BUSY);
    assert_eq!(&wire[wire.len() - 8..], b"_ACK\0\0\0\x07");
    let reply = read_reply(&mut wire, LIMIT).unwrap().unwrap();
    assert_eq!(reply.error, ErrorCode::BUSY);
    assert_eq!(reply.result::<i32>().unwrap_err().failure, DecodeFailure::CutShort);
}
