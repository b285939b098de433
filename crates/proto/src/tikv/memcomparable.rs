//! Byte strings whose encodings sort as they do, also with something behind them.
//!
//! Groups of eight bytes, the last one filled up with zeros, each followed by `0xff` less the number of zeros that were added. The last
//! group has at least one: a string of eight bytes is two groups.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{DecodeError, DecodeFailure};

const GROUP: usize = 8;
const FULL: u8 = 0xff;

/// The length of the encoding of that many bytes.
#[must_use]
pub const fn encoded_len(length: usize) -> usize {
    (length / GROUP + 1) * (GROUP + 1)
}

/// Encodes a key.
///
/// ```
/// use charioteer_proto::tikv::memcomparable;
///
/// let encoded = memcomparable::encode(b"a");
/// assert_eq!(&encoded[..], b"a\0\0\0\0\0\0\0\xf8");
/// assert_eq!(memcomparable::decode(&encoded).unwrap(), (b"a".to_vec(), &b""[..]));
/// ```
#[must_use]
pub fn encode(key: &[u8]) -> Bytes {
    let mut encoded = BytesMut::with_capacity(encoded_len(key.len()));
    encode_into(key, &mut encoded);
    encoded.freeze()
}

/// Encodes a key behind what is already there.
pub fn encode_into(key: &[u8], out: &mut BytesMut) {
    out.reserve(encoded_len(key.len()));
    let (groups, rest) = key.as_chunks::<GROUP>();
    for group in groups {
        out.put_slice(group);
        out.put_u8(FULL);
    }
    out.put_slice(rest);
    out.put_bytes(0, GROUP - rest.len());
    // `rest` is shorter than a group, so this is one of the eight markers of a last group.
    out.put_u8((rest.len()..GROUP).fold(FULL, |marker, _| marker - 1));
}

/// The key that the bytes begin with, and what stands behind it.
///
/// # Errors
///
/// [`DecodeFailure::CutShort`] where no group is the last, [`DecodeFailure::Marker`] for a marker or a filling that no encoder writes.
pub fn decode(encoded: &[u8]) -> Result<(Vec<u8>, &[u8]), DecodeError> {
    let mut key = Vec::with_capacity(encoded.len() / (GROUP + 1) * GROUP);
    let (groups, _) = encoded.as_chunks::<{ GROUP + 1 }>();
    for (index, &[ref group @ .., marker]) in groups.iter().enumerate() {
        let end = (index + 1) * (GROUP + 1);
        let used = GROUP.checked_sub(usize::from(FULL - marker)).ok_or_else(|| failed(end - 1, marker))?;
        let (bytes, filling) = group.split_at(used);
        if let Some(&byte) = filling.iter().find(|&&byte| byte != 0) {
            return Err(failed(end - 1 - filling.len(), byte));
        }
        key.extend_from_slice(bytes);
        if marker != FULL {
            return Ok((key, &encoded[end..]));
        }
    }
    Err(DecodeError { what: WHAT, offset: encoded.len(), failure: DecodeFailure::CutShort })
}

const WHAT: &str = "memcomparable key";

fn failed(offset: usize, byte: u8) -> DecodeError {
    DecodeError { what: WHAT, offset, failure: DecodeFailure::Marker(byte.into()) }
}
