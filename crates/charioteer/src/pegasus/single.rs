//! Calls on one row: get, exist, ttl, set, del.

use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::pegasus::data::{ReadResponse, TtlResponse, UpdateRequest, UpdateResponse, status};
use charioteer_proto::pegasus::key;
use charioteer_proto::pegasus::rpc::{self, Rpc};

use super::compression::{compressed, decompressed};
use super::failure;
use super::routes::Place;
use super::table::{DataOperation, Table};
use super::time::{Ttl, expires_at};
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};

/// A shorter value is copied out of what came with it, so that keeping it does not keep all of that.
const COPIED_BYTES: usize = 4096;

/// How a row is set.
///
/// ```
/// use std::time::Duration;
/// use charioteer::pegasus::SetOptions;
///
/// assert_eq!(SetOptions::default().ttl, None);
/// assert_eq!(SetOptions::ttl(Duration::from_secs(60)).ttl, Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOptions {
    /// How long the row lives, in whole seconds, rounded up; `None` is for ever, unless the table has a default. Default `None`.
    pub ttl: Option<Duration>,
}

impl SetOptions {
    /// A row that lives so long.
    #[must_use]
    pub const fn ttl(ttl: Duration) -> Self {
        Self { ttl: Some(ttl) }
    }
}

impl Table {
    /// The value of a row, or `None` when there is no such row.
    ///
    /// # Errors
    /// When the hash key is empty or too long, or no answer was to be had in time.
    pub async fn get(&self, hash_key: impl AsRef<[u8]>, sort_key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        let row = self.row(Get::NAME, hash_key.as_ref(), sort_key.as_ref())?;
        let value = self.run(&Get(row)).await?;
        self.decompress(Get::NAME, value)
    }

    /// Whether there is such a row.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn exist(&self, hash_key: impl AsRef<[u8]>, sort_key: impl AsRef<[u8]>) -> Result<bool, Error> {
        let row = self.row(Exist::NAME, hash_key.as_ref(), sort_key.as_ref())?;
        self.run(&Exist(row)).await
    }

    /// How long a row has still to live, or `None` when there is no such row.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn ttl(&self, hash_key: impl AsRef<[u8]>, sort_key: impl AsRef<[u8]>) -> Result<Option<Ttl>, Error> {
        let row = self.row(AskTtl::NAME, hash_key.as_ref(), sort_key.as_ref())?;
        self.run(&AskTtl(row)).await
    }

    /// Sets a row, which does not expire, whether or not it did before.
    ///
    /// # Errors
    /// When the hash key is empty or too long, the value is too large for the server, or no answer was to be had in time; then the row
    /// may have been set.
    pub async fn set(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
    ) -> Result<(), Error> {
        self.set_with(hash_key, sort_key, value, SetOptions::default()).await
    }

    /// Sets a row with a time to live.
    ///
    /// # Errors
    /// As [`set`](Self::set); and when the time to live is nothing, or ends after 2084.
    pub async fn set_with(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        options: SetOptions,
    ) -> Result<(), Error> {
        let Row { key, hash } = self.row(Set::NAME, hash_key.as_ref(), sort_key.as_ref())?;
        let expire_ts_seconds = expires_at(Set::NAME, options.ttl)?;
        let value = self.stored(value.into());
        let request = UpdateRequest { key, value, expire_ts_seconds, ..UpdateRequest::default() };
        self.run(&Set { hash, request }).await
    }

    /// Deletes a row. Deleting one that is not there is no error.
    ///
    /// # Errors
    /// When the hash key is empty or too long, or no answer was to be had in time; then the row may have been deleted.
    pub async fn del(&self, hash_key: impl AsRef<[u8]>, sort_key: impl AsRef<[u8]>) -> Result<(), Error> {
        let row = self.row(Del::NAME, hash_key.as_ref(), sort_key.as_ref())?;
        self.run(&Del(row)).await
    }

    fn row(&self, operation: &'static str, hash_key: &[u8], sort_key: &[u8]) -> Result<Row, Error> {
        self.check_row(operation, hash_key)?;
        Ok(Row { key: key::raw(hash_key, sort_key), hash: key::partition_hash(hash_key, sort_key) })
    }

    /// A value as the server gets it.
    pub(super) fn stored(&self, value: Bytes) -> Bytes {
        if self.terms.compression { compressed(&value) } else { value }
    }

    /// A value as the caller gets it.
    pub(super) fn read(&self, operation: &'static str, value: Bytes) -> Result<Bytes, Error> {
        if !self.terms.compression {
            return Ok(value);
        }
        decompressed(value).map_err(|failure| Error::from(failure).during(operation).on(&self.shared.name))
    }

    /// The same for one that may be missing.
    pub(super) fn decompress(&self, operation: &'static str, value: Option<Bytes>) -> Result<Option<Bytes>, Error> {
        value.map(|value| self.read(operation, value)).transpose()
    }
}

/// A value apart from the reply in which it came, unless it is most of it.
fn apart(value: Bytes) -> Bytes {
    if value.len() < COPIED_BYTES { Bytes::copy_from_slice(&value) } else { value }
}

/// A row by its raw key, and the hash that says where it is.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) key: Bytes,
    pub(super) hash: u64,
}

/// Calls whose request is a raw key and nothing else.
macro_rules! row_operations {
    ($($(#[$meta:meta])* $name:ident = $text:literal ($rpc:ident, $effect:ident) -> $reply:ty = $read:ident;)*) => {
        $(
            $(#[$meta])*
            struct $name(Row);

            impl Operation for $name {
                const NAME: &'static str = $text;
                const EFFECT: Effect = Effect::$effect;
                type Reply = $reply;
            }

            impl DataOperation for $name {
                type Rpc = rpc::$rpc;

                fn place(&self) -> Place {
                    Place::Hash(self.0.hash)
                }

                fn request(&self) -> &Bytes {
                    &self.0.key
                }

                fn bytes(&self) -> usize {
                    self.0.key.len()
                }

                fn reply(&self, reply: <rpc::$rpc as Rpc>::Reply) -> Result<$reply, Failure> {
                    $read(reply)
                }
            }
        )*
    };
}

row_operations! {
    Get = "get" (Get, Reads) -> Option<Bytes> = value;
    /// Servers have no call of their own for it: the time to live is asked for.
    Exist = "exist" (Ttl, Reads) -> bool = is_there;
    AskTtl = "ttl" (Ttl, Reads) -> Option<Ttl> = time_to_live;
    Del = "del" (Remove, Idempotent) -> () = deleted;
}

fn value(reply: ReadResponse) -> Result<Option<Bytes>, Failure> {
    match reply.error {
        status::OK => Ok(Some(apart(reply.value))),
        status::NOT_FOUND => Ok(None),
        code => Err(failure::status(code)),
    }
}

fn is_there(reply: TtlResponse) -> Result<bool, Failure> {
    Ok(time_to_live(reply)?.is_some())
}

fn time_to_live(reply: TtlResponse) -> Result<Option<Ttl>, Failure> {
    match (reply.error, u64::try_from(reply.ttl_seconds)) {
        (status::OK, Ok(seconds)) => Ok(Some(Ttl::Remaining(Duration::from_secs(seconds)))),
        (status::OK, Err(_)) => Ok(Some(Ttl::Forever)),
        (status::NOT_FOUND, _) => Ok(None),
        (code, _) => Err(failure::status(code)),
    }
}

fn deleted(reply: UpdateResponse) -> Result<(), Failure> {
    done(reply.error)
}

/// Sets one row.
#[derive(Clone, Debug)]
pub(super) struct Set {
    hash: u64,
    request: UpdateRequest,
}

impl Operation for Set {
    const NAME: &'static str = "set";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = ();
}

impl DataOperation for Set {
    type Rpc = rpc::Put;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &UpdateRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        self.request.key.len() + self.request.value.len()
    }

    fn reply(&self, reply: UpdateResponse) -> Result<(), Failure> {
        done(reply.error)
    }
}

/// A result that says no more than that it is done.
pub(super) fn done(code: i32) -> Result<(), Failure> {
    if code == status::OK { Ok(()) } else { Err(failure::status(code)) }
}
