//! Calls on several rows of one hash key: multi_get, multi_set, multi_del, counts and sort keys.

use bytes::Bytes;
use charioteer_proto::pegasus::data::{
    CountResponse, KeyValue, MultiGetRequest, MultiGetResponse, MultiPutRequest, MultiRemoveRequest,
    MultiRemoveResponse, UpdateResponse, status,
};
use charioteer_proto::pegasus::{key, rpc};

use super::failure;
use super::filter::Filter;
use super::routes::Place;
use super::single::{SetOptions, done};
use super::table::{DataOperation, Table};
use super::time::expires_at;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};

/// A row of a hash key that is known.
///
/// ```
/// use charioteer::pegasus::Entry;
///
/// let entry = Entry { sort_key: "city".into(), value: "Paris".into() };
/// assert_eq!(entry.sort_key, "city");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The sort key.
    pub sort_key: Bytes,
    /// The value; empty where values were not asked for.
    pub value: Bytes,
}

/// What a multi_get found.
///
/// ```
/// use charioteer::pegasus::Entries;
///
/// let found = Entries { entries: Vec::new(), complete: true };
/// assert!(found.complete);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// The rows: those of a range in ascending order of their sort keys, those of given sort keys in the order asked for. The rows of
    /// one reply share its memory; copy what is to be kept for long.
    pub entries: Vec<Entry>,
    /// Whether that is all there is. It is not when a limit of the call was reached, or one of the server's.
    pub complete: bool,
}

/// What a multi_get takes, and how much of it.
///
/// ```
/// use charioteer::pegasus::{Filter, MultiGetOptions};
///
/// let mut options = MultiGetOptions::default();
/// assert_eq!((options.max_count, options.max_bytes), (100, 100_000));
/// options.filter = Filter::prefix("2026-");
/// options.reverse = true;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultiGetOptions {
    /// Whether the row at the start of a range belongs to it. Default yes.
    pub start_inclusive: bool,
    /// Whether the row at the end of a range belongs to it. Default no.
    pub stop_inclusive: bool,
    /// Which sort keys of a range are wanted. Default all.
    pub filter: Filter,
    /// At most so many rows; 0 leaves it to the server, which gives no more than 3000. Default 100.
    pub max_count: u32,
    /// No further row once sort keys and values have so many bytes; 0 leaves it to the server, which gives no more than 30 MiB.
    /// Default 100,000.
    pub max_bytes: u32,
    /// Whether the last rows of a range are taken instead of the first. They come in ascending order all the same. Default no.
    pub reverse: bool,
    /// Whether values are left out. Default no.
    pub no_value: bool,
}

impl Default for MultiGetOptions {
    fn default() -> Self {
        Self {
            start_inclusive: true,
            stop_inclusive: false,
            filter: Filter::All,
            max_count: 100,
            max_bytes: 100_000,
            reverse: false,
            no_value: false,
        }
    }
}

impl Table {
    /// Rows of a hash key by their sort keys, with the default limits. Sort keys that have no row are left out.
    ///
    /// # Errors
    /// When the hash key is empty or too long, there are no sort keys, or no answer was to be had in time.
    pub async fn multi_get<S: AsRef<[u8]>>(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_keys: impl IntoIterator<Item = S>,
    ) -> Result<Entries, Error> {
        let options = MultiGetOptions::default();
        self.multi_get_with(hash_key, sort_keys, &options).await
    }

    /// The same with limits of one's own. What the options say of ranges, their filter and their direction goes for nothing here.
    ///
    /// # Errors
    /// As [`multi_get`](Self::multi_get).
    pub async fn multi_get_with<S: AsRef<[u8]>>(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_keys: impl IntoIterator<Item = S>,
        options: &MultiGetOptions,
    ) -> Result<Entries, Error> {
        let sort_keys = self.sort_keys(MultiGet::NAME, sort_keys)?;
        let request = self.multi_get_request(hash_key.as_ref(), options)?;
        self.multi_get_run(MultiGetRequest { sort_keys, ..request }).await
    }

    /// Rows of a hash key from one sort key to another, with the default options: the start belongs to the range, the end does not. An
    /// empty end is none, and the range goes on to the last row.
    ///
    /// # Errors
    /// When the hash key is empty or too long, or no answer was to be had in time.
    pub async fn multi_get_range(
        &self,
        hash_key: impl AsRef<[u8]>,
        start: impl AsRef<[u8]>,
        stop: impl AsRef<[u8]>,
    ) -> Result<Entries, Error> {
        self.multi_get_range_with(hash_key, start, stop, &MultiGetOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`multi_get_range`](Self::multi_get_range); and when the filter or a limit makes no sense.
    pub async fn multi_get_range_with(
        &self,
        hash_key: impl AsRef<[u8]>,
        start: impl AsRef<[u8]>,
        stop: impl AsRef<[u8]>,
        options: &MultiGetOptions,
    ) -> Result<Entries, Error> {
        let request = self.multi_get_request(hash_key.as_ref(), options)?;
        let (sort_key_filter_type, sort_key_filter_pattern) = options.filter.on_the_wire();
        let request = MultiGetRequest {
            start_sortkey: Bytes::copy_from_slice(start.as_ref()),
            stop_sortkey: Bytes::copy_from_slice(stop.as_ref()),
            start_inclusive: options.start_inclusive,
            stop_inclusive: options.stop_inclusive,
            sort_key_filter_type,
            sort_key_filter_pattern,
            reverse: options.reverse,
            ..request
        };
        self.multi_get_run(request).await
    }

    /// The sort keys of a hash key, in ascending order, 3000 at most, and whether those are all.
    ///
    /// # Errors
    /// As [`multi_get_range`](Self::multi_get_range).
    pub async fn get_sort_keys(&self, hash_key: impl AsRef<[u8]>) -> Result<(Vec<Bytes>, bool), Error> {
        let options = MultiGetOptions { max_count: 0, max_bytes: 0, no_value: true, ..MultiGetOptions::default() };
        let found = self.multi_get_range_with(hash_key, "", "", &options).await?;
        Ok((found.entries.into_iter().map(|entry| entry.sort_key).collect(), found.complete))
    }

    /// How many rows a hash key has; 0 when it has none.
    ///
    /// # Errors
    /// When the hash key is empty or too long, no answer was to be had in time, or counting took the server too long
    /// ([`ErrorKind::Timeout`]).
    pub async fn sort_key_count(&self, hash_key: impl AsRef<[u8]>) -> Result<u64, Error> {
        let hash_key = hash_key.as_ref();
        self.check_hash_key(Count::NAME, hash_key)?;
        self.run(&Count { hash: key::crc64(hash_key), hash_key: Bytes::copy_from_slice(hash_key) }).await
    }

    /// Sets rows of a hash key, all of them or none.
    ///
    /// # Errors
    /// When the hash key is empty or too long, there are no rows, they are too much for the server, or no answer was to be had in time;
    /// then they may have been set.
    pub async fn multi_set<S: AsRef<[u8]>, V: Into<Bytes>>(
        &self,
        hash_key: impl AsRef<[u8]>,
        rows: impl IntoIterator<Item = (S, V)>,
    ) -> Result<(), Error> {
        self.multi_set_with(hash_key, rows, SetOptions::default()).await
    }

    /// Sets rows of a hash key with one time to live for all, all of them or none. Of rows with the same sort key the last stays.
    ///
    /// # Errors
    /// As [`multi_set`](Self::multi_set); and when the time to live is nothing, or ends after 2084.
    pub async fn multi_set_with<S: AsRef<[u8]>, V: Into<Bytes>>(
        &self,
        hash_key: impl AsRef<[u8]>,
        rows: impl IntoIterator<Item = (S, V)>,
        options: SetOptions,
    ) -> Result<(), Error> {
        let hash_key = hash_key.as_ref();
        self.check_hash_key(MultiSet::NAME, hash_key)?;
        let kvs: Vec<_> = rows
            .into_iter()
            .map(|(sort_key, value)| KeyValue {
                key: Bytes::copy_from_slice(sort_key.as_ref()),
                value: self.stored(value.into()),
                expire_ts_seconds: None,
            })
            .collect();
        if kvs.is_empty() {
            return Err(self.invalid(MultiSet::NAME, "there are no rows to set"));
        }
        let expire_ts_seconds = expires_at(MultiSet::NAME, options.ttl)?;
        let request = MultiPutRequest { hash_key: Bytes::copy_from_slice(hash_key), kvs, expire_ts_seconds };
        self.run(&MultiSet { hash: key::crc64(hash_key), request }).await
    }

    /// Deletes rows of a hash key, all of them or none. Sort keys that have no row are no error.
    ///
    /// # Errors
    /// When the hash key is empty or too long, there are no sort keys, or no answer was to be had in time; then they may have been
    /// deleted.
    pub async fn multi_del<S: AsRef<[u8]>>(
        &self,
        hash_key: impl AsRef<[u8]>,
        sort_keys: impl IntoIterator<Item = S>,
    ) -> Result<(), Error> {
        let hash_key = hash_key.as_ref();
        self.check_hash_key(MultiDel::NAME, hash_key)?;
        let sort_keys = self.sort_keys(MultiDel::NAME, sort_keys)?;
        let request = MultiRemoveRequest { hash_key: Bytes::copy_from_slice(hash_key), sort_keys, max_count: 0 };
        self.run(&MultiDel { hash: key::crc64(hash_key), request }).await
    }

    fn sort_keys<S: AsRef<[u8]>>(
        &self,
        operation: &'static str,
        sort_keys: impl IntoIterator<Item = S>,
    ) -> Result<Vec<Bytes>, Error> {
        let sort_keys: Vec<_> = sort_keys.into_iter().map(|key| Bytes::copy_from_slice(key.as_ref())).collect();
        if sort_keys.is_empty() {
            return Err(self.invalid(operation, "there are no sort keys"));
        }
        Ok(sort_keys)
    }

    fn multi_get_request(&self, hash_key: &[u8], options: &MultiGetOptions) -> Result<MultiGetRequest, Error> {
        self.check_hash_key(MultiGet::NAME, hash_key)?;
        let limit = |name: &str, limit: u32| {
            i32::try_from(limit)
                .map_err(|_| self.invalid(MultiGet::NAME, format!("{name}: {limit} is too much to ask for")))
        };
        Ok(MultiGetRequest {
            hash_key: Bytes::copy_from_slice(hash_key),
            max_kv_count: limit("max_count", options.max_count)?,
            max_kv_size: limit("max_bytes", options.max_bytes)?,
            no_value: options.no_value,
            ..MultiGetRequest::default()
        })
    }

    async fn multi_get_run(&self, request: MultiGetRequest) -> Result<Entries, Error> {
        let (hash, no_value) = (key::crc64(&request.hash_key), request.no_value);
        let mut found = self.run(&MultiGet { hash, request }).await?;
        if self.terms.compression && !no_value {
            for entry in &mut found.entries {
                entry.value = self.read(MultiGet::NAME, std::mem::take(&mut entry.value))?;
            }
        }
        Ok(found)
    }
}

struct MultiGet {
    hash: u64,
    request: MultiGetRequest,
}

impl Operation for MultiGet {
    const NAME: &'static str = "multi_get";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Entries;
}

impl DataOperation for MultiGet {
    type Rpc = rpc::MultiGet;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &MultiGetRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        self.request.hash_key.len() + self.request.sort_keys.iter().map(Bytes::len).sum::<usize>()
    }

    fn reply(&self, reply: MultiGetResponse) -> Result<Entries, Failure> {
        let complete = match reply.error {
            status::OK => true,
            status::INCOMPLETE => false,
            code => return Err(failure::status(code)),
        };
        let entries = reply.kvs.into_iter().map(|row| Entry { sort_key: row.key, value: row.value });
        Ok(Entries { entries: entries.collect(), complete })
    }
}

struct Count {
    hash: u64,
    hash_key: Bytes,
}

impl Operation for Count {
    const NAME: &'static str = "sort_key_count";
    const EFFECT: Effect = Effect::Reads;
    type Reply = u64;
}

impl DataOperation for Count {
    type Rpc = rpc::SortkeyCount;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &Bytes {
        &self.hash_key
    }

    fn bytes(&self) -> usize {
        self.hash_key.len()
    }

    fn reply(&self, reply: CountResponse) -> Result<u64, Failure> {
        done(reply.error)?;
        let too_long =
            |_| Failure::new(ErrorKind::Timeout, "the hash key has more rows than the server counts in its time");
        u64::try_from(reply.count).map_err(too_long)
    }
}

struct MultiSet {
    hash: u64,
    request: MultiPutRequest,
}

impl Operation for MultiSet {
    const NAME: &'static str = "multi_set";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = ();
}

impl DataOperation for MultiSet {
    type Rpc = rpc::MultiPut;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &MultiPutRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        self.request.hash_key.len() + self.request.kvs.iter().map(|row| row.key.len() + row.value.len()).sum::<usize>()
    }

    fn reply(&self, reply: UpdateResponse) -> Result<(), Failure> {
        done(reply.error)
    }
}

struct MultiDel {
    hash: u64,
    request: MultiRemoveRequest,
}

impl Operation for MultiDel {
    const NAME: &'static str = "multi_del";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = ();
}

impl DataOperation for MultiDel {
    type Rpc = rpc::MultiRemove;

    fn place(&self) -> Place {
        Place::Hash(self.hash)
    }

    fn request(&self) -> &MultiRemoveRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        self.request.hash_key.len() + self.request.sort_keys.iter().map(Bytes::len).sum::<usize>()
    }

    fn reply(&self, reply: MultiRemoveResponse) -> Result<(), Failure> {
        done(reply.error)
    }
}
