//! Calls on many rows of many hash keys. Each row has a result of its own.

use std::collections::HashMap;
use std::future::Future;

use bytes::Bytes;
use charioteer_proto::pegasus::data::{BatchGetRequest, BatchGetResponse, FullKey};
use charioteer_proto::pegasus::{key, rpc};
use futures_util::stream::{StreamExt, iter};

use super::multi::Entries;
use super::routes::Place;
use super::single::{SetOptions, done};
use super::table::{DataOperation, Table};
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{Effect, Operation};

/// Requests of one call that are under way at a time.
const AT_A_TIME: usize = 128;

/// How many keys of one partition are asked for in one request: fewer at each try, should the reply be too long.
const KEYS_AT_A_TIME: [usize; 4] = [500, 50, 5, 1];

impl Table {
    /// Values of rows by hash key and sort key, in the order asked for. The rows of a partition are asked for together.
    ///
    /// # Errors
    /// Each row has its own, as [`get`](Self::get) has.
    pub async fn batch_get<H: AsRef<[u8]>, S: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = (H, S)>,
    ) -> Vec<Result<Option<Bytes>, Error>> {
        let keys = keys.into_iter().map(|(hash_key, sort_key)| FullKey {
            hash_key: Bytes::copy_from_slice(hash_key.as_ref()),
            sort_key: Bytes::copy_from_slice(sort_key.as_ref()),
        });
        let keys: Vec<_> = keys.collect();
        let mut results: Vec<_> =
            keys.iter().map(|key| self.check_row(BatchGet::NAME, &key.hash_key).map(|()| None)).collect();
        let mut wanted: Vec<usize> = (0..keys.len()).filter(|at| results[*at].is_ok()).collect();
        for keys_at_a_time in KEYS_AT_A_TIME {
            wanted = self.batch_get_some(&keys, wanted, &mut results, keys_at_a_time).await;
            if wanted.is_empty() {
                break;
            }
        }
        results
    }

    /// Asks for some of the keys, and gives those that are to be asked for again.
    async fn batch_get_some(
        &self,
        keys: &[FullKey],
        wanted: Vec<usize>,
        results: &mut [Result<Option<Bytes>, Error>],
        keys_at_a_time: usize,
    ) -> Vec<usize> {
        let map = match self.shared.routes.map(&self.shared.cluster).await {
            Ok(map) => map,
            Err(error) => {
                let error = error.during(BatchGet::NAME).on(&self.shared.name);
                wanted.into_iter().for_each(|at| results[at] = Err(error.clone()));
                return Vec::new();
            }
        };
        // A partition that is being split off has its rows at another, and yet is asked for apart.
        let count = map.count();
        let hash = |at: &usize| key::partition_hash(&keys[*at].hash_key, &keys[*at].sort_key);
        let of = u64::from(count.cast_unsigned());
        let mut partitions: HashMap<u64, Vec<usize>> = HashMap::new();
        for at in wanted {
            partitions.entry(hash(&at) % of).or_default().push(at);
        }
        let groups = partitions.values().flat_map(|all| all.chunks(keys_at_a_time));
        let requests = groups.map(|some| {
            // Should the table have been split unnoticed, a key that has moved away has the server say so.
            let hash = some.iter().map(hash).max_by_key(|hash| hash / of % 2).unwrap_or_default();
            let place = Place::Index(map.partition_of(hash), count);
            let request = BatchGetRequest { keys: some.iter().map(|at| keys[*at].clone()).collect() };
            (some.to_vec(), BatchGet { place, hash, request })
        });
        // Owned, as in `side_by_side`.
        let requests: Vec<_> = requests.collect();
        let asked = requests.into_iter().map(|(some, request)| async move { (some, self.run(&request).await) });
        let mut asked = iter(asked).buffer_unordered(AT_A_TIME);
        let mut again = Vec::new();
        while let Some((some, found)) = asked.next().await {
            match found {
                Ok(found) => some.into_iter().for_each(|at| {
                    let value = found.get(&(keys[at].hash_key.clone(), keys[at].sort_key.clone())).cloned();
                    results[at] = self.decompress(BatchGet::NAME, value);
                }),
                // The reply was too long, or the table was split between finding the partitions and asking them.
                Err(error)
                    if matches!(error.kind(), ErrorKind::TooLarge | ErrorKind::Conflict) && keys_at_a_time > 1 =>
                {
                    again.extend(some);
                }
                Err(error) => some.into_iter().for_each(|at| results[at] = Err(error.clone())),
            }
        }
        again
    }

    /// Sets rows, each for itself: some may be set and others not. The results are in the order of the rows.
    ///
    /// # Errors
    /// Each row has its own, as [`set`](Self::set) has.
    pub async fn batch_set<H: AsRef<[u8]>, S: AsRef<[u8]>, V: Into<Bytes>>(
        &self,
        rows: impl IntoIterator<Item = (H, S, V)>,
        options: SetOptions,
    ) -> Vec<Result<(), Error>> {
        let rows = rows.into_iter().map(|(hash_key, sort_key, value)| (owned(hash_key), owned(sort_key), value.into()));
        side_by_side(rows.collect(), async |(hash_key, sort_key, value): (Bytes, Bytes, Bytes)| {
            self.set_with(hash_key, sort_key, value, options).await
        })
        .await
    }

    /// Deletes rows, each for itself. The results are in the order of the keys.
    ///
    /// # Errors
    /// Each row has its own, as [`del`](Self::del) has.
    pub async fn batch_del<H: AsRef<[u8]>, S: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = (H, S)>,
    ) -> Vec<Result<(), Error>> {
        let keys = keys.into_iter().map(|(hash_key, sort_key)| (owned(hash_key), owned(sort_key)));
        side_by_side(keys.collect(), async |(hash_key, sort_key)| self.del(hash_key, sort_key).await).await
    }

    /// Rows of many hash keys by their sort keys: a [`multi_get`](Self::multi_get) for each, in the order asked for.
    ///
    /// # Errors
    /// Each hash key has its own, as [`multi_get`](Self::multi_get) has.
    pub async fn batch_multi_get<H: AsRef<[u8]>, S: AsRef<[u8]>, I: IntoIterator<Item = S>>(
        &self,
        wanted: impl IntoIterator<Item = (H, I)>,
    ) -> Vec<Result<Entries, Error>> {
        let wanted = wanted
            .into_iter()
            .map(|(hash_key, sort_keys)| (owned(hash_key), sort_keys.into_iter().map(owned).collect()));
        side_by_side(wanted.collect(), async |(hash_key, sort_keys): (Bytes, Vec<Bytes>)| {
            self.multi_get(hash_key, sort_keys).await
        })
        .await
    }
}

fn owned(key: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(key.as_ref())
}

/// Makes many calls, a bounded number at a time, and gives the results in the order of the items.
///
/// The items are owned: a future that keeps an iterator of borrowed ones can't be spawned, as the compiler takes it.
async fn side_by_side<T, R, F: Future<Output = R>>(items: Vec<T>, call: impl Fn(T) -> F) -> Vec<R> {
    iter(items.into_iter().map(call)).buffered(AT_A_TIME).collect().await
}

struct BatchGet {
    place: Place,
    /// The hash of one of the keys.
    hash: u64,
    request: BatchGetRequest,
}

impl Operation for BatchGet {
    const NAME: &'static str = "batch_get";
    const EFFECT: Effect = Effect::Reads;
    /// By hash key and sort key.
    type Reply = HashMap<(Bytes, Bytes), Bytes>;
}

impl DataOperation for BatchGet {
    type Rpc = rpc::BatchGet;

    fn place(&self) -> Place {
        self.place
    }

    fn partition_hash(&self) -> u64 {
        self.hash
    }

    fn request(&self) -> &BatchGetRequest {
        &self.request
    }

    fn bytes(&self) -> usize {
        self.request.keys.iter().map(|key| key.hash_key.len() + key.sort_key.len()).sum()
    }

    fn reply(&self, reply: BatchGetResponse) -> Result<Self::Reply, Failure> {
        done(reply.error)?;
        let rows = reply.data.into_iter();
        Ok(rows.map(|row| ((row.hash_key, row.sort_key), row.value)).collect())
    }
}
