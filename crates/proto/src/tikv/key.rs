//! Keys as they travel: what the API versions put in front of them, and how PD sees them.
//!
//! | layout | on the wire | a boundary at PD |
//! |---|---|---|
//! | V1, raw (also V1TTL) | the key | the key |
//! | V1, transactions | the key | memcomparable |
//! | V2, raw | `r`, keyspace, key | memcomparable, with the prefix |
//! | V2, transactions | `x`, keyspace, key | memcomparable, with the prefix |
//!
//! A keyspace is three bytes, the highest first.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::kvrpcpb::ApiVersion;
use super::memcomparable;
use crate::{DecodeError, DecodeFailure};

/// The number of a keyspace: 24 bits.
///
/// ```
/// use charioteer_proto::tikv::key::KeyspaceId;
///
/// assert_eq!(KeyspaceId::new(7).map(KeyspaceId::get), Some(7));
/// assert_eq!(KeyspaceId::new(1 << 24), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyspaceId(u32);

impl KeyspaceId {
    /// The keyspace called `DEFAULT`.
    pub const DEFAULT: Self = Self(0);

    /// The keyspace of that number; `None` if there can be none.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number < 1 << 24 { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Whether keys are plain or belong to transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Raw key-value.
    Raw,
    /// Transactions.
    Txn,
}

/// How keys travel.
///
/// ```
/// use bytes::Bytes;
/// use charioteer_proto::tikv::key::{KeyspaceId, Layout, Mode};
///
/// let layout = Layout::V2(Mode::Raw, KeyspaceId::new(1).unwrap());
/// let key = layout.wire_key(b"key");
/// assert_eq!(&key[..], b"r\0\0\x01key");
/// assert_eq!(&layout.user_key(&key).unwrap()[..], b"key");
/// // A range without an end ends where the keyspace does.
/// assert_eq!(layout.wire_range(b"a", b""), (Bytes::from("r\0\0\x01a"), Bytes::from("r\0\0\x02")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Version 1.
    V1(Mode),
    /// Version 1 with lifetimes, raw only.
    V1Ttl,
    /// Version 2, in a keyspace.
    V2(Mode, KeyspaceId),
}

impl Layout {
    /// What a request's context says.
    #[must_use]
    pub const fn api_version(self) -> ApiVersion {
        match self {
            // Requests do not tell the two apart: a store that has lifetimes refuses the other name.
            Self::V1(_) | Self::V1Ttl => ApiVersion::V1,
            Self::V2(..) => ApiVersion::V2,
        }
    }

    /// What a request's context says beside.
    #[must_use]
    pub const fn keyspace(self) -> Option<KeyspaceId> {
        match self {
            Self::V1(_) | Self::V1Ttl => None,
            Self::V2(_, keyspace) => Some(keyspace),
        }
    }

    /// The key as it travels.
    #[must_use]
    pub fn wire_key(self, key: &[u8]) -> Bytes {
        let Some(prefix) = self.prefix() else { return Bytes::copy_from_slice(key) };
        let mut wire = BytesMut::with_capacity(4 + key.len());
        wire.put_u32(prefix);
        wire.put_slice(key);
        wire.freeze()
    }

    /// A range of keys as it travels, the end exclusive; empty bounds mean the lowest and the highest key of the keyspace.
    #[must_use]
    pub fn wire_range(self, start: &[u8], end: &[u8]) -> (Bytes, Bytes) {
        let last = match self.prefix() {
            Some(prefix) if end.is_empty() => Bytes::copy_from_slice(&(prefix + 1).to_be_bytes()),
            _ => self.wire_end(end),
        };
        (self.wire_key(start), last)
    }

    fn wire_end(self, end: &[u8]) -> Bytes {
        if end.is_empty() { Bytes::new() } else { self.wire_key(end) }
    }

    /// The key without what travels before it.
    ///
    /// # Errors
    ///
    /// [`DecodeFailure::Marker`] for a key of another keyspace or mode, with what stands in the place of the prefix, or
    /// [`DecodeFailure::CutShort`].
    pub fn user_key(self, wire: &Bytes) -> Result<Bytes, DecodeError> {
        self.into_user_key(wire.clone())
    }

    /// The same of a key that is not needed any more.
    ///
    /// # Errors
    ///
    /// As [`user_key`](Self::user_key).
    pub fn into_user_key(self, mut wire: Bytes) -> Result<Bytes, DecodeError> {
        let Some(prefix) = self.prefix() else { return Ok(wire) };
        let failed = |failure| DecodeError { what: "key of API version 2", offset: 0, failure };
        let (&found, _) = wire.split_first_chunk().ok_or_else(|| failed(DecodeFailure::CutShort))?;
        let found = u32::from_be_bytes(found);
        if found != prefix {
            return Err(failed(DecodeFailure::Marker(found)));
        }
        wire.advance(4);
        Ok(wire)
    }

    /// A key on the wire as PD orders it: what a region is asked for by, and what its boundaries are.
    #[must_use]
    pub fn pd_key(self, wire: &Bytes) -> Bytes {
        if self.is_literal_at_pd() { wire.clone() } else { memcomparable::encode(wire) }
    }

    /// The part of a region that belongs to the keyspace, as keys without prefix; an empty start is the lowest, an empty end beyond the
    /// highest. `None` if nothing of the region does.
    ///
    /// # Errors
    ///
    /// That of a boundary that is not memcomparable.
    pub fn region(self, start: &Bytes, end: &Bytes) -> Result<Option<(Bytes, Bytes)>, DecodeError> {
        let (start, end) = (self.wire_boundary(start)?, self.wire_boundary(end)?);
        let Some(prefix) = self.prefix() else { return Ok(Some((start, end))) };
        let (first, beyond) = (prefix.to_be_bytes(), (prefix + 1).to_be_bytes());
        let ends_before = !end.is_empty() && end[..] <= first[..];
        if ends_before || start[..] >= beyond[..] {
            return Ok(None);
        }
        // What begins with the prefix lies between the two, and what lies between them begins with it.
        let within =
            |boundary: &Bytes| boundary.strip_prefix(&first).map(|key| boundary.slice_ref(key)).unwrap_or_default();
        Ok(Some((within(&start), within(&end))))
    }

    /// A boundary of a region as a key on the wire, with its prefix; an empty one stays empty.
    ///
    /// # Errors
    ///
    /// That of a boundary that is not memcomparable.
    pub fn wire_boundary(self, boundary: &Bytes) -> Result<Bytes, DecodeError> {
        if boundary.is_empty() || self.is_literal_at_pd() {
            return Ok(boundary.clone());
        }
        let (key, rest) = memcomparable::decode(boundary)?;
        if rest.is_empty() {
            return Ok(key.into());
        }
        let failure = DecodeFailure::Trailing(rest.len());
        Err(DecodeError { what: "region boundary", offset: boundary.len() - rest.len(), failure })
    }

    const fn is_literal_at_pd(self) -> bool {
        matches!(self, Self::V1(Mode::Raw) | Self::V1Ttl)
    }

    /// The four bytes before each key; one more is where the keyspace ends.
    const fn prefix(self) -> Option<u32> {
        match self {
            Self::V1(_) | Self::V1Ttl => None,
            Self::V2(Mode::Raw, KeyspaceId(keyspace)) => Some(u32::from_be_bytes([b'r', 0, 0, 0]) | keyspace),
            Self::V2(Mode::Txn, KeyspaceId(keyspace)) => Some(u32::from_be_bytes([b'x', 0, 0, 0]) | keyspace),
        }
    }
}
