//! Raw values as a store keeps them: with what the API versions put behind them.
//!
//! ```text
//! V1      value
//! V1TTL   value | seconds since 1970 when it expires (8 bytes, the highest first; 0 for never)
//! V2      value | [when it expires] | flags (1: expires, 2: deleted)
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::kvrpcpb::ApiVersion;
use crate::{DecodeError, DecodeFailure};

const EXPIRES: u8 = 1;
const DELETED: u8 = 2;

/// A raw value and what is known about it.
///
/// ```
/// use charioteer_proto::tikv::kvrpcpb::ApiVersion;
/// use charioteer_proto::tikv::value::RawValue;
///
/// let value = RawValue { value: "v".into(), expires_at: 2, deleted: false };
/// let stored = value.encode(ApiVersion::V2);
/// assert_eq!(&stored[..], b"v\0\0\0\0\0\0\0\x02\x01");
/// assert_eq!(RawValue::decode(ApiVersion::V2, &stored).unwrap(), value);
/// assert!(value.is_visible(1) && !value.is_visible(2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawValue {
    /// The value itself.
    pub value: Bytes,
    /// Seconds since 1970; 0 for never.
    pub expires_at: u64,
    /// Version 2 keeps a mark in the place of what was deleted.
    pub deleted: bool,
}

impl RawValue {
    /// Whether a read at that time, in seconds since 1970, sees it.
    #[must_use]
    pub const fn is_visible(&self, now: u64) -> bool {
        !self.deleted && (self.expires_at == 0 || now < self.expires_at)
    }

    /// The value as it is kept. What the version has no place for is left out.
    #[must_use]
    pub fn encode(&self, version: ApiVersion) -> Bytes {
        let mut stored = BytesMut::with_capacity(self.value.len() + 9);
        stored.put_slice(&self.value);
        match version {
            ApiVersion::V1 => {}
            ApiVersion::V1ttl => stored.put_u64(self.expires_at),
            ApiVersion::V2 | ApiVersion::V3 => self.encode_flags(&mut stored),
        }
        stored.freeze()
    }

    fn encode_flags(&self, stored: &mut BytesMut) {
        let mut flags = 0;
        if self.expires_at > 0 {
            stored.put_u64(self.expires_at);
            flags |= EXPIRES;
        }
        if self.deleted {
            flags |= DELETED;
        }
        stored.put_u8(flags);
    }

    /// The value of what is kept.
    ///
    /// # Errors
    ///
    /// [`DecodeFailure::CutShort`] where the suffix is missing, [`DecodeFailure::Marker`] for a flag that is not known.
    pub fn decode(version: ApiVersion, stored: &Bytes) -> Result<Self, DecodeError> {
        match version {
            ApiVersion::V1 => Ok(Self { value: stored.clone(), ..Self::default() }),
            ApiVersion::V1ttl => Self::decode_expiring(stored, false),
            ApiVersion::V2 | ApiVersion::V3 => Self::decode_flagged(stored),
        }
    }

    fn decode_flagged(stored: &Bytes) -> Result<Self, DecodeError> {
        let (&flags, before) = stored.split_last().ok_or_else(|| failed(stored, DecodeFailure::CutShort))?;
        if flags & !(EXPIRES | DELETED) != 0 {
            return Err(failed(before, DecodeFailure::Marker(flags.into())));
        }
        let (before, deleted) = (stored.slice_ref(before), flags & DELETED != 0);
        if flags & EXPIRES == 0 {
            return Ok(Self { value: before, expires_at: 0, deleted });
        }
        Self::decode_expiring(&before, deleted)
    }

    fn decode_expiring(stored: &Bytes, deleted: bool) -> Result<Self, DecodeError> {
        let (value, &expires) = stored.split_last_chunk().ok_or_else(|| failed(stored, DecodeFailure::CutShort))?;
        Ok(Self { value: stored.slice_ref(value), expires_at: u64::from_be_bytes(expires), deleted })
    }
}

fn failed(before: &[u8], failure: DecodeFailure) -> DecodeError {
    DecodeError { what: "raw value", offset: before.len(), failure }
}
