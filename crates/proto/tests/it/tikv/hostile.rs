//! Messages that end early, lie about their lengths or are no messages get an error, and never a panic.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::checks;
use super::table::{Message, Visitor, folded, messages};
use super::vectors;

/// Whether the bytes are a message.
struct Decodes(Bytes);

impl Visitor for Decodes {
    type Out = bool;

    fn visit<M: Message>(self) -> bool {
        M::decode(self.0).is_ok()
    }
}

#[test]
fn a_message_that_is_cut_short_is_an_error_or_a_shorter_message() {
    let rows = messages::<checks::Reread>();
    for vector in vectors::all() {
        let (_, reread) = rows.iter().find(|(name, _)| folded(name) == folded(&vector.name)).expect("in the table");
        for end in 0..vector.wire.len() {
            reread(checks::Reread(Bytes::copy_from_slice(&vector.wire[..end])));
        }
    }
}

#[test]
fn a_length_that_exceeds_the_message_is_an_error() {
    for (name, decodes) in messages::<Decodes>() {
        for length in [&[0x01][..], &[0x7f], &[0xff, 0xff, 0xff, 0xff, 0x07], &[0xff; 9], &[0xff; 11]] {
            // Field 1 and field 2047, which no message has.
            for key in [&[0x0a][..], &[0xfa, 0x7f]] {
                assert!(!decodes(Decodes([key, length].concat().into())), "{name}");
            }
        }
    }
}

#[test]
fn unknown_fields_are_passed_over() {
    for (name, decodes) in messages::<Decodes>() {
        // Field 2047 as a varint, 64 bits, a length and bytes, and 32 bits.
        let wire = [0xf8, 0x7f, 1, 0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x7f, 2, 1, 2, 0xfd, 0x7f, 1, 2, 3, 4];
        assert!(decodes(Decodes(Bytes::copy_from_slice(&wire))), "{name}");
    }
}

#[test]
fn messages_nested_deeper_than_a_hundred_levels_are_an_error() {
    // LockInfo.shared_lock_infos holds LockInfo.
    let nested = |levels: usize| {
        (0..levels).fold(Vec::new(), |inner, _| {
            let mut outer = vec![0x62];
            prost::encode_length_delimiter(inner.len(), &mut outer).expect("it fits");
            outer.extend(inner);
            outer
        })
    };
    let (_, decodes) = messages::<Decodes>().into_iter().find(|(name, _)| *name == "kvrpcpb.LockInfo").expect("listed");
    assert!(decodes(Decodes(nested(99).into())));
    assert!(!decodes(Decodes(nested(101).into())));
    assert!(!decodes(Decodes(nested(20_000).into())));
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_an_error(data in vec(any::<u8>(), 0..200)) {
        checks::message(&data);
    }

    #[test]
    fn a_golden_message_with_a_changed_byte_is_a_message_or_an_error(
        chosen in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), byte in any::<u8>()
    ) {
        let vectors = vectors::all();
        let vector = chosen.get(&vectors);
        let mut wire = vector.wire.clone();
        if !wire.is_empty() {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        let rows = messages::<checks::Reread>();
        let (_, reread) = rows.iter().find(|(name, _)| folded(name) == folded(&vector.name)).expect("in the table");
        reread(checks::Reread(wire.into()));
    }
}
