//! What a server reads and writes in the binary protocol, by its rules.

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::binary::{
    Command, Opcode, Refusal, Request, Status, read_request, write_failure, write_request,
};
use charioteer_proto::memcached::{Direction, Expiration, Intake, Limits};

use super::messages::written;

/// A request as it stands on the wire.
fn wire(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> BytesMut {
    let body = extras.len() + key.len() + value.len();
    written(|out| {
        out.extend_from_slice(&[0x80, opcode]);
        out.extend_from_slice(&u16::try_from(key.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&[u8::try_from(extras.len()).unwrap(), 0, 0, 0]);
        out.extend_from_slice(&u32::try_from(body).unwrap().to_be_bytes());
        out.extend_from_slice(&7u32.to_be_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&[extras, key, value].concat());
    })
}

fn read(mut wire: BytesMut) -> Result<Option<Request>, Refusal> {
    read_request(&mut wire, &Limits::default(), &mut Intake::default())
}

#[test]
fn every_command_has_its_number_and_fourteen_have_a_quiet_one() {
    let quiet = (0..=255).map(Opcode).filter(|opcode| opcode.is_quiet());
    let numbers: Vec<_> = quiet.clone().map(|opcode| opcode.0).collect();
    assert_eq!(numbers, [0x09, 0x0d, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1e, 0x24]);
    assert!(quiet.clone().all(|opcode| opcode.loud().quiet() == Some(opcode)));
    assert!((0..=255).map(Opcode).filter_map(Opcode::quiet).count() == numbers.len());
}

#[test]
fn lengths_that_are_not_those_of_the_command_are_refused_and_end_the_connection() {
    let e = [0; 20];
    let wrong: &[(u8, &[u8], &str, &str)] = &[
        (0x00, &[], "", ""),
        (0x00, &e[..4], "k", ""),
        (0x00, &[], "k", "v"),
        (0x0d, &[], "", ""),
        (0x01, &[], "k", "v"),
        (0x01, &e[..7], "k", "v"),
        (0x01, &e[..8], "", "v"),
        (0x11, &e[..9], "k", "v"),
        (0x04, &[], "", ""),
        (0x04, &[], "k", "v"),
        (0x05, &e[..19], "k", ""),
        (0x05, &e, "", ""),
        (0x06, &e, "k", "v"),
        (0x07, &[], "k", ""),
        (0x08, &e[..3], "", ""),
        (0x08, &[], "k", ""),
        (0x0a, &[], "", "v"),
        (0x0b, &[], "k", ""),
        (0x0e, &e[..8], "k", "v"),
        (0x0e, &[], "", "v"),
        (0x10, &e[..4], "", ""),
        (0x1c, &[], "k", ""),
        (0x1d, &e[..4], "", ""),
        (0x20, &[], "k", ""),
    ];
    for &(opcode, extras, key, value) in wrong {
        let refusal = read(wire(opcode, extras, key.as_bytes(), value.as_bytes())).expect_err("a wrong request");
        assert_eq!(refusal.to_string(), format!("request {opcode:#04x}: Invalid arguments"));
    }
}

#[test]
fn another_protocol_is_refused_without_a_reply() {
    let refusal = read(BytesMut::from("get key\r\n")).unwrap_err();
    assert!(written(|out| refusal.write_reply(out)).is_empty());
}

#[test]
fn an_unknown_command_is_answered_at_once_and_what_it_carries_is_passed_over() {
    for (opcode, extras, key, value) in
        [(0x1b, &b"\0\0\0\x01"[..], &b""[..], &b""[..]), (0x99, b"extra", b"key", b"some value"), (0x30, b"", b"", b"")]
    {
        let mut whole = wire(opcode, extras, key, value);
        whole.unsplit(wire(0x0a, b"", b"", b""));
        for arrived in [24, 25, whole.len() - 24, whole.len()] {
            let (mut input, mut intake) = (BytesMut::from(&whole[..arrived]), Intake::default());
            let request =
                read_request(&mut input, &Limits::default(), &mut intake).unwrap().expect("the header is there");
            assert_eq!(request.command, Command::Unknown { opcode: Opcode(opcode) });
            let reply = written(|out| write_failure(out, &request, Status::UNKNOWN_COMMAND));
            assert!(reply[1] == opcode && reply.ends_with(b"Unknown command"));
            let mut next = read_request(&mut input, &Limits::default(), &mut intake).unwrap();
            if next.is_none() {
                input.extend_from_slice(&whole[arrived..]);
                next = read_request(&mut input, &Limits::default(), &mut intake).unwrap();
            }
            assert_eq!(next.map(|request| request.command), Some(Command::Noop), "{opcode:#x}, {arrived}");
        }
    }
}

#[test]
fn a_value_that_is_too_large_is_answered_before_it_comes_and_passed_over() {
    let limits = Limits { value_bytes: 10, ..Limits::default() };
    for (opcode, extras, forgets) in
        [(0x01, 8, true), (0x11, 8, true), (0x02, 8, false), (0x0e, 0, false), (0x21, 0, false)]
    {
        let mut whole = wire(opcode, &[0; 8][..extras], b"key", &[b'x'; 11]);
        let value_at = whole.len() - 11;
        let (mut input, mut intake) = (BytesMut::new(), Intake::default());
        for byte in &whole[..value_at - 1] {
            input.extend_from_slice(&[*byte]);
            assert_eq!(read_request(&mut input, &limits, &mut intake), Ok(None));
        }
        input.extend_from_slice(&whole.split_off(value_at - 1));
        let request = read_request(&mut input, &limits, &mut intake).unwrap().unwrap();
        assert_eq!(request.command, Command::TooLarge { opcode: Opcode(opcode).loud(), key: "key".into(), forgets });
        assert_eq!((request.opcode(), request.opaque), (Opcode(opcode), 7));
        assert_eq!(read_request(&mut input, &limits, &mut intake), Ok(None));
        assert!(input.is_empty() && intake == Intake::default());
    }
}

#[test]
fn a_value_at_the_limit_is_taken() {
    let limits = Limits { value_bytes: 10, ..Limits::default() };
    let mut input = wire(0x01, &[0; 8], b"key", &[b'x'; 10]);
    let request = read_request(&mut input, &limits, &mut Intake::default()).unwrap().unwrap();
    assert!(matches!(request.command, Command::Store { value, .. } if value.len() == 10));
}

#[test]
fn counting_makes_no_counter_if_all_bits_of_the_expiration_are_set() {
    let count = |expiration: u32| {
        let extras = [&5u64.to_be_bytes()[..], &1u64.to_be_bytes(), &expiration.to_be_bytes()].concat();
        match read(wire(0x06, &extras, b"n", b"")).unwrap().unwrap().command {
            Command::Count { direction: Direction::Decrement, delta: 5, initial: 1, create, .. } => create,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(count(u32::MAX), None);
    assert_eq!(count(u32::MAX - 1), Some(Expiration::from_wire(0xffff_fffe)));
    assert_eq!(count(0), Some(Expiration::NEVER));
}

#[test]
fn a_counter_that_is_to_be_kept_as_long_as_can_be_said_is_made() {
    let create = Some(Expiration::from_wire(u32::MAX.into()));
    let command = Command::Count { direction: Direction::Increment, key: "n", delta: 1, initial: 0, create };
    let request = Request { quiet: false, opaque: 0, cas: 0, command };
    let mut wire = written(|out| write_request(out, &request));
    let read = read_request(&mut wire, &Limits::default(), &mut Intake::default()).unwrap().unwrap();
    assert!(matches!(read.command, Command::Count { create: Some(_), .. }));
}

#[test]
fn quiet_commands_hide_misses_if_they_get_and_successes_otherwise() {
    let quiet =
        |opcode, extras: &[u8], key: &[u8], value: &[u8]| read(wire(opcode, extras, key, value)).unwrap().unwrap();
    for request in [quiet(0x09, b"", b"k", b""), quiet(0x0d, b"", b"k", b""), quiet(0x24, &[0; 4], b"k", b"")] {
        assert!(request.hides(Status::NOT_FOUND) && !request.hides(Status::OK));
    }
    for request in [quiet(0x11, &[0; 8], b"k", b"v"), quiet(0x14, b"", b"k", b""), quiet(0x17, b"", b"", b"")] {
        assert!(request.hides(Status::OK) && !request.hides(Status::NOT_FOUND) && !request.hides(Status::EXISTS));
    }
    let loud = quiet(0x00, b"", b"k", b"");
    assert!(!loud.hides(Status::OK) && !loud.hides(Status::NOT_FOUND));
}

#[test]
fn a_miss_of_a_get_with_key_carries_the_key_instead_of_words() {
    let failure = |opcode: u8, extras: &[u8], status| {
        let request = read(wire(opcode, extras, b"key", b"")).unwrap().unwrap();
        let mut out = written(|out| write_failure(out, &request, status));
        let reply = charioteer_proto::memcached::binary::read_reply(&mut out, &Limits::default()).unwrap().unwrap();
        (reply.key, reply.value)
    };
    let none = Bytes::new();
    assert_eq!(failure(0x0c, b"", Status::NOT_FOUND), ("key".into(), none.clone()));
    assert_eq!(failure(0x23, &[0; 4], Status::NOT_FOUND), ("key".into(), none.clone()));
    assert_eq!(failure(0x00, b"", Status::NOT_FOUND), (none.clone(), "Not found".into()));
    assert_eq!(failure(0x0c, b"", Status::OUT_OF_MEMORY), (none, "Out of memory".into()));
}
