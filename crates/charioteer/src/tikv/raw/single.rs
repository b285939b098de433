//! Calls on one key: get, get_ttl, put, delete, compare_and_swap.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{
    RawCasRequest, RawCasResponse, RawDeleteRequest, RawDeleteResponse, RawGetKeyTtlRequest, RawGetKeyTtlResponse,
    RawGetRequest, RawGetResponse, RawPutRequest, RawPutResponse,
};
use charioteer_proto::tikv::rpc;

use super::client::RawClient;
use super::ttl::{self, Ttl};
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};
use crate::tikv::failure;
use crate::tikv::locate::Place;
use crate::tikv::send::{RegionOperation, Spot};

/// How a key is put.
///
/// ```
/// use std::time::Duration;
/// use charioteer::tikv::PutOptions;
///
/// assert_eq!(PutOptions::default().ttl, None);
/// assert_eq!(PutOptions::ttl(Duration::from_secs(60)).ttl, Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOptions {
    /// How long the key lives, in whole seconds, rounded up; `None` is for ever. Clusters of API version 1 keep no times to live. Default
    /// `None`.
    pub ttl: Option<Duration>,
}

impl PutOptions {
    /// A key that lives so long.
    #[must_use]
    pub const fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl) }
    }
}

/// What came of a compare-and-swap.
///
/// ```
/// use charioteer::tikv::Swap;
///
/// let swap = Swap { swapped: false, previous: Some("another".into()) };
/// assert!(!swap.swapped && swap.previous.is_some());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Whether the value was the expected one, and is the new one now.
    pub swapped: bool,
    /// The value that there was, or `None` if there was none.
    pub previous: Option<Bytes>,
}

impl RawClient {
    /// The value of a key, or `None` when there is no such key.
    ///
    /// # Errors
    /// When no answer was to be had in time, or the cluster has another API version.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        let begun = self.begin(Get::NAME).await?;
        let get = Get { key: begun.wire_key(key), family: self.terms.family.clone() };
        self.run(begun, &get).await
    }

    /// How long a key has still to live, or `None` when there is no such key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_ttl(&self, key: impl AsRef<[u8]>) -> Result<Option<Ttl>, Error> {
        let begun = self.begin(GetTtl::NAME).await?;
        let get = GetTtl { key: begun.wire_key(key), family: self.terms.family.clone() };
        self.run(begun, &get).await
    }

    /// Puts a value under a key, which does not expire, whether or not it did before.
    ///
    /// # Errors
    /// When key or value are too large for the store, the cluster has another API version, or no answer was to be had in time; then the
    /// value may have been put.
    pub async fn put(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<(), Error> {
        self.put_with(key, value, PutOptions::default()).await
    }

    /// Puts a value under a key with a time to live.
    ///
    /// # Errors
    /// As [`put`](Self::put); and when the time to live is nothing, or the cluster keeps none.
    pub async fn put_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        options: PutOptions,
    ) -> Result<(), Error> {
        let ttl = ttl::seconds(Put::NAME, options.ttl)?;
        let begun = self.begin(Put::NAME).await?;
        let request = RawPutRequest {
            context: None,
            key: begun.wire_key(key),
            value: value.into(),
            cf: self.terms.family.clone(),
            ttl,
            for_cas: self.terms.is_atomic,
        };
        self.check_size(Put::NAME, &request.key, &request.value)?;
        self.run(begun, &Put { request, effect: self.effect_of_writes() }).await
    }

    /// Deletes a key. Deleting one that is not there is no error.
    ///
    /// # Errors
    /// When the cluster has another API version, or no answer was to be had in time; then the key may have been deleted.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<(), Error> {
        let begun = self.begin(Delete::NAME).await?;
        let request = RawDeleteRequest {
            context: None,
            key: begun.wire_key(key),
            cf: self.terms.family.clone(),
            for_cas: self.terms.is_atomic,
        };
        self.run(begun, &Delete { request, effect: self.effect_of_writes() }).await
    }

    /// Puts a new value under a key if its value is the expected one, or, with `None`, if there is none.
    ///
    /// # Errors
    /// When the handle is not [`with_atomic`](Self::with_atomic); otherwise as [`put`](Self::put).
    pub async fn compare_and_swap(
        &self,
        key: impl AsRef<[u8]>,
        expected: Option<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<Swap, Error> {
        self.compare_and_swap_with(key, expected, value, PutOptions::default()).await
    }

    /// The same with a time to live for the new value.
    ///
    /// # Errors
    /// As [`compare_and_swap`](Self::compare_and_swap); and when the time to live is nothing, or the cluster keeps none.
    pub async fn compare_and_swap_with(
        &self,
        key: impl AsRef<[u8]>,
        expected: Option<Bytes>,
        value: impl Into<Bytes>,
        options: PutOptions,
    ) -> Result<Swap, Error> {
        let ttl = ttl::seconds(CompareAndSwap::NAME, options.ttl)?;
        let new = RawCasRequest { value: value.into(), ttl, ..RawCasRequest::default() };
        self.swap(key.as_ref(), expected, new).await
    }

    /// Deletes a key if its value is the expected one.
    ///
    /// # Errors
    /// As [`compare_and_swap`](Self::compare_and_swap).
    pub async fn compare_and_delete(&self, key: impl AsRef<[u8]>, expected: impl Into<Bytes>) -> Result<Swap, Error> {
        let deleted = RawCasRequest { delete: true, ..RawCasRequest::default() };
        self.swap(key.as_ref(), Some(expected.into()), deleted).await
    }

    async fn swap(&self, key: &[u8], expected: Option<Bytes>, new: RawCasRequest) -> Result<Swap, Error> {
        if !self.terms.is_atomic {
            let message =
                "other writes are in no certain order with it: use a handle with_atomic(true), here and there";
            return Err(Error::invalid(CompareAndSwap::NAME, message));
        }
        let begun = self.begin(CompareAndSwap::NAME).await?;
        let request = RawCasRequest {
            key: begun.wire_key(key),
            previous_not_exist: expected.is_none(),
            previous_value: expected.unwrap_or_default(),
            cf: self.terms.family.clone(),
            ..new
        };
        self.check_size(CompareAndSwap::NAME, &request.value, &request.previous_value)?;
        self.run(begun, &CompareAndSwap { request }).await
    }
}

struct Get {
    key: Bytes,
    family: String,
}

impl Operation for Get {
    const NAME: &'static str = "get";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Option<Bytes>;
}

impl RegionOperation for Get {
    type Method = rpc::RawGet;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.key)
    }

    fn request(&self, _: &Place) -> RawGetRequest {
        RawGetRequest { context: None, key: self.key.clone(), cf: self.family.clone() }
    }

    fn reply(&self, _: &Place, reply: RawGetResponse) -> Result<Option<Bytes>, Failure> {
        failure::refused(&reply.error)?;
        Ok((!reply.not_found).then_some(reply.value))
    }
}

struct GetTtl {
    key: Bytes,
    family: String,
}

impl Operation for GetTtl {
    const NAME: &'static str = "get_ttl";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Option<Ttl>;
}

impl RegionOperation for GetTtl {
    type Method = rpc::RawGetKeyTtl;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.key)
    }

    fn request(&self, _: &Place) -> RawGetKeyTtlRequest {
        RawGetKeyTtlRequest { context: None, key: self.key.clone(), cf: self.family.clone() }
    }

    fn reply(&self, _: &Place, reply: RawGetKeyTtlResponse) -> Result<Option<Ttl>, Failure> {
        failure::refused(&reply.error)?;
        Ok((!reply.not_found).then(|| Ttl::from_seconds(reply.ttl)))
    }
}

struct Put {
    request: RawPutRequest,
    effect: Effect,
}

impl Operation for Put {
    const NAME: &'static str = "put";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = ();

    fn effect(&self) -> Effect {
        self.effect
    }
}

impl RegionOperation for Put {
    type Method = rpc::RawPut;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.request.key)
    }

    fn request(&self, _: &Place) -> RawPutRequest {
        self.request.clone()
    }

    fn reply(&self, _: &Place, reply: RawPutResponse) -> Result<(), Failure> {
        failure::refused(&reply.error)
    }
}

struct Delete {
    request: RawDeleteRequest,
    effect: Effect,
}

impl Operation for Delete {
    const NAME: &'static str = "delete";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = ();

    fn effect(&self) -> Effect {
        self.effect
    }
}

impl RegionOperation for Delete {
    type Method = rpc::RawDelete;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.request.key)
    }

    fn request(&self, _: &Place) -> RawDeleteRequest {
        self.request.clone()
    }

    fn reply(&self, _: &Place, reply: RawDeleteResponse) -> Result<(), Failure> {
        failure::refused(&reply.error)
    }
}

struct CompareAndSwap {
    request: RawCasRequest,
}

impl Operation for CompareAndSwap {
    const NAME: &'static str = "compare_and_swap";
    const EFFECT: Effect = Effect::Changes;
    type Reply = Swap;
}

impl RegionOperation for CompareAndSwap {
    type Method = rpc::RawCompareAndSwap;

    fn spot(&self) -> Spot<'_> {
        Spot::At(&self.request.key)
    }

    fn request(&self, _: &Place) -> RawCasRequest {
        self.request.clone()
    }

    fn reply(&self, _: &Place, reply: RawCasResponse) -> Result<Swap, Failure> {
        failure::refused(&reply.error)?;
        let previous = (!reply.previous_not_exist).then_some(reply.previous_value);
        Ok(Swap { swapped: reply.succeed, previous })
    }
}
