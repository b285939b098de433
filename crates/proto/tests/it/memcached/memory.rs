//! How much memory messages may take: none on the word of a length, and none for values beyond the bytes that have come.

use bytes::{Bytes, BytesMut};
use charioteer_proto::memcached::binary::{self, Command};
use charioteer_proto::memcached::text::{self, Awaited};
use charioteer_proto::memcached::{Expiration, Intake, Limits, StoreMode, meta};

use super::messages::written;
use crate::memory::peak;

const LARGE: Limits = Limits { value_bytes: 1 << 30, line_bytes: 2048, keys_line_bytes: 1 << 20 };
/// A message that announces more is given room for so much of it.
const AHEAD: usize = 80 * 1024;

fn set(value: &[u8]) -> BytesMut {
    let command =
        Command::Store { mode: StoreMode::Set, key: &b"key"[..], value, flags: 0, expiration: Expiration::NEVER };
    written(|out| binary::write_request(out, &binary::Request { quiet: false, opaque: 0, cas: 0, command }))
}

#[test]
fn announcing_a_gigabyte_takes_no_memory_for_it() {
    let mut request = set(b"");
    request[8..12].copy_from_slice(&(1u32 << 30).to_be_bytes());
    let read = || assert_eq!(binary::read_request(&mut request, &LARGE, &mut Intake::default()), Ok(None));
    assert!(peak(read) <= AHEAD);
    for line in ["set key 0 0 1073741824\r\n", "ms key 1073741824\r\n"] {
        let mut input = BytesMut::from(line);
        let read = || assert_eq!(text::read_request(&mut input, &LARGE, &mut Intake::default()), Ok(None));
        assert!(peak(read) <= AHEAD, "{line}");
    }
    let mut reply = BytesMut::from("VALUE key 0 1073741824\r\n");
    assert!(peak(|| assert_eq!(text::read_reply(&mut reply, Awaited::Values, &LARGE), Ok(None))) <= AHEAD);
    let mut reply = BytesMut::from("VA 1073741824\r\n");
    assert!(peak(|| assert_eq!(meta::read_reply(&mut reply, &LARGE), Ok(None))) <= AHEAD);
    let mut reply = set(b"");
    (reply[0], reply[4]) = (0x81, 4);
    reply[8..12].copy_from_slice(&(1u32 << 30).to_be_bytes());
    assert!(peak(|| assert_eq!(binary::read_reply(&mut reply, &LARGE), Ok(None))) <= AHEAD);
}

#[test]
fn values_are_slices_of_what_was_read() {
    let value = vec![b'7'; 1 << 20];
    let taken = |wire: BytesMut, read: &dyn Fn(&mut BytesMut) -> Option<Bytes>| {
        let mut wire = wire;
        let mut read_value = None;
        let peak = peak(|| read_value = read(&mut wire));
        assert!(read_value.expect("a value") == value && peak <= 1024, "{peak}");
    };
    taken(set(&value), &|wire| match binary::read_request(wire, &LARGE, &mut Intake::default()).unwrap()?.command {
        Command::Store { value, .. } => Some(value),
        _ => None,
    });
    let in_text = |line: &str| BytesMut::from(&[line.as_bytes(), &value, b"\r\n"].concat()[..]);
    taken(in_text("set key 0 0 1048576\r\n"), &|wire| match text::read_request(wire, &LARGE, &mut Intake::default())
        .unwrap()?
    {
        text::Request::Store { value, .. } => Some(value),
        _ => None,
    });
    taken(in_text("ms key 1048576 T0\r\n"), &|wire| match text::read_request(wire, &LARGE, &mut Intake::default())
        .unwrap()?
    {
        text::Request::Meta(request) => Some(request.value),
        _ => None,
    });
    taken(
        in_text("VALUE key 0 1048576\r\n"),
        &|wire| match text::read_reply(wire, Awaited::Values, &LARGE).unwrap()? {
            text::Reply::Value { value, .. } => Some(value),
            _ => None,
        },
    );
    taken(in_text("VA 1048576 c5\r\n"), &|wire| match meta::read_reply(wire, &LARGE).unwrap()? {
        meta::Reply::Item(item) => item.value,
        _ => None,
    });
}

#[test]
fn a_command_with_all_the_flags_there_can_be_takes_no_memory_for_them() {
    let line = "mg AAEg/w== b c f h k l q s t u v O1 C1 D1 E1 F1 I J1\r\n";
    let mut input = BytesMut::from(line);
    let peak = peak(|| {
        let request = text::read_request(&mut input, &LARGE, &mut Intake::default()).unwrap().unwrap();
        assert!(matches!(request, text::Request::Meta(request) if request.flags.iter().count() == 18));
    });
    assert!(peak <= 64, "{peak}");
}

#[test]
fn values_that_are_too_large_are_passed_over_without_being_kept() {
    const LIMITS: Limits = Limits { value_bytes: 1000, line_bytes: 2048, keys_line_bytes: 4096 };
    let piece = [b'x'; 1000];
    let mut intake = Intake::default();
    let mut input = BytesMut::from("set key 0 0 100000000\r\n");
    let peak = peak(|| {
        let first = text::read_request(&mut input, &LIMITS, &mut intake);
        assert!(matches!(first, Ok(Some(text::Request::TooLarge { .. }))));
        for _ in 0..100_000 {
            input.extend_from_slice(&piece);
            assert_eq!(text::read_request(&mut input, &LIMITS, &mut intake), Ok(None));
        }
    });
    assert!(peak <= 16 * 1024, "{peak}");
    input.extend_from_slice(b"\r\nmn\r\n");
    assert_eq!(text::read_request(&mut input, &LIMITS, &mut intake), Ok(Some(text::Request::MetaNoop)));
}
