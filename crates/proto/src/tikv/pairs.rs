//! Answers full of pairs, whose pairs can be written as they travel while they are found: who answers with thousands of rows neither keeps
//! nor measures one by one.
//!
//! ```
//! use charioteer_proto::tikv::Message;
//! use charioteer_proto::tikv::kvrpcpb::{KvPair, RawScanResponse};
//! use charioteer_proto::tikv::pairs::WrittenPairs;
//!
//! let mut written = WrittenPairs::default();
//! written.push(b"a", b"1");
//! written.push(b"b", b"");
//! let wire = RawScanResponse { written, ..RawScanResponse::default() }.encode_to_vec();
//!
//! let pair = |key: &'static str, value: &'static str| KvPair { key: key.into(), value: value.into(), ..KvPair::default() };
//! assert_eq!(RawScanResponse::decode(&wire[..])?.kvs, [pair("a", "1"), pair("b", "")]);
//! # Ok::<(), prost::DecodeError>(())
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType, encoded_len_varint};
use prost::{DecodeError, Message};

use super::errorpb;
use super::kvrpcpb::KvPair;

const REGION_ERROR: u32 = 1;
/// The pairs' number in each of the answers.
const PAIRS: u8 = 2;
const PAIRS_TAG: u32 = PAIRS as u32;
const KEY: u8 = 2;
const VALUE: u8 = 3;

/// Pairs as they travel in an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenPairs {
    bytes: Vec<u8>,
}

impl WrittenPairs {
    /// Writes a pair behind those that are there.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        let length = field_len(key) + field_len(value);
        self.bytes.reserve(MAX_AROUND + length);
        self.put_head(PAIRS, length);
        self.put(KEY, key);
        self.put(VALUE, value);
    }

    /// How many bytes they are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is empty is not written, as in all messages.
    fn put(&mut self, tag: u8, field: &[u8]) {
        if !field.is_empty() {
            self.put_head(tag, field.len());
            self.bytes.extend_from_slice(field);
        }
    }

    /// What prost would put, which is not made for so much of it.
    fn put_head(&mut self, tag: u8, length: usize) {
        self.bytes.push(tag << 3 | WireType::LengthDelimited as u8);
        let mut rest = length;
        while rest >= 0x80 {
            self.bytes.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest.to_le_bytes()[0]);
    }
}

/// What stands before a pair, at most.
const MAX_AROUND: usize = 1 + 10;

fn field_len(field: &[u8]) -> usize {
    if field.is_empty() { 0 } else { 1 + encoded_len_varint(field.len() as u64) + field.len() }
}

/// Messages of an error of the region and pairs, as prost would make them but for [`WrittenPairs`].
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident { $pairs:ident })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            /// Why there is nothing else.
            pub region_error: Option<Box<errorpb::Error>>,
            /// The pairs; those of a message that was read are all here.
            pub $pairs: Vec<KvPair>,
            /// Pairs behind these.
            pub written: WrittenPairs,
        }

        impl Message for $name {
            fn encode_raw(&self, buffer: &mut impl BufMut) {
                if let Some(error) = &self.region_error {
                    encoding::message::encode(REGION_ERROR, &**error, buffer);
                }
                encoding::message::encode_repeated(PAIRS_TAG, &self.$pairs, buffer);
                buffer.put_slice(&self.written.bytes);
            }

            fn merge_field(
                &mut self,
                tag: u32,
                wire_type: WireType,
                buffer: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                let (merged, field) = match tag {
                    REGION_ERROR => {
                        let error = self.region_error.get_or_insert_default();
                        (encoding::message::merge(wire_type, &mut **error, buffer, context), "region_error")
                    }
                    PAIRS_TAG => {
                        let pairs = &mut self.$pairs;
                        (encoding::message::merge_repeated(wire_type, pairs, buffer, context), stringify!($pairs))
                    }
                    _ => return encoding::skip_field(wire_type, tag, buffer, context),
                };
                merged.map_err(|mut error| {
                    error.push(stringify!($name), field);
                    error
                })
            }

            fn encoded_len(&self) -> usize {
                let error = self.region_error.as_ref();
                error.map_or(0, |error| encoding::message::encoded_len(REGION_ERROR, &**error))
                    + encoding::message::encoded_len_repeated(PAIRS_TAG, &self.$pairs)
                    + self.written.len()
            }

            fn clear(&mut self) {
                *self = Self::default();
            }
        }
    )*};
}

answers! {
    /// The answer to a scan.
    RawScanResponse { kvs }
    /// The answer to scans of several ranges.
    RawBatchScanResponse { kvs }
    /// The answer to gets of several keys: only the pairs that exist.
    RawBatchGetResponse { pairs }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::kvrpcpb::{RawBatchGetResponse, RawScanResponse};
    use super::*;

    /// Of a length around those that take one byte more to say.
    fn pairs() -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let lengths = [0, 1, 15, 123, 124, 127, 128, 16_379, 16_383, 16_384, 1 << 21];
        lengths.into_iter().flat_map(move |value| [0, 1, 127, 128].map(|key| (vec![1; key], vec![2; value])))
    }

    #[test]
    fn written_pairs_are_those_that_messages_have() {
        for (key, value) in pairs() {
            let mut written = WrittenPairs::default();
            assert!(written.is_empty());
            written.push(&key, &value);
            let written = RawScanResponse { written, ..RawScanResponse::default() };
            let pair = KvPair { key: key.into(), value: value.into(), ..KvPair::default() };
            let made = RawScanResponse { kvs: vec![pair], ..RawScanResponse::default() };
            assert_eq!(written.encoded_len(), written.written.len());
            assert!(written.encode_to_vec() == made.encode_to_vec());
        }
    }

    #[test]
    fn pairs_come_before_those_that_are_written_and_all_of_them_behind_the_error() {
        let pair = |key: &'static str| KvPair { key: key.into(), ..KvPair::default() };
        let mut written = WrittenPairs::default();
        written.push(b"b", b"");
        let region_error = Some(Box::new(errorpb::Error { message: "busy".into(), ..errorpb::Error::default() }));
        let answer = RawBatchGetResponse { region_error: region_error.clone(), pairs: vec![pair("a")], written };
        let read = RawBatchGetResponse::decode(&answer.encode_to_vec()[..]).unwrap();
        let pairs = vec![pair("a"), pair("b")];
        assert_eq!(read, RawBatchGetResponse { region_error, pairs, written: WrittenPairs::default() });
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over_and_what_is_no_answer_is_told_with_its_field() {
        assert_eq!(RawScanResponse::decode(&b"\x1a\x01x"[..]), Ok(RawScanResponse::default()));
        let refused = RawScanResponse::decode(&b"\x12\x03\x12\x05"[..]).unwrap_err();
        assert!(alloc::format!("{refused}").contains("RawScanResponse.kvs"), "{refused}");
    }
}
