//! Where the rows of a key lie: under its memcomparable form, which no other key's form begins with, and behind that a
//! timestamp, the latest first.

use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;

use super::MAX_KEY_BYTES;
use crate::Error;

/// Keys are cut in groups of so many bytes.
const GROUP: usize = 8;

/// Stands behind a group that is full and has another one behind it.
const FULL: u8 = 0xff;

const TS_BYTES: usize = size_of::<u64>();

/// A stored key to look up, which most often fits the stack.
pub(super) type LookupKey = SmallVec<[u8; 96]>;

/// A user's key in its memcomparable form: groups of eight bytes, each with a byte behind it that says how many of them
/// belong to the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EncodedKey(Bytes);

impl EncodedKey {
    pub(super) fn of(key: &[u8]) -> Self {
        let mut encoded = BytesMut::with_capacity(encoded_len(key));
        let mut groups = key.chunks_exact(GROUP);
        for group in groups.by_ref() {
            encoded.put_slice(group);
            encoded.put_u8(FULL);
        }
        let rest = groups.remainder();
        let padding = GROUP - rest.len();
        encoded.put_slice(rest);
        encoded.put_bytes(0, padding);
        encoded.put_u8(FULL - u8::try_from(padding).unwrap_or(0));
        Self(encoded.freeze())
    }

    /// Whether a row may lie under it.
    pub(super) fn is_storable(&self) -> bool {
        self.0.len() <= MAX_KEY_BYTES
    }

    /// As a lock lies.
    pub(super) const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// As a version lies.
    pub(super) fn at(&self, ts: u64) -> Bytes {
        let mut stored = BytesMut::with_capacity(self.0.len() + TS_BYTES);
        stored.put_slice(&self.0);
        stored.put_u64(!ts);
        stored.freeze()
    }

    /// As a version lies, to look for it.
    pub(super) fn lookup_at(&self, ts: u64) -> LookupKey {
        let mut stored = LookupKey::with_capacity(self.0.len() + TS_BYTES);
        stored.extend_from_slice(&self.0);
        stored.extend_from_slice(&(!ts).to_be_bytes());
        stored
    }

    /// The user's key.
    pub(super) fn decode(&self) -> Result<Bytes, Error> {
        decode(&self.0)
    }

    /// A stored lock's key.
    pub(super) const fn stored(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// Refuses a key that is too long to be written.
pub(super) fn check_key(key: &[u8]) -> Result<(), Error> {
    if encoded_len(key) <= MAX_KEY_BYTES { Ok(()) } else { Err(Error::MvccKey { len: key.len() }) }
}

/// How long the form of a key is.
const fn encoded_len(key: &[u8]) -> usize {
    (key.len() / GROUP + 1) * (GROUP + 1)
}

/// The key and the timestamp of a stored version.
pub(super) fn split(stored: &Bytes) -> Result<(EncodedKey, u64), Error> {
    let at = stored.len().checked_sub(TS_BYTES).ok_or(DAMAGED)?;
    let ts = stored.last_chunk().map_or(0, |ts| !u64::from_be_bytes(*ts));
    Ok((EncodedKey(stored.slice(..at)), ts))
}

/// Whether a stored version is one of that key; and at which timestamp, if so.
pub(super) fn ts_of(stored: &[u8], key: &EncodedKey) -> Option<u64> {
    let ts = stored.strip_prefix(&key.0[..])?;
    Some(!u64::from_be_bytes(ts.try_into().ok()?))
}

const DAMAGED: Error = Error::Corrupt { what: "key of a version" };

fn decode(encoded: &[u8]) -> Result<Bytes, Error> {
    let mut key = BytesMut::with_capacity(encoded.len() / (GROUP + 1) * GROUP);
    let groups = encoded.chunks_exact(GROUP + 1);
    if !groups.remainder().is_empty() {
        return Err(DAMAGED);
    }
    let mut is_over = false;
    for group in groups {
        let (marker, bytes) = group.split_last().ok_or(DAMAGED)?;
        let taken = GROUP.checked_sub(usize::from(FULL - marker)).filter(|_| !is_over).ok_or(DAMAGED)?;
        is_over = taken < GROUP;
        key.put_slice(bytes.get(..taken).ok_or(DAMAGED)?);
    }
    if is_over { Ok(key.freeze()) } else { Err(DAMAGED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_ordered_as_their_keys_and_lead_back_to_them() {
        let mut keys: Vec<Vec<u8>> = vec![vec![], vec![0], b"12345678".to_vec(), b"123456789".to_vec(), vec![255; 8]];
        keys.extend([vec![0; 8], vec![0; 9], b"1234567\0".to_vec(), b"1234567".to_vec(), vec![255; 20]]);
        keys.sort();
        let encoded: Vec<EncodedKey> = keys.iter().map(|key| EncodedKey::of(key)).collect();
        assert!(encoded.is_sorted());
        for (key, encoded) in keys.iter().zip(&encoded) {
            assert_eq!(encoded.decode().unwrap(), key);
            let (split, ts) = split(&encoded.at(7)).unwrap();
            assert_eq!((&split, ts), (encoded, 7));
        }
        assert_eq!(&EncodedKey::of(b"12345678").0[..], b"12345678\xff\0\0\0\0\0\0\0\0\xf7");
    }

    #[test]
    fn versions_lie_the_latest_first_and_within_their_key() {
        let key = EncodedKey::of(b"a");
        assert!(
            key.at(u64::MAX) < key.at(9) && key.at(9) < key.at(8) && key.at(0) < EncodedKey::of(b"a\0").at(u64::MAX)
        );
        assert_eq!(ts_of(&key.at(5), &key), Some(5));
        assert_eq!(key.lookup_at(5)[..], key.at(5)[..]);
        assert_eq!(ts_of(&EncodedKey::of(b"b").at(5), &key), None);
    }

    #[test]
    fn what_is_no_form_of_a_key_is_refused() {
        for encoded in
            [&b""[..], b"12345678", b"12345678\xff", b"12345678\xf6", b"1\0\0\0\0\0\0\0\xf81\0\0\0\0\0\0\0\xf8"]
        {
            assert!(decode(encoded).is_err(), "{encoded:?}");
        }
    }
}
