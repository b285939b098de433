//! API versions, for transactions: which keys they may have under each.
//!
//! | the store's version | a request of V1 | a request of V2 |
//! |---|---|---|
//! | V1 | any key | refused |
//! | V1TTL | refused | refused |
//! | V2 | those of TiDB, which begin with `m` or `t` | those that begin with `x` |
//! | any | any key | those that begin with `x` |
//!
//! As in the original, only what brings keys into the store or reads them is checked: whoever resolves locks walks over whole regions.

use bytes::Bytes;
use charioteer_engine::raw::MAX_KEY_BYTES;
use charioteer_proto::tikv::kvrpcpb::{ApiVersion, Context};
use charioteer_proto::tikv::memcomparable;

use super::super::TikvApi;
use super::super::cluster::hex;
use super::api::{Name, Named, Rule};

const TXN: u8 = b'x';
const TIDB: [u8; 2] = [b'm', b't'];

/// The keys that a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TxnKeys {
    Any,
    OfTidb,
    OfV2,
}

impl TikvApi {
    /// The keys that a command of a transaction with this context may have.
    pub(super) fn admit_txn(self, cmd: Name, context: Option<&Context>) -> Result<TxnKeys, Rule> {
        let named = context.map_or(0, |context| context.api_version);
        let refused = |storage_api_version| {
            Err(Rule::ApiVersionNotMatched { cmd, storage_api_version, req_api_version: Named::new(named) })
        };
        match (self, ApiVersion::try_from(named)) {
            (Self::V1 | Self::Any, Ok(ApiVersion::V1)) => Ok(TxnKeys::Any),
            (Self::V2, Ok(ApiVersion::V1)) => Ok(TxnKeys::OfTidb),
            (Self::V2 | Self::Any, Ok(ApiVersion::V2)) => Ok(TxnKeys::OfV2),
            (Self::V1 | Self::Any, _) => refused(ApiVersion::V1),
            (Self::V1Ttl, _) => refused(ApiVersion::V1ttl),
            (Self::V2, _) => refused(ApiVersion::V2),
        }
    }
}

impl TxnKeys {
    /// Refuses keys of another kind.
    pub(super) fn check<'a>(self, cmd: Name, keys: impl IntoIterator<Item = &'a Bytes>) -> Result<(), Rule> {
        let wrong = keys.into_iter().find(|key| !self.allow(key));
        wrong.map_or(Ok(()), |key| {
            let key = hex(&memcomparable::encode(key));
            Err(Rule::InvalidKeyMode { cmd, storage_api_version: ApiVersion::V2, key })
        })
    }

    /// Refuses a range that reaches beyond keys of one kind; an empty end is behind all keys.
    pub(super) fn check_range(self, cmd: Name, start: &Bytes, end: &Bytes) -> Result<(), Rule> {
        let is_of_one_kind = match (start.first(), end.split_first()) {
            // Just behind the last key of the kind there can be.
            (Some(first), Some((last, rest))) => {
                first == last || (Some(*last) == first.checked_add(1) && rest.is_empty())
            }
            _ => false,
        };
        if self == Self::Any || (is_of_one_kind && self.allow(start)) {
            return Ok(());
        }
        let told = |key: &Bytes| Some(key).filter(|key| !key.is_empty()).map(|key| hex(&memcomparable::encode(key)));
        let range = (Some(hex(&memcomparable::encode(start))), told(end));
        Err(Rule::InvalidKeyRangeMode { cmd, storage_api_version: ApiVersion::V2, range })
    }

    fn allow(self, key: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::OfTidb => key.first().is_some_and(|first| TIDB.contains(first)),
            Self::OfV2 => key.first() == Some(&TXN),
        }
    }
}

/// Refuses keys that are too long to be written: the original counts the bytes that it stores.
pub(super) fn check_stored_sizes<'a>(keys: impl IntoIterator<Item = &'a Bytes>) -> Result<(), Rule> {
    let mut sizes = keys.into_iter().map(|key| memcomparable::encoded_len(key.len()));
    let too_long = sizes.find(|size| *size > MAX_KEY_BYTES);
    too_long.map_or(Ok(()), |size| Err(Rule::KeyTooLarge { size, limit: MAX_KEY_BYTES }))
}

/// What is told to who asks for a lock that several transactions have.
pub(super) fn no_shared_locks() -> Rule {
    Rule::Other("shared locks are not supported: a key is locked by one transaction at a time".to_owned())
}
