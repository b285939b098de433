//! How much memory a message may take: a stated multiple of its own length, whatever it says.
//!
//! An empty struct is one byte on the wire, so the danger are containers of those. For every container of every struct the test
//! packs as many of them into a message as the decoder lets pass, and measures what that takes.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use charioteer_proto::pegasus::frame::{RequestHeader, read_reply, read_request, write_reply, write_request};
use charioteer_proto::pegasus::rpc::{Call, Get, Rpc};
use charioteer_proto::pegasus::thrift;

use super::schema::{self, Fields};
use super::table::{CallVisitor, Message, visit_call};
use super::vectors;

/// What a client can make a server take for each byte of an argument.
const REQUEST_FACTOR: usize = 17;
/// What a server can make a client take for each byte of a result. The nodes of a tree have room for eleven entries where the decoder
/// counts with two, so that results of many maps of one entry take more; no argument holds more than one map.
const REPLY_FACTOR: usize = 90;
/// And what a short message may take beyond that.
const SPARE: usize = 16 * 1024;

/// Long enough for the factors to show.
const MESSAGE_BYTES: usize = 16 * 1024;

/// The most memory that was taken at any time during `run`.
pub(crate) fn peak(run: impl FnOnce()) -> usize {
    usize::try_from(allocation_counter::measure(run).bytes_max).expect("it was there")
}

/// Whether a message can be decoded, and how much memory that takes at most, the message not counted.
fn decode<T: Message>(message: &Bytes) -> (bool, usize) {
    let mut decoded = false;
    let peak = peak(|| decoded = thrift::decode::<T>(message.clone()).is_ok());
    (decoded, peak)
}

/// Writes the shortest values there are, but with one element in each of their containers, down to `depth` levels.
struct Packer<'a> {
    idl: &'a BTreeMap<&'static str, Fields>,
    depth: usize,
    out: Vec<u8>,
}

impl Packer<'_> {
    /// `number` makes the keys of a map differ.
    fn value(&mut self, kind: &'static str, number: u32) {
        if let Some(elements) = schema::elements(kind) {
            self.container(&elements, u32::from(self.depth > 0));
            return;
        }
        match kind {
            "bool" => self.out.push(0),
            "i32" => self.out.extend(number.to_be_bytes()),
            "i64" | "gpid" | "rpc_address" => self.out.extend(u64::from(number).to_be_bytes()),
            "string" if number > 0 => {
                self.out.extend([0, 0, 0, 8]);
                self.out.extend(format!("{number:08x}").bytes());
            }
            "string" | "blob" | "error_code" => self.out.extend([0; 4]),
            "host_port" => self.out.extend([0; 7]),
            name => {
                if let Some(depth) = self.depth.checked_sub(1) {
                    let outer = std::mem::replace(&mut self.depth, depth);
                    self.containers(name);
                    self.depth = outer;
                }
                self.out.push(0);
            }
        }
    }

    fn containers(&mut self, name: &str) {
        for &(id, _, kind) in &self.idl[name] {
            if schema::elements(kind).is_some() {
                self.field(kind, id);
                self.value(kind, 0);
            }
        }
    }

    fn container(&mut self, elements: &[&'static str], count: u32) {
        elements.iter().for_each(|element| self.out.push(schema::type_byte(element)));
        self.out.extend(count.to_be_bytes());
        for number in 1..=count {
            let (last, keys) = elements.split_last().expect("at least one");
            keys.iter().for_each(|key| self.value(key, number));
            self.value(last, if keys.is_empty() { 0 } else { number });
        }
    }

    fn field(&mut self, kind: &str, id: i16) {
        self.out.push(schema::type_byte(kind));
        self.out.extend(id.to_be_bytes());
    }

    /// A struct whose field `id` holds `count` elements, with a field behind it that makes it `MESSAGE_BYTES` long.
    fn message(mut self, id: i16, kind: &'static str, count: u32) -> Option<Bytes> {
        self.field(kind, id);
        self.container(&schema::elements(kind).expect("a container"), count);
        let padding = MESSAGE_BYTES.checked_sub(self.out.len() + 3 + 4 + 1)?;
        self.field("string", 99);
        self.out.extend(u32::try_from(padding).expect("short").to_be_bytes());
        self.out.resize(MESSAGE_BYTES, 0);
        Some(self.out.into())
    }
}

/// The memory that the worst message of a type takes.
fn worst<T: Message>(idl: &BTreeMap<&'static str, Fields>) -> usize {
    let fields = idl.get(T::NAME).into_iter().flatten();
    let containers = fields.filter(|(_, _, kind)| schema::elements(kind).is_some());
    let worst =
        containers.flat_map(|&(id, _, kind)| [0, 1, 2, 3].map(|depth| most_elements::<T>(idl, id, kind, depth)));
    worst.max().unwrap_or(0)
}

/// The memory that a message takes with as many elements in one field as the decoder lets pass.
fn most_elements<T: Message>(idl: &BTreeMap<&'static str, Fields>, id: i16, kind: &'static str, depth: usize) -> usize {
    let mut most = 0;
    let (mut passes, mut fails) = (0, u32::try_from(MESSAGE_BYTES).expect("short"));
    while fails - passes > 1 {
        let count = u32::midpoint(passes, fails);
        let message = Packer { idl, depth, out: Vec::new() }.message(id, kind, count);
        let (decoded, peak) = message.map_or((false, 0), |message| decode::<T>(&message));
        most = most.max(peak);
        if decoded {
            passes = count;
        } else {
            fails = count;
        }
    }
    assert!(passes > 0, "{}, field {id}: a single element passes", T::NAME);
    most
}

struct Worst<'a>(&'a BTreeMap<&'static str, Fields>);

impl CallVisitor for Worst<'_> {
    type Out = (usize, usize);

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) -> Self::Out {
        (worst::<R::Request>(self.0), worst::<R::Reply>(self.0))
    }
}

#[test]
fn containers_of_next_to_nothing_take_no_more_than_a_stated_multiple_of_their_message() {
    let idl = schema::idl();
    for &call in Call::ALL {
        let (request, reply) = visit_call(call, Worst(&idl)).expect("listed");
        assert!(request <= REQUEST_FACTOR * MESSAGE_BYTES + SPARE, "{call:?}: {request}");
        assert!(reply <= REPLY_FACTOR * MESSAGE_BYTES + SPARE, "{call:?}: {reply}");
    }
}

struct DecodeArgument<'a>(&'a mut BytesMut);

impl CallVisitor for DecodeArgument<'_> {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        if let Ok(Some(request)) = read_request(self.0, 1 << 20) {
            drop(request.argument::<R::Request>());
        }
    }
}

struct DecodeResult<'a>(&'a mut BytesMut);

impl CallVisitor for DecodeResult<'_> {
    type Out = ();

    fn visit<R: Rpc<Request: Message, Reply: Message>>(self) {
        if let Ok(Some(reply)) = read_reply(self.0, 1 << 20) {
            drop(reply.result::<R::Reply>());
        }
    }
}

#[test]
fn lengths_that_lie_anywhere_in_a_golden_vector_take_no_memory() {
    /// A frame that announces more is given room for it, up to this.
    const AHEAD: usize = 64 * 1024;
    for vector in vectors::all() {
        let call = Call::from_name(vector.rpc.as_bytes()).expect("a call");
        for at in 0..vector.bytes.len() - 3 {
            for lie in [-1, i32::MIN, i32::MAX, i32::MAX - 15, 1 << 20, 1 << 16, 255] {
                let mut input = BytesMut::from(&vector.bytes[..]);
                input[at..at + 4].copy_from_slice(&lie.to_be_bytes());
                let peak = peak(|| match vector.is_request {
                    true => visit_call(call, DecodeArgument(&mut input)).expect("listed"),
                    false => visit_call(call, DecodeResult(&mut input)).expect("listed"),
                });
                let allowed = AHEAD + REPLY_FACTOR * vector.bytes.len() + SPARE;
                assert!(peak <= allowed, "{}, {lie} at {at}: {peak}", vector.name);
            }
        }
    }
}

#[test]
fn announcing_a_long_frame_takes_no_memory_for_it() {
    let mut wire = BytesMut::new();
    write_request(&mut wire, &RequestHeader::default(), Get::NAME, 1, &Bytes::new());
    wire[16..20].copy_from_slice(&(1u32 << 30).to_be_bytes());
    assert!(peak(|| assert_eq!(read_request(&mut wire, 1 << 30), Ok(None))) <= 80 * 1024);
    let mut wire = BytesMut::from(&(1u32 << 30).to_be_bytes()[..]);
    assert!(peak(|| assert_eq!(read_reply(&mut wire, 1 << 30), Ok(None))) <= 80 * 1024);
}

#[test]
fn a_frame_that_arrives_in_pieces_takes_a_few_times_its_length_and_its_values_nothing_more() {
    let value = Bytes::from(vec![7; 1 << 20]);
    let mut wire = BytesMut::new();
    write_request(&mut wire, &RequestHeader::default(), Get::NAME, 1, &value);
    let peak_of_request = peak(|| {
        let (mut requests, failed) = super::checks::frames(&wire, 1400, |input| read_request(input, 1 << 21));
        assert!(requests.remove(0).argument() == Ok(value.clone()) && !failed);
    });
    assert!(peak_of_request <= 4 * wire.len() + 80 * 1024, "{peak_of_request}");
    let mut wire = BytesMut::new();
    write_reply(&mut wire, Get::NAME.as_bytes(), 1, &value);
    let peak_of_decoding = peak(|| {
        let reply = read_reply(&mut wire, 1 << 21).expect("a reply").expect("a whole one");
        assert!(reply.result() == Ok(value));
    });
    assert!(peak_of_decoding <= 1024, "{peak_of_decoding}");
}
