//! The answer to a scan, of which the rows are read when they are wanted: where they end, and so what comes next, is known before.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;
use prost::{DecodeError, Message};

use super::batch::{Fields, Value};
use super::errorpb;
use super::kvrpcpb::{KvPair, RawScanResponse};
use super::regional::RegionalReply;

const REGION_ERROR: u32 = 1;
const PAIRS: u32 = 2;
const KEY: u32 = 2;
const VALUE: u32 = 3;

/// A [`RawScanResponse`] of which the pairs have been counted and not read.
///
/// ```
/// use charioteer_proto::tikv::Message;
/// use charioteer_proto::tikv::kvrpcpb::{KvPair, RawScanResponse};
/// use charioteer_proto::tikv::scan::ScanAnswer;
///
/// let pairs = ["a", "b"].map(|key| KvPair { key: key.into(), value: "1".into(), ..KvPair::default() });
/// let wire = RawScanResponse { kvs: pairs.to_vec(), ..RawScanResponse::default() }.encode_to_vec();
///
/// let answer = ScanAnswer::read(wire.into())?;
/// assert_eq!((answer.len(), answer.last_key().as_deref()), (2, Some(&b"b"[..])));
/// assert_eq!(answer.pairs()?, pairs);
/// # Ok::<(), prost::DecodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScanAnswer {
    region_error: Option<Box<errorpb::Error>>,
    message: Bytes,
    pairs: usize,
    last: Range<usize>,
}

impl ScanAnswer {
    /// Counts the pairs of a message.
    ///
    /// # Errors
    /// When it is none, as far as that shows.
    pub fn read(message: Bytes) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(&message, 0..message.len());
        let (mut pairs, mut last) = (0, 0..0);
        loop {
            match fields.next() {
                Ok(Some((PAIRS, Value::Bytes(pair)))) => {
                    pairs += 1;
                    last = pair;
                }
                Ok(Some((REGION_ERROR, _))) | Err(_) => return Self::decoded(message),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Self { region_error: None, message, pairs, last }),
            }
        }
    }

    /// The way of answers that are not all well, which are short or wrong.
    fn decoded(message: Bytes) -> Result<Self, DecodeError> {
        let mut answer = RawScanResponse::decode(message)?;
        let region_error = answer.region_error.take();
        let message = Bytes::from(answer.encode_to_vec());
        Ok(Self { region_error, ..Self::read(message)? })
    }

    /// How many pairs there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pairs
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.message.len()
    }

    /// The key of the last pair; empty if that has none.
    #[must_use]
    pub fn last_key(&self) -> Option<Bytes> {
        let mut fields = Fields::new(&self.message, self.last.clone());
        let mut key = Bytes::new();
        while let Ok(Some((tag, value))) = fields.next() {
            if let (KEY, Value::Bytes(at)) = (tag, value) {
                key = self.message.slice(at);
            }
        }
        (self.pairs > 0).then_some(key)
    }

    /// Reads the pairs.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn pairs(&self) -> Result<Vec<KvPair>, DecodeError> {
        let mut pairs = Vec::with_capacity(self.pairs);
        let mut fields = Fields::new(&self.message, 0..self.message.len());
        // The message was read to its end before.
        while let Ok(Some((tag, value))) = fields.next() {
            if let (PAIRS, Value::Bytes(at)) = (tag, value) {
                pairs.push(self.pair(at)?);
            }
        }
        Ok(pairs)
    }

    fn pair(&self, at: Range<usize>) -> Result<KvPair, DecodeError> {
        let mut pair = KvPair::default();
        let mut fields = Fields::new(&self.message, at.clone());
        loop {
            match fields.next() {
                Ok(Some((KEY, Value::Bytes(key)))) => pair.key = self.message.slice(key),
                Ok(Some((VALUE, Value::Bytes(value)))) => pair.value = self.message.slice(value),
                Ok(None) => return Ok(pair),
                // It has something else, or is none.
                _ => return KvPair::decode(self.message.slice(at)),
            }
        }
    }
}

impl RegionalReply for ScanAnswer {
    fn region_error(&self) -> Option<&errorpb::Error> {
        self.region_error.as_deref()
    }

    fn take_region_error(&mut self) -> Option<Box<errorpb::Error>> {
        self.region_error.take()
    }

    fn refused(error: errorpb::Error) -> Self {
        Self { region_error: Some(Box::new(error)), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::super::kvrpcpb::KeyError;
    use super::*;

    #[test]
    fn an_error_of_the_region_is_read_wherever_it_stands() {
        let error = errorpb::Error { message: "busy".into(), ..errorpb::Error::default() };
        let pair = KvPair { key: "a".into(), ..KvPair::default() };
        let mut wire = RawScanResponse { kvs: vec![pair.clone()], ..RawScanResponse::default() }.encode_to_vec();
        wire.extend(RawScanResponse::refused(error.clone()).encode_to_vec());
        let mut answer = ScanAnswer::read(wire.into()).unwrap();
        assert_eq!(answer.take_region_error().as_deref(), Some(&error));
        assert_eq!((answer.len(), answer.pairs().unwrap()), (1, vec![pair]));
    }

    #[test]
    fn pairs_are_read_as_those_of_other_answers_whatever_they_have() {
        let error = KeyError { abort: "no".into(), ..KeyError::default() };
        let pairs = vec![
            KvPair { key: "a".into(), value: "1".into(), ..KvPair::default() },
            KvPair::default(),
            KvPair { key: "b".into(), commit_ts: 7, ..KvPair::default() },
            KvPair { error: Some(Box::new(error)), ..KvPair::default() },
        ];
        let mut wire = RawScanResponse { kvs: pairs, ..RawScanResponse::default() }.encode_to_vec();
        // One with its key twice, of which the last counts, and a field that nobody knows, and one beside it.
        wire.extend(b"\x12\x09\x12\x01x\x12\x01y\xf8\x01\x05\xf8\x01\x05");
        let pairs = ScanAnswer::read(wire.clone().into()).unwrap().pairs().unwrap();
        assert_eq!(pairs.len(), 5);
        assert_eq!(pairs, RawScanResponse::decode(&wire[..]).unwrap().kvs);
    }

    #[test]
    fn what_is_no_message_is_refused_at_once_or_when_its_pairs_are_read() {
        assert!(ScanAnswer::read(Bytes::from_static(b"\x12\x05ab")).is_err());
        let answer = ScanAnswer::read(Bytes::from_static(b"\x12\x02\x12\x05")).unwrap();
        assert_eq!(answer.last_key().as_deref(), Some(&b""[..]));
        assert!(answer.pairs().is_err());
    }

    #[test]
    fn an_empty_answer_has_no_last_key() {
        let answer = ScanAnswer::read(Bytes::new()).unwrap();
        assert!(answer.is_empty() && answer.last_key().is_none() && answer.pairs().unwrap().is_empty());
    }
}
