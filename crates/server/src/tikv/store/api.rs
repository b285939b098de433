//! API versions: which requests are served, under which rules, and what is wrong with those that are not.
//!
//! Checked in the original's order and refused in its words, which stand in the `error` of a reply, or in the `abort` of a key's error
//! where a reply has none.

use std::fmt;

use bytes::Bytes;
use charioteer_engine::raw::{Family, Keys, MAX_KEY_BYTES};
use charioteer_proto::tikv::kvrpcpb::{ApiVersion, Context, KeyRange};

use super::super::TikvApi;
use super::super::cluster::hex;

/// The version under which a request is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V1Ttl,
    V2,
}

/// What a command is called in errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name(pub(super) &'static str);

/// A version that a request names, known or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named(i32);

impl Named {
    pub(super) const fn new(version: i32) -> Self {
        Self(version)
    }
}

/// A rule that a request breaks. `Debug` is what the original's errors of keys say, so that names are its names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    KeyTooLarge { size: usize, limit: usize },
    InvalidCf(String),
    CfDeprecated(String),
    TtlNotEnabled,
    TtlLenNotEqualsToPairs,
    ApiVersionNotMatched { cmd: Name, storage_api_version: ApiVersion, req_api_version: Named },
    InvalidKeyMode { cmd: Name, storage_api_version: ApiVersion, key: String },
    InvalidKeyRangeMode { cmd: Name, storage_api_version: ApiVersion, range: (Option<String>, Option<String>) },
    Other(String),
}

impl TikvApi {
    /// The version under which a raw command with this context is served.
    pub(super) fn admit_raw(self, cmd: Name, context: Option<&Context>) -> Result<Version, Rule> {
        let named = Named(context.map_or(0, |context| context.api_version));
        let refused =
            |storage_api_version| Err(Rule::ApiVersionNotMatched { cmd, storage_api_version, req_api_version: named });
        match (self, ApiVersion::try_from(named.0)) {
            (Self::V1, Ok(ApiVersion::V1)) => Ok(Version::V1),
            (Self::V1Ttl, Ok(ApiVersion::V1)) | (Self::Any, Ok(ApiVersion::V1 | ApiVersion::V1ttl)) => {
                Ok(Version::V1Ttl)
            }
            (Self::V2 | Self::Any, Ok(ApiVersion::V2)) => Ok(Version::V2),
            (Self::V1, _) => refused(ApiVersion::V1),
            (Self::V1Ttl | Self::Any, _) => refused(ApiVersion::V1ttl),
            (Self::V2, _) => refused(ApiVersion::V2),
        }
    }
}

impl TikvApi {
    /// The version by which raw keys lie that a request names, whatever it may do.
    pub(super) fn of_raw_keys(self, context: Option<&Context>) -> Version {
        let is_v2 = context.is_some_and(|context| context.api_version == ApiVersion::V2 as i32);
        match self {
            Self::V1 => Version::V1,
            Self::V2 => Version::V2,
            Self::Any if is_v2 => Version::V2,
            Self::V1Ttl | Self::Any => Version::V1Ttl,
        }
    }
}

impl Version {
    /// Where rows of this version lie.
    pub(super) const fn keys(self) -> Keys {
        match self {
            Self::V1 | Self::V1Ttl => Keys::Plain,
            Self::V2 => Keys::Prefixed,
        }
    }

    /// The column family of that name.
    pub(super) fn family(self, cf: &str) -> Result<Family, Rule> {
        match (self, Family::from_name(cf)) {
            (Self::V2, _) if !cf.is_empty() => Err(Rule::CfDeprecated(cf.to_owned())),
            (_, Some(family)) => Ok(family),
            (_, None) => Err(Rule::InvalidCf(cf.to_owned())),
        }
    }

    /// Refuses lifetimes where there are none.
    pub(super) fn check_ttls(self, ttls: &[u64]) -> Result<(), Rule> {
        if self == Self::V1 && ttls.iter().any(|ttl| *ttl != 0) { Err(Rule::TtlNotEnabled) } else { Ok(()) }
    }

    /// Refuses keys that are no raw keys of this version.
    pub(super) fn check_keys<'a>(self, cmd: Name, keys: impl IntoIterator<Item = &'a Bytes>) -> Result<(), Rule> {
        let mut wrong = keys.into_iter().filter(|key| self == Self::V2 && key.first() != Some(&RAW));
        wrong
            .next()
            .map_or(Ok(()), |key| Err(Rule::InvalidKeyMode { cmd, storage_api_version: ApiVersion::V2, key: hex(key) }))
    }

    /// Refuses a range that reaches beyond the raw keys of this version; `None` is a bound that was not given.
    pub(super) fn check_range(self, cmd: Name, start: &Bytes, end: Option<&Bytes>) -> Result<(), Rule> {
        let is_raw = match (start.first(), end.and_then(|end| end.split_first())) {
            (Some(&RAW), Some((&RAW, _))) => true,
            // Just behind the last raw key there can be.
            (Some(&RAW), Some((&last, rest))) => last == RAW + 1 && rest.is_empty(),
            _ => false,
        };
        if self != Self::V2 || is_raw {
            return Ok(());
        }
        let range = (Some(hex(start)), end.map(|end| hex(end)));
        Err(Rule::InvalidKeyRangeMode { cmd, storage_api_version: ApiVersion::V2, range })
    }

    /// The same for several ranges, the bounds of which are all given.
    pub(super) fn check_ranges(self, cmd: Name, ranges: &[KeyRange]) -> Result<(), Rule> {
        ranges.iter().try_for_each(|range| self.check_range(cmd, &range.start_key, Some(&range.end_key)))
    }
}

/// What raw keys of version 2 begin with.
const RAW: u8 = b'r';

/// Refuses keys that are too long to be written.
pub(super) fn check_key_sizes<'a>(keys: impl IntoIterator<Item = &'a Bytes>) -> Result<(), Rule> {
    let too_long = keys.into_iter().find(|key| key.len() > MAX_KEY_BYTES);
    too_long.map_or(Ok(()), |key| Err(Rule::KeyTooLarge { size: key.len(), limit: MAX_KEY_BYTES }))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MODE: &str = "Key mode mismatched with the request mode";
        match self {
            Self::KeyTooLarge { size, limit } => write!(f, "max key size exceeded, size: {size}, limit: {limit}"),
            Self::InvalidCf(cf) => write!(f, "invalid cf name: {cf}"),
            Self::CfDeprecated(cf) => write!(f, "cf is deprecated in API V2, cf name: {cf}"),
            Self::TtlNotEnabled => f.write_str("ttl is not enabled, but get put request with ttl"),
            Self::TtlLenNotEqualsToPairs => f.write_str("The length of ttls does not equal to the length of pairs"),
            Self::ApiVersionNotMatched { cmd, storage_api_version, req_api_version } => write!(
                f,
                "Api version in request does not match with TiKV storage, cmd: {cmd:?}, storage: {storage_api_version:?}, \
                 request: {req_api_version:?}"
            ),
            Self::InvalidKeyMode { cmd, storage_api_version, key } => {
                write!(f, "{MODE}, cmd: {cmd:?}, storage: {storage_api_version:?}, key: {key}")
            }
            Self::InvalidKeyRangeMode { cmd, storage_api_version, range } => {
                write!(f, "{MODE}, cmd: {cmd:?}, storage: {storage_api_version:?}, range: {range:?}")
            }
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ApiVersion::try_from(self.0) {
            Ok(version) => version.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}
