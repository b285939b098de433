//! Counters.

use std::time::Duration;

use charioteer_proto::pegasus::data::{IncrRequest, IncrResponse, status};
use charioteer_proto::pegasus::{key, rpc};

use super::failure;
use super::routes::Place;
use super::table::{DataOperation, Table};
use super::time::expires_at;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};

/// What becomes of the time to live of a counter that is there already. A new counter lives as long as `Set` says, or for ever.
///
/// ```
/// use charioteer::pegasus::CounterTtl;
///
/// assert_eq!(CounterTtl::default(), CounterTtl::Keep);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CounterTtl {
    /// It stays.
    #[default]
    Keep,
    /// It begins anew, with so much time.
    Set(Duration),
    /// It ends: the counter lives for ever.
    Clear,
}

/// How a counter is changed.
///
/// ```
/// use charioteer::pegasus::{CounterTtl, IncrOptions};
///
/// let mut options = IncrOptions::default();
/// options.ttl = CounterTtl::Clear;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncrOptions {
    /// What becomes of its time to live. Default: it stays.
    pub ttl: CounterTtl,
}

impl Table {
    /// Adds to a counter, which may be a negative number, and gives its new value. A row that is missing or empty counts as 0; one
    /// that is there keeps its time to live.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when the row is no integer, or the sum is none of 64 bits; then nothing has changed. Otherwise as
    /// [`set`](Self::set); it is not tried again where it may have been carried out.
    pub async fn incr(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_key: impl AsRef<[u8]>,
        increment: i64,
    ) -> Result<i64, Error> {
        self.incr_with(hash_key, sort_key, increment, IncrOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`incr`](Self::incr); and when the time to live is nothing, or ends after 2084.
    pub async fn incr_with(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_key: impl AsRef<[u8]>,
        increment: i64,
        options: IncrOptions,
    ) -> Result<i64, Error> {
        let hash_key = hash_key.as_ref();
        self.check_row(Incr::NAME, hash_key)?;
        let expire_ts_seconds = match options.ttl {
            CounterTtl::Keep => 0,
            CounterTtl::Set(ttl) => expires_at(Incr::NAME, Some(ttl))?,
            CounterTtl::Clear => -1,
        };
        let request = IncrRequest { key: key::raw(hash_key, sort_key.as_ref()), increment, expire_ts_seconds };
        self.run(&Incr { hash: key::partition_hash(hash_key, sort_key.as_ref()), request }).await
    }
}

struct Incr {
    hash: u64,
    request: IncrRequest,
}

impl Operation for Incr {
    const NAME: &'static str = "incr";
    const EFFECT: Effect = Effect::Changes;
    type Reply = i64;
}

impl DataOperation for Incr {
    type Rpc = rpc::Incr;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &IncrRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        self.request.key.len()
    }

    fn reply(&self, reply: IncrResponse) -> Result<i64, Failure> {
        match reply.error {
            status::OK => Ok(reply.new_value),
            status::INVALID_ARGUMENT => {
                let message = "the row is no integer, or the sum is more than 64 bits hold";
                Err(Failure::new(ErrorKind::InvalidArgument, message).code("InvalidArgument"))
            }
            code => Err(failure::status(code)),
        }
    }
}
