//! How much memory a message may take: a stated multiple of its own length, whatever it says.
//!
//! An empty element of a list is two bytes on the wire, so the danger are lists of those.

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key};

use super::table::{Message, Visitor, folded, messages};
use super::vectors;
use crate::memory::peak;

/// What a client can make a server take for each byte of a request: most by commands of a batch that say nothing.
const REQUEST_FACTOR: usize = 110;
/// What a server can make a client take for each byte of a reply: most by locks within locks.
const REPLY_FACTOR: usize = 220;
/// And what a short message may take beyond that.
const SPARE: usize = 4 * 1024;

/// Long enough for the factor to show.
const ELEMENTS: usize = 512;

/// How much memory decoding takes at most, the message not counted.
struct Peak(Bytes);

impl Visitor for Peak {
    type Out = usize;

    fn visit<M: Message>(self) -> usize {
        peak(|| drop(M::decode(self.0)))
    }
}

/// A list in which each element has that content.
fn crowd(number: u32, content: &[u8]) -> Bytes {
    let mut wire = BytesMut::new();
    for _ in 0..ELEMENTS {
        encode_key(number, WireType::LengthDelimited, &mut wire);
        prost::encode_length_delimiter(content.len(), &mut wire).expect("it fits");
        wire.put_slice(content);
    }
    wire.freeze()
}

/// Nothing, and one empty field of each number.
fn contents() -> Vec<Bytes> {
    let one = |number| {
        let mut content = BytesMut::new();
        encode_key(number, WireType::LengthDelimited, &mut content);
        content.put_u8(0);
        content.freeze()
    };
    [Bytes::new()].into_iter().chain((1..=22).chain([100]).map(one)).collect()
}

#[test]
fn a_crowd_of_short_elements_takes_no_more_than_a_stated_multiple_of_its_length() {
    let (rows, contents) = (messages::<Peak>(), contents());
    for vector in vectors::all() {
        let (_, peak) = rows.iter().find(|(name, _)| folded(name) == folded(&vector.name)).expect("in the table");
        let factor = if vector.name.contains("Request") { REQUEST_FACTOR } else { REPLY_FACTOR };
        for (&number, field) in &vector.fields {
            for content in &contents {
                let wire = crowd(number, content);
                let (length, taken) = (wire.len(), peak(Peak(wire)));
                assert!(taken <= factor * length + SPARE, "{}.{field}: {taken} bytes for {length}", vector.name);
            }
        }
    }
}
