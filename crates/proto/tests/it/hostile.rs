//! Bytes that no honest peer sends: cut, bent, lying, nested, random. Errors, never a panic.

use bytes::{Bytes, BytesMut};
use charioteer_proto::DecodeFailure;
use charioteer_proto::pegasus::frame::{read_reply, read_request};
use charioteer_proto::pegasus::rpc::{Call, Rpc};
use charioteer_proto::pegasus::thrift;

use super::checks;
use super::table::{CallVisitor, Entropy, Message, StructVisitor, structs, visit_call};
use super::vectors::{self, Vector};

/// Every argument or result that is cut short is an error.
struct CutValue<'a>(&'a Vector);

impl CallVisitor for CutValue<'_> {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        let mut input = BytesMut::from(&self.0.bytes[..]);
        if self.0.is_request {
            let request = read_request(&mut input, 1 << 20).unwrap().unwrap();
            for end in 0..request.arguments.len() {
                let mut cut = request.clone();
                cut.arguments.truncate(end);
                assert!(cut.argument::<R::Request>().is_err(), "{} cut at {end}", self.0.name);
            }
        } else {
            let reply = read_reply(&mut input, 1 << 20).unwrap().unwrap();
            for end in 0..reply.results.len() {
                let mut cut = reply.clone();
                cut.results.truncate(end);
                assert!(cut.result::<R::Reply>().is_err(), "{} cut at {end}", self.0.name);
            }
        }
    }
}

#[test]
fn golden_frames_are_missing_until_they_are_whole_and_their_values_are_errors() {
    for vector in vectors::all() {
        for end in 0..vector.bytes.len() {
            let mut input = BytesMut::from(&vector.bytes[..end]);
            let missing = match vector.is_request {
                true => read_request(&mut input, 1 << 20) == Ok(None),
                false => read_reply(&mut input, 1 << 20) == Ok(None),
            };
            assert!(missing && input == vector.bytes[..end], "{} cut at {end}", vector.name);
        }
        visit_call(Call::from_name(vector.rpc.as_bytes()).unwrap(), CutValue(&vector)).unwrap();
    }
}

fn check(vector: &Vector, wire: &[u8]) {
    if vector.is_request { checks::request(wire) } else { checks::reply(wire) }
}

#[test]
fn golden_frames_with_any_byte_bent_are_read_or_refused() {
    for vector in vectors::all() {
        let mut wire = vector.bytes.clone();
        for at in 0..wire.len() {
            let original = wire[at];
            for bent in [0, 1, 0x7f, 0x80, 0xff, original ^ 1, original ^ 0x10] {
                wire[at] = bent;
                check(&vector, &wire);
            }
            wire[at] = original;
        }
    }
}

#[test]
fn golden_frames_with_a_lying_length_anywhere_are_read_or_refused() {
    for vector in vectors::all() {
        for at in 0..vector.bytes.len() - 3 {
            for lie in [-1, i32::MIN, i32::MAX, 1 << 16] {
                let mut wire = vector.bytes.clone();
                wire[at..at + 4].copy_from_slice(&i32::to_be_bytes(lie));
                check(&vector, &wire);
            }
        }
    }
}

/// The bytes of a value with all its fields.
pub(crate) fn full<T: Message>() -> BytesMut {
    let mut wire = BytesMut::new();
    thrift::encode(&T::sample(&mut Entropy::full()), &mut wire);
    wire
}

struct CutAndLie;

impl StructVisitor for CutAndLie {
    type Out = ();

    fn visit<T: Message>(self) {
        let wire = full::<T>();
        for end in 0..wire.len() {
            // A list that is cut behind its length counts more elements than there are bytes.
            let cut = thrift::decode::<T>(wire.clone().freeze().slice(..end)).unwrap_err();
            let known = matches!(cut.failure, DecodeFailure::CutShort | DecodeFailure::Length(1));
            assert!(known && cut.offset <= end, "{cut}, {} cut at {end}", T::NAME);
        }
        for at in 0..wire.len().saturating_sub(3) {
            for lie in [-1, i32::MIN, i32::MAX, 1 << 16] {
                let mut lying = wire.clone();
                lying[at..at + 4].copy_from_slice(&i32::to_be_bytes(lie));
                drop(thrift::decode::<T>(lying.freeze()));
            }
        }
        let mut longer = wire.clone();
        longer.extend_from_slice(b"\0\0");
        let trailing = thrift::decode::<T>(longer.freeze()).unwrap_err();
        assert_eq!(trailing.failure, DecodeFailure::Trailing(2), "{}", T::NAME);
    }
}

#[test]
fn structs_that_are_cut_or_lie_or_go_on_are_refused() {
    structs::<CutAndLie>().into_iter().for_each(|visit| visit(CutAndLie));
}

/// Reads a struct that holds nothing but this unknown field.
struct Unknown<'a>(&'a [u8]);

impl StructVisitor for Unknown<'_> {
    type Out = Option<DecodeFailure>;

    fn visit<T: Message>(self) -> Self::Out {
        if !is_struct::<T>() {
            return None;
        }
        let message = Bytes::from([self.0, b"\0"].concat());
        match thrift::decode::<T>(message) {
            Ok(value) => {
                assert_eq!(value, T::default());
                None
            }
            Err(error) => {
                assert_eq!(error.what, T::NAME);
                Some(error.failure)
            }
        }
    }
}

/// A value that is all defaults ends with the end of a struct only if it is one.
fn is_struct<T: Message>() -> bool {
    thrift::decode::<T>(Bytes::from_static(b"\0")) == Ok(T::default()) && T::NAME != "bool"
}

fn failures(field: &[u8]) -> Vec<Option<DecodeFailure>> {
    structs::<Unknown<'_>>().into_iter().map(|visit| visit(Unknown(field))).collect()
}

#[test]
fn unknown_fields_of_any_plain_type_are_passed_over() {
    let fields: [&[u8]; 11] = [
        b"\x02\0\x63\x01",
        b"\x03\0\x63\x01",
        b"\x04\0\x63\0\0\0\0\0\0\0\0",
        b"\x06\0\x63\0\0",
        b"\x08\0\x63\0\0\0\0",
        b"\x0a\0\x63\0\0\0\0\0\0\0\0",
        b"\x0b\0\x63\0\0\0\x01x",
        b"\x0d\0\x63\x08\x0b\0\0\0\x01\0\0\0\x07\0\0\0\x01x",
        b"\x0e\0\x63\x08\0\0\0\x02\0\0\0\x07\0\0\0\x08",
        b"\x0f\0\x63\x0f\0\0\0\x02\x08\0\0\0\0\x08\0\0\0\0",
        b"\x0f\0\x63\0\0\0\0\0",
    ];
    for field in fields {
        assert!(failures(field).iter().all(Option::is_none), "{}", field.escape_ascii());
    }
}

#[test]
fn unknown_fields_that_claim_to_be_structs_or_nothing_known_are_refused() {
    let refused = |field: &[u8], failure: DecodeFailure| {
        let failures = failures(field);
        assert!(failures.iter().flatten().count() > 90, "{}", field.escape_ascii());
        assert!(failures.iter().flatten().all(|found| *found == failure), "{}: {failures:?}", field.escape_ascii());
    };
    refused(b"\x0c\0\x63\0", DecodeFailure::UnskippableField(0x63));
    refused(b"\x0f\0\x63\x0c\0\0\0\x01\0", DecodeFailure::UnskippableField(0));
    refused(b"\x01\0\x63", DecodeFailure::UnknownType(1));
    refused(b"\x10\0\x63", DecodeFailure::UnknownType(16));
    refused(b"\x0b\0\x63\xff\xff\xff\xff", DecodeFailure::Length(-1));
    refused(b"\x0b\0\x63\x7f\xff\xff\xff", DecodeFailure::CutShort);
    refused(b"\x0f\0\x63\x02\x7f\xff\xff\xff", DecodeFailure::Length(i64::from(i32::MAX)));
    refused(b"\x0e\0\x63\x02\x80\0\0\0", DecodeFailure::Length(i64::from(i32::MIN)));
    refused(b"\x0d\0\x63\x02\x02\x7f\xff\xff\xff", DecodeFailure::Length(i64::from(i32::MAX)));
}

#[test]
fn unknown_fields_nested_to_any_depth_are_refused_and_shallow_ones_passed_over() {
    let shells: [(u8, &[u8], &[u8]); 3] = [
        (15, b"\x0f\0\0\0\x01", b"\x02\0\0\0\0"),
        (14, b"\x0e\0\0\0\x01", b"\x02\0\0\0\0"),
        (13, b"\x02\x0d\0\0\0\x01\x01", b"\x02\x02\0\0\0\0"),
    ];
    for (kind, shell, innermost) in shells {
        let nested = |depth: usize| [&[kind, 0, 0x63], &shell.repeat(depth)[..], innermost].concat();
        for depth in [1000, 100_000] {
            let failures = failures(&nested(depth));
            assert!(failures.iter().flatten().all(|failure| *failure == DecodeFailure::TooDeep), "{failures:?}");
            assert!(failures.iter().flatten().count() > 90);
        }
        assert!(failures(&nested(5)).iter().all(Option::is_none), "{kind}");
    }
}
