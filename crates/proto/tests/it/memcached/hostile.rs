//! Bytes that no honest peer sends: cut, bent, lying, unasked. Errors or patience, never a panic.

use bytes::{BufMut, BytesMut};
use charioteer_proto::memcached::binary::{self, Opcode};
use charioteer_proto::memcached::text::{self, Awaited};
use charioteer_proto::memcached::{Intake, Limits, ReplyError, StreamError, meta};

use super::checks;
use super::messages::{golden, written};
use super::vectors::Vector;

type Check = fn(&[u8]);

/// All golden messages, and what must hold for anything like them.
fn messages() -> Vec<(String, Vec<u8>, Check)> {
    let with = |keep: fn(&Vector) -> Option<Vec<u8>>, check: Check| {
        golden(keep).into_iter().map(move |(name, bytes)| (name, bytes, check))
    };
    with(|vector| vector.is_binary.then(|| vector.request.clone()), checks::binary_request)
        .chain(with(|vector| vector.is_binary.then(|| vector.reply.clone()), checks::binary_reply))
        .chain(with(|vector| (!vector.is_binary).then(|| vector.request.clone()), checks::text_request))
        .chain(with(|vector| (!vector.is_binary).then(|| vector.reply.clone()), checks::meta_reply))
        .chain(with(|vector| (!vector.is_binary).then(|| [b"\x01", &vector.reply[..]].concat()), checks::text_reply))
        .filter(|(_, bytes, _)| bytes.len() < 700)
        .collect()
}

#[test]
fn golden_messages_cut_anywhere_are_read_or_refused() {
    for (_, bytes, check) in messages() {
        (0..bytes.len()).for_each(|end| check(&bytes[..end]));
    }
}

#[test]
fn golden_messages_with_any_byte_bent_are_read_or_refused() {
    for (_, mut bytes, check) in messages() {
        for at in 0..bytes.len() {
            let original = bytes[at];
            for bent in [0, b' ', b'\n', b'9', 0xff, original ^ 1] {
                bytes[at] = bent;
                check(&bytes);
            }
            bytes[at] = original;
        }
    }
}

#[test]
fn whole_messages_are_missing_until_their_last_byte_has_come() {
    for (name, bytes) in golden(|vector| vector.is_binary.then(|| vector.reply.clone())) {
        let (replies, failed) = checks::messages(&bytes, 1, |input| binary::read_reply(input, &Limits::default()));
        let cut = bytes.len().saturating_sub(1);
        let (fewer, _) = checks::messages(&bytes[..cut], 1, |input| binary::read_reply(input, &Limits::default()));
        assert!(!failed && fewer.len() == replies.len().saturating_sub(1), "{name}");
    }
}

/// A header of a request with these lengths, in the order in which they stand on the wire.
fn header(magic: u8, opcode: Opcode, key: u16, extras: u8, body: u32) -> BytesMut {
    written(|out| {
        out.put_u8(magic);
        out.put_u8(opcode.0);
        out.put_u16(key);
        out.put_u8(extras);
        out.put_bytes(0, 3);
        out.put_u32(body);
        out.put_bytes(0, 12);
    })
}

#[test]
fn lengths_of_a_binary_request_that_contradict_each_other_are_refused_with_a_reply() {
    let lengths = [(1, 0, 0), (0, 1, 0), (u16::MAX, u8::MAX, 65_789), (250, 8, 257)];
    for (key, extras, body) in lengths {
        let mut wire = header(0x80, Opcode::SET, key, extras, body);
        let refusal = binary::read_request(&mut wire, &Limits::default(), &mut Intake::default()).unwrap_err();
        let mut reply = written(|out| refusal.write_reply(out));
        let reply = binary::read_reply(&mut reply, &Limits::default()).unwrap().unwrap();
        assert_eq!((reply.status, reply.opcode), (binary::Status::UNKNOWN_COMMAND, Opcode::SET));
    }
}

#[test]
fn a_binary_request_of_more_than_a_gigabyte_is_refused_at_its_header() {
    for (body, is_refused) in [((1 << 30) + 1, true), (u32::MAX, true), (1 << 30, false)] {
        let mut wire = header(0x80, Opcode::SET, 1, 8, body);
        let read = binary::read_request(&mut wire, &Limits::default(), &mut Intake::default());
        assert_eq!(read.is_err(), is_refused, "{body}");
    }
}

#[test]
fn a_key_that_is_too_long_is_refused_at_its_header() {
    let mut wire = header(0x80, Opcode::GET, 251, 0, 251);
    assert!(binary::read_request(&mut wire, &Limits::default(), &mut Intake::default()).is_err());
}

#[test]
fn a_binary_reply_that_lies_is_an_error_at_its_header() {
    let limits = Limits::default();
    let read = |mut wire: BytesMut| binary::read_reply(&mut wire, &limits).unwrap_err();
    let lengths = |extras, key, body| ReplyError::Lengths { extras, key, body };
    assert_eq!(read(BytesMut::from("\x7f")), ReplyError::Magic(0x7f));
    assert_eq!(read(header(0x80, Opcode::GET, 0, 0, 0)), ReplyError::Magic(0x80));
    assert_eq!(read(header(0x81, Opcode::GET, 5, 0, 4)), lengths(0, 5, 4));
    assert_eq!(read(header(0x81, Opcode::GET, 0, 3, 4)), lengths(3, 0, 4));
    let too_large = ReplyError::TooLarge { bytes: u64::from(u32::MAX) - 4, limit: limits.value_bytes };
    assert_eq!(read(header(0x81, Opcode::GET, 0, 4, u32::MAX)), too_large);
}

fn text_reply(wire: &str, awaited: Awaited) -> Result<Option<text::Reply>, ReplyError> {
    text::read_reply(&mut BytesMut::from(wire), awaited, &Limits::default())
}

#[test]
fn a_text_reply_that_nobody_asked_for_is_an_error() {
    let unasked = [
        ("STORED\r\n", Awaited::Values),
        ("VALUE k 0 1\r\nx\r\n", Awaited::Stored),
        ("VALUE k 0 1\r\nx\r\n", Awaited::Stats),
        ("DELETED\r\n", Awaited::Touched),
        ("END\r\n", Awaited::Deleted),
        ("NOT_FOUND\r\n", Awaited::Values),
        ("12\r\n", Awaited::Version),
        ("-1\r\n", Awaited::Number),
        ("\r\n", Awaited::Stored),
        ("stored\r\n", Awaited::Stored),
        ("STORED \r\n", Awaited::Stored),
        ("HTTP/1.1 400 Bad Request\r\n", Awaited::Values),
        ("CONFIG cluster 0\r\n", Awaited::Config),
        ("ERRORS\r\n", Awaited::Stored),
        ("SERVER_ERRORS abound\r\n", Awaited::Stored),
    ];
    for (wire, awaited) in unasked {
        assert!(matches!(text_reply(wire, awaited), Err(ReplyError::Unexpected(_))), "{wire}");
    }
}

#[test]
fn a_value_of_another_length_than_its_line_says_is_an_error() {
    let limit = Limits::default().value_bytes;
    for wire in ["VALUE k 0 2\r\nx\r\nEND\r\n", "VALUE k 0 1\r\nxy\r\nEND\r\n", "VALUE k 0 0\r\nx\r\n"] {
        assert_eq!(text_reply(wire, Awaited::Values), Err(ReplyError::Unterminated), "{wire}");
    }
    for (length, bytes) in [("1048577", 1_048_577), ("18446744073709551615", u64::MAX)] {
        let wire = format!("VALUE k 0 {length}\r\n");
        assert_eq!(text_reply(&wire, Awaited::Values), Err(ReplyError::TooLarge { bytes, limit }));
        let wire = format!("VA {length}\r\n");
        let read = meta::read_reply(&mut BytesMut::from(&wire[..]), &Limits::default());
        assert_eq!(read, Err(ReplyError::TooLarge { bytes, limit }));
    }
    for length in ["-1", "x", "18446744073709551616", ""] {
        let wire = format!("VALUE k 0 {length}\r\n");
        assert!(matches!(text_reply(&wire, Awaited::Values), Err(ReplyError::Unexpected(_))), "{length}");
    }
    let read = meta::read_reply(&mut BytesMut::from("VA 1 c5\r\nxyz"), &Limits::default());
    assert_eq!(read, Err(ReplyError::Unterminated));
}

#[test]
fn a_meta_reply_that_makes_no_sense_is_an_error() {
    let senseless = ["", "OK", "VA", "VA x", "HD cx", "HD t-2", "HD h", "STORED", "HDx", "VALUE k 0 1", "ME", "ME k x"];
    for line in senseless {
        let wire = format!("{line}\r\n");
        let read = meta::read_reply(&mut BytesMut::from(&wire[..]), &Limits::default());
        assert!(matches!(read, Err(ReplyError::Unexpected(_))), "{line}: {read:?}");
    }
    let bad_key = meta::read_reply(&mut BytesMut::from("HD k!!!! b\r\n"), &Limits::default());
    assert!(matches!(bad_key, Err(ReplyError::Unexpected(_))));
}

#[test]
fn a_line_without_an_end_is_given_up_at_the_limit() {
    let limits = Limits::default();
    let long = |bytes: usize| BytesMut::from(&vec![b'x'; bytes][..]);
    assert_eq!(meta::read_reply(&mut long(2047), &limits), Ok(None));
    assert_eq!(meta::read_reply(&mut long(2048), &limits), Err(ReplyError::LineTooLong { limit: 2048 }));
    let request = |bytes| text::read_request(&mut long(bytes), &limits, &mut Intake::default());
    assert_eq!(request(16384), Ok(None));
    assert_eq!(request(16385), Err(StreamError::LineTooLong { limit: 16384 }));
}

#[test]
fn a_long_line_that_makes_no_sense_is_refused_and_the_next_is_read() {
    let mut input = BytesMut::from(&[&b"set "[..], &b"x".repeat(10_000), b" 0\r\nmn\r\n"].concat()[..]);
    let mut next = || text::read_request(&mut input, &Limits::default(), &mut Intake::default()).unwrap().unwrap();
    assert_eq!(next(), text::Request::Refused(text::Refusal::BAD_FORMAT));
    assert_eq!(next(), text::Request::MetaNoop);
}

#[test]
fn only_lines_of_keys_may_be_long() {
    let limits = Limits { keys_line_bytes: 40_000, ..Limits::default() };
    for (verb, is_fine) in [("get", true), ("gets", true), ("gat 0", true), ("gats 0", true), ("stats", false)] {
        let line = [verb.as_bytes(), &b" key".repeat(5000), b"\r\n"].concat();
        let read = text::read_request(&mut BytesMut::from(&line[..]), &limits, &mut Intake::default());
        assert_eq!(read.is_ok(), is_fine, "{verb}");
        let longer = [verb.as_bytes(), &b" key".repeat(12_000), b"\r\n"].concat();
        assert!(text::read_request(&mut BytesMut::from(&longer[..]), &limits, &mut Intake::default()).is_err());
    }
}
