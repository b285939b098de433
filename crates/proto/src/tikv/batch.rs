//! The messages of [`BatchCommands`](super::rpc::BatchCommands), written and read one command at a time.
//!
//! A message with many requests is those of its parts one behind the other, so that each caller can append its own, and an answer need not
//! be decoded to know whose it is.
//!
//! ```
//! use bytes::BytesMut;
//! use charioteer_proto::tikv::batch::{Answers, Packable};
//! use charioteer_proto::tikv::kvrpcpb::RawGetRequest;
//! use charioteer_proto::tikv::rpc::RawGet;
//! use charioteer_proto::tikv::tikvpb::BatchCommandsRequest;
//! use charioteer_proto::tikv::Message;
//!
//! let mut message = BytesMut::new();
//! for id in [7, 8] {
//!     let request = RawGetRequest { key: "k".into(), ..RawGetRequest::default() };
//!     Packable::<RawGet>::new(&request).append(&mut message, id);
//! }
//! assert_eq!(BatchCommandsRequest::decode(message.freeze())?.request_ids, [7, 8]);
//!
//! let mut answers = Answers::default();
//! answers.read(b"\x0a\x04\x6a\x02\x12\x00\x12\x01\x07").unwrap();
//! let (id, answer) = answers.iter().next().unwrap();
//! assert_eq!((id, answer.command, answer.bytes), (7, Some(13), 4..6));
//! # Ok::<(), prost::DecodeError>(())
//! ```

use alloc::vec::Vec;
use core::ops::Range;

use bytes::BytesMut;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::kvrpcpb::HealthFeedback;
use super::rpc::Batched;
use crate::{DecodeError, DecodeFailure};

const REQUESTS: u32 = 1;
const REQUEST_IDS: u32 = 2;
const ANSWERS: u32 = 1;
const ANSWER_IDS: u32 = 2;
const LOAD: u32 = 3;
const HEALTH: u32 = 4;

/// Four keys and three numbers.
const MAX_OVERHEAD: usize = 4 * 2 + 3 * 10;

/// A request that is to be appended to a message, of which it is known how long it is.
#[derive(Debug)]
pub struct Packable<'a, M: Batched> {
    request: &'a M::Request,
    length: usize,
}

impl<'a, M: Batched> Packable<'a, M> {
    /// Measures a request.
    pub fn new(request: &'a M::Request) -> Self {
        Self { request, length: request.encoded_len() }
    }

    /// How many bytes it takes in a message, at most.
    #[must_use]
    pub const fn max_len(&self) -> usize {
        self.length + MAX_OVERHEAD
    }

    /// Appends it to a message.
    pub fn append(&self, message: &mut BytesMut, id: u64) {
        let whole = key_len(M::COMMAND) + encoded_len_varint(self.length as u64) + self.length;
        message.reserve(self.max_len());
        encode_key(REQUESTS, WireType::LengthDelimited, message);
        encode_varint(whole as u64, message);
        encode_key(M::COMMAND, WireType::LengthDelimited, message);
        encode_varint(self.length as u64, message);
        self.request.encode_raw(message);
        encode_key(REQUEST_IDS, WireType::Varint, message);
        encode_varint(id, message);
    }
}

/// What a message from a server holds, not decoded any further than it takes to tell whose each answer is. It is to be used for the
/// next message too, so that it takes no more memory.
#[derive(Debug, Default)]
pub struct Answers {
    ids: Vec<u64>,
    answers: Vec<Packed>,
    /// How the server feels, where it says so.
    pub health: Option<HealthFeedback>,
    /// How busy the server is with such messages; 0 where it does not say.
    pub load: u64,
}

/// An answer that has not been decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The number of the command that it answers; `None` if the server did not know the command.
    pub command: Option<u32>,
    /// Where in the message it is.
    pub bytes: Range<usize>,
}

impl Answers {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is none, or has not as many answers as ids; then nothing of it is there.
    pub fn read(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        self.clear();
        let read = self.read_fields(message);
        if read.is_err() {
            self.clear();
        }
        read
    }

    /// The answers, each with the id of its request.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Packed)> {
        self.ids.iter().copied().zip(self.answers.iter().cloned())
    }

    fn clear(&mut self) {
        self.ids.clear();
        self.answers.clear();
        self.health = None;
        self.load = 0;
    }

    fn read_fields(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let mut fields = Fields::new(message, 0..message.len());
        while let Some((tag, value)) = fields.next()? {
            match (tag, value) {
                (ANSWERS, Value::Bytes(bytes)) => self.answers.push(packed(message, bytes)?),
                (ANSWER_IDS, Value::Number(id)) => self.ids.push(id),
                (ANSWER_IDS, Value::Bytes(bytes)) => {
                    let mut packed = Fields::new(message, bytes);
                    while !packed.is_empty() {
                        self.ids.push(packed.varint()?);
                    }
                }
                (LOAD, Value::Number(load)) => self.load = load,
                (HEALTH, Value::Bytes(bytes)) => {
                    let at = bytes.start;
                    let health = HealthFeedback::decode(&message[bytes]);
                    self.health = Some(health.map_err(|_| failed(at, DecodeFailure::CutShort))?);
                }
                _ => {}
            }
        }
        if self.ids.len() == self.answers.len() {
            return Ok(());
        }
        Err(failed(message.len(), DecodeFailure::Missing))
    }
}

/// The command's number and place in an answer; the last one counts, should there be several.
fn packed(message: &[u8], bytes: Range<usize>) -> Result<Packed, DecodeError> {
    let mut packed = Packed { command: None, bytes: bytes.end..bytes.end };
    let mut fields = Fields::new(message, bytes);
    while let Some((tag, value)) = fields.next()? {
        if let Value::Bytes(bytes) = value {
            packed = Packed { command: Some(tag), bytes };
        }
    }
    Ok(packed)
}

/// The fields of a part of a message.
pub(super) struct Fields<'a> {
    message: &'a [u8],
    rest: Range<usize>,
}

pub(super) enum Value {
    Number(u64),
    Bytes(Range<usize>),
    /// Of a kind that nothing here has.
    Other,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(message: &'a [u8], rest: Range<usize>) -> Self {
        Self { message, rest }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn next(&mut self) -> Result<Option<(u32, Value)>, DecodeError> {
        if self.is_empty() {
            return Ok(None);
        }
        let begin = self.rest.start;
        let key = self.varint()?;
        let tag = u32::try_from(key >> 3).ok().filter(|tag| *tag > 0);
        let tag = tag.ok_or_else(|| failed(begin, DecodeFailure::Number))?;
        let value = match key.to_le_bytes()[0] & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.skip(8)?,
            2 => {
                let at = self.rest.start;
                let length = self.varint()?;
                let length = usize::try_from(length).ok().filter(|length| *length <= self.rest.len());
                let length = length.ok_or_else(|| failed(at, DecodeFailure::CutShort))?;
                let begin = self.rest.start;
                self.rest.start += length;
                Value::Bytes(begin..begin + length)
            }
            5 => self.skip(4)?,
            kind => return Err(failed(begin, DecodeFailure::UnknownType(kind))),
        };
        Ok(Some((tag, value)))
    }

    fn skip(&mut self, length: usize) -> Result<Value, DecodeError> {
        if self.rest.len() < length {
            return Err(failed(self.rest.start, DecodeFailure::CutShort));
        }
        self.rest.start += length;
        Ok(Value::Other)
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let begin = self.rest.start;
        let mut number = 0;
        for place in 0..10 {
            let Some(byte) = self.message.get(self.rest.start).filter(|_| !self.rest.is_empty()) else {
                return Err(failed(begin, DecodeFailure::CutShort));
            };
            self.rest.start += 1;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(failed(begin, DecodeFailure::Number))
    }
}

fn failed(offset: usize, failure: DecodeFailure) -> DecodeError {
    DecodeError { what: "BatchCommandsResponse", offset, failure }
}
