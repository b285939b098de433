//! Calls on several keys: batch_get, batch_put, batch_delete.
//!
//! Keys are grouped by region, and each group is asked for by requests of its own, some of which are under way at a time. What came of
//! one says nothing of the others, so that each key gets an answer of its own. A group that no longer is one when it is its turn, because
//! its region was split meanwhile, is grouped again.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::tikv::kvrpcpb::{
    KvPair, RawBatchDeleteRequest, RawBatchDeleteResponse, RawBatchGetRequest, RawBatchGetResponse, RawBatchPutRequest,
    RawBatchPutResponse,
};
use charioteer_proto::tikv::rpc;
use futures_util::stream::{self, StreamExt};

use super::client::{Begun, RawClient};
use super::single::PutOptions;
use super::ttl;
use crate::error::{Error, ErrorKind, Failure, Outcome};
use crate::exec::{Effect, Operation};
use crate::tikv::failure;
use crate::tikv::locate::Place;
use crate::tikv::send::{RegionOperation, Spot};

/// How many keys a request has at most, as with client-go.
const MOST_KEYS: usize = 512;
/// No further key goes into a request that has so many bytes, so that others are answered in between.
const MANY_BYTES: usize = 256 << 10;

/// Keys are copied before anything is waited for. So the futures are [`Send`] whatever the keys are lent from, which the compiler does not see
/// by itself of an iterator that outlives a wait.
impl RawClient {
    /// The values of several keys, each in the place of its key, with `None` for those that there are not.
    pub fn batch_get<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Vec<Result<Option<Bytes>, Error>>> + Send {
        let keys = copied(keys);
        async move {
            let begun = match self.begin(BatchGet::NAME).await {
                Ok(begun) => begun,
                Err(error) => return vec![Err(error); keys.len()],
            };
            let items = keys.into_iter().map(|key| Item::key(begun.wire_key_of(key))).collect();
            self.in_groups(begun, items, BatchGet::of).await
        }
    }

    /// Puts values under several keys, which do not expire. Of those with the same key the last stays. What came of each is in its place.
    pub fn batch_put<K: AsRef<[u8]>, V: Into<Bytes>>(
        &self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> impl Future<Output = Vec<Result<(), Error>>> + Send {
        self.batch_put_with(pairs, PutOptions::default())
    }

    /// The same with one time to live for all.
    pub fn batch_put_with<K: AsRef<[u8]>, V: Into<Bytes>>(
        &self,
        pairs: impl IntoIterator<Item = (K, V)>,
        options: PutOptions,
    ) -> impl Future<Output = Vec<Result<(), Error>>> + Send {
        self.batch_put_with_ttls(pairs.into_iter().map(move |(key, value)| (key, value, options.ttl)))
    }

    /// The same with a time to live for each, or `None` for those that do not expire.
    pub fn batch_put_with_ttls<K: AsRef<[u8]>, V: Into<Bytes>>(
        &self,
        rows: impl IntoIterator<Item = (K, V, Option<Duration>)>,
    ) -> impl Future<Output = Vec<Result<(), Error>>> + Send {
        let row = |(key, value, ttl): (K, V, _)| (Bytes::copy_from_slice(key.as_ref()), value.into(), ttl);
        let rows: Vec<(Bytes, Bytes, _)> = rows.into_iter().map(row).collect();
        async move {
            let begun = match self.begin(BatchPut::NAME).await {
                Ok(begun) => begun,
                Err(error) => return vec![Err(error); rows.len()],
            };
            let (mut items, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
            for (at, (key, value, ttl)) in rows.into_iter().enumerate() {
                match self.item(begun, key, value, ttl) {
                    Ok(item) => items.push(item),
                    Err(error) => refused.push((at, error)),
                }
            }
            let mut done = self.in_groups(begun, items, BatchPut::of).await;
            // In ascending order, so that each comes to stand where it was.
            refused.into_iter().for_each(|(at, error)| done.insert(at, Err(error)));
            done
        }
    }

    /// Deletes several keys. Those that are not there are no error. What came of each is in its place.
    pub fn batch_delete<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Vec<Result<(), Error>>> + Send {
        let keys = copied(keys);
        async move {
            let begun = match self.begin(BatchDelete::NAME).await {
                Ok(begun) => begun,
                Err(error) => return vec![Err(error); keys.len()],
            };
            let items = keys.into_iter().map(|key| Item::key(begun.wire_key_of(key))).collect();
            self.in_groups(begun, items, BatchDelete::of).await
        }
    }

    fn item(&self, begun: Begun<'_>, key: Bytes, value: Bytes, ttl: Option<Duration>) -> Result<Item<Value>, Error> {
        let ttl = ttl::seconds(BatchPut::NAME, ttl)?;
        let key = begun.wire_key_of(key);
        self.check_size(BatchPut::NAME, &key, &value)?;
        Ok(Item::value(key, value, ttl))
    }

    /// Carries out an operation on groups of the items, and gives what came of each, in their order.
    async fn in_groups<P, O, T>(
        &self,
        begun: Begun<'_>,
        items: Vec<Item<P>>,
        operation: fn(&Self, &[&Item<P>]) -> O,
    ) -> Vec<Result<T, Error>>
    where
        O: RegionOperation<Reply = Grouped<T>>,
        T: Clone + Send,
    {
        let items = Unique::of(items);
        let mut results = Results::of(items.items.len());
        while !results.waiting.is_empty() {
            let groups = match self.groups(begun, &items.items, &results).await {
                Ok(groups) => groups,
                Err(error) => {
                    results.all_failed(&error.during(O::NAME));
                    break;
                }
            };
            let asked = groups.into_iter().map(|group| {
                let members: Vec<_> = group.iter().map(|at| &items.items[*at]).collect();
                let operation = operation(self, &members);
                async move { (self.run(begun, &operation).await, group) }
            });
            let asked: Vec<_> = asked.collect();
            let answered: Vec<Answered<T>> = stream::iter(asked).buffer_unordered(self.concurrency()).collect().await;
            results.take(answered);
        }
        items.in_their_places(&results)
    }

    /// The items that wait, by region, and in parts that are not too large for a request.
    async fn groups<P, T>(
        &self,
        begun: Begun<'_>,
        items: &[Item<P>],
        results: &Results<T>,
    ) -> Result<Vec<Vec<usize>>, Error> {
        let waiting = &results.waiting;
        let keys: Vec<&Bytes> = waiting.iter().map(|at| &items[*at].key).collect();
        let (locator, deadline) = (&begun.reached.locator, begun.deadline);
        let groups = self.look_up(begun, || locator.group(&keys, deadline)).await?;
        let mut parts = Vec::new();
        for (_, group) in groups {
            let (mut part, mut bytes) = (Vec::new(), 0);
            for at in group {
                let item = &items[waiting[at]];
                if !part.is_empty() && (part.len() == results.most_keys || bytes + item.bytes > MANY_BYTES) {
                    parts.push(std::mem::take(&mut part));
                    bytes = 0;
                }
                part.push(waiting[at]);
                bytes += item.bytes;
            }
            parts.push(part);
        }
        Ok(parts)
    }
}

/// A key, with what belongs to it.
struct Item<P> {
    key: Bytes,
    part: P,
    /// How much of a request it takes.
    bytes: usize,
}

impl Item<()> {
    fn key(key: Bytes) -> Self {
        let bytes = key.len();
        Self { key, part: (), bytes }
    }
}

impl Item<Value> {
    fn value(key: Bytes, value: Bytes, ttl: u64) -> Self {
        let bytes = key.len() + value.len();
        Self { key, part: Value { value, ttl }, bytes }
    }
}

/// What is put.
struct Value {
    value: Bytes,
    ttl: u64,
}

/// Items in the order of their keys, no two of which are the same.
struct Unique<P> {
    items: Vec<Item<P>>,
    /// Where the items are that were given, in the order in which they were.
    places: Vec<usize>,
}

impl<P> Unique<P> {
    /// Of those with the same key the last stays.
    fn of(items: Vec<Item<P>>) -> Self {
        let mut given: Vec<(usize, Item<P>)> = items.into_iter().enumerate().collect();
        given.sort_by(|(_, one), (_, other)| one.key.cmp(&other.key));
        let mut places = vec![0; given.len()];
        let mut items: Vec<Item<P>> = Vec::with_capacity(given.len());
        for (at, item) in given {
            match items.last_mut() {
                Some(last) if last.key == item.key => *last = item,
                _ => items.push(item),
            }
            places[at] = items.len() - 1;
        }
        Self { items, places }
    }

    fn in_their_places<T: Clone>(&self, results: &Results<T>) -> Vec<Result<T, Error>> {
        let result = |at: &usize| {
            results.done[*at]
                .clone()
                .unwrap_or_else(|| Err(Failure::new(ErrorKind::Internal, "the key was left out of all groups").into()))
        };
        self.places.iter().map(result).collect()
    }
}

/// What came of a group of keys.
enum Grouped<T> {
    /// This of each.
    Done(Vec<T>),
    /// Nothing: they are no group any more.
    Scattered,
}

/// What came of a group, and which items are in it.
type Answered<T> = (Result<Grouped<T>, Error>, Vec<usize>);

/// What has come of the items so far.
struct Results<T> {
    done: Vec<Option<Result<T, Error>>>,
    /// Those of which nothing has come yet, in ascending order.
    waiting: Vec<usize>,
    /// How many keys go into a request.
    most_keys: usize,
}

impl<T: Clone> Results<T> {
    fn of(count: usize) -> Self {
        Self { done: vec![None; count], waiting: (0..count).collect(), most_keys: MOST_KEYS }
    }

    fn all_failed(&mut self, error: &Error) {
        self.waiting.drain(..).for_each(|at| self.done[at] = Some(Err(error.clone())));
    }

    fn take(&mut self, answered: Vec<Answered<T>>) {
        self.waiting.clear();
        let mut most_keys = self.most_keys;
        for (answer, group) in answered {
            match answer {
                Ok(Grouped::Done(values)) => {
                    group.into_iter().zip(values).for_each(|(at, value)| self.done[at] = Some(Ok(value)));
                }
                Ok(Grouped::Scattered) => self.waiting.extend(group),
                // What is too large together may not be so apart.
                Err(error) if is_too_large(&error) && group.len() > 1 => {
                    most_keys = most_keys.min(group.len().div_ceil(2));
                    self.waiting.extend(group);
                }
                Err(error) => group.into_iter().for_each(|at| self.done[at] = Some(Err(error.clone()))),
            }
        }
        self.most_keys = most_keys;
        self.waiting.sort_unstable();
    }
}

fn is_too_large(error: &Error) -> bool {
    error.kind() == ErrorKind::TooLarge && error.outcome() == Outcome::NotApplied
}

/// Whether the region holds all of these keys, which are in order.
fn holds_all(place: &Place, mut keys: impl DoubleEndedIterator<Item: AsRef<[u8]>>) -> bool {
    let last = keys.next_back().is_none_or(|last| place.holds(last.as_ref()));
    last && keys.next().is_none_or(|first| place.holds(first.as_ref()))
}

fn scattered<T>(is_group: bool) -> Option<Grouped<T>> {
    (!is_group).then_some(Grouped::Scattered)
}

fn copied<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Vec<Bytes> {
    keys.into_iter().map(|key| Bytes::copy_from_slice(key.as_ref())).collect()
}

struct BatchGet {
    keys: Vec<Bytes>,
    family: String,
}

impl BatchGet {
    fn of(client: &RawClient, group: &[&Item<()>]) -> Self {
        Self { keys: group.iter().map(|item| item.key.clone()).collect(), family: client.terms.family.clone() }
    }
}

impl Operation for BatchGet {
    const NAME: &'static str = "batch_get";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Grouped<Option<Bytes>>;
}

impl RegionOperation for BatchGet {
    type Method = rpc::RawBatchGet;

    fn spot(&self) -> Spot<'_> {
        Spot::first_of(&self.keys)
    }

    fn request(&self, _: &Place) -> RawBatchGetRequest {
        RawBatchGetRequest { context: None, keys: self.keys.clone(), cf: self.family.clone() }
    }

    fn reply(&self, _: &Place, reply: RawBatchGetResponse) -> Result<Self::Reply, Failure> {
        failure::refused_pairs(&reply.pairs)?;
        let mut pairs = reply.pairs.into_iter().peekable();
        let found = self.keys.iter().map(|key| pairs.next_if(|pair| pair.key == *key).map(|pair| pair.value));
        let found = Grouped::Done(found.collect());
        match pairs.next() {
            None => Ok(found),
            Some(_) => Err(failure::odd("the store answered with other keys than were asked for, or in another order")),
        }
    }

    fn misfit(&self, place: &Place) -> Option<Self::Reply> {
        scattered(holds_all(place, self.keys.iter()))
    }
}

struct BatchPut {
    request: RawBatchPutRequest,
    effect: Effect,
}

impl BatchPut {
    fn of(client: &RawClient, group: &[&Item<Value>]) -> Self {
        let pair =
            |item: &&Item<Value>| KvPair { key: item.key.clone(), value: item.part.value.clone(), ..KvPair::default() };
        let ttls: Vec<u64> = group.iter().map(|item| item.part.ttl).collect();
        let request = RawBatchPutRequest {
            pairs: group.iter().map(pair).collect(),
            // None is for ever, for all.
            ttls: if ttls.iter().all(|ttl| *ttl == 0) { Vec::new() } else { ttls },
            cf: client.terms.family.clone(),
            for_cas: client.terms.is_atomic,
            ..RawBatchPutRequest::default()
        };
        Self { request, effect: client.effect_of_writes() }
    }

    fn keys(&self) -> impl DoubleEndedIterator<Item = &Bytes> {
        self.request.pairs.iter().map(|pair| &pair.key)
    }
}

impl Operation for BatchPut {
    const NAME: &'static str = "batch_put";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Grouped<()>;

    fn effect(&self) -> Effect {
        self.effect
    }
}

impl RegionOperation for BatchPut {
    type Method = rpc::RawBatchPut;

    fn spot(&self) -> Spot<'_> {
        Spot::first_of(self.keys())
    }

    fn request(&self, _: &Place) -> RawBatchPutRequest {
        self.request.clone()
    }

    fn reply(&self, _: &Place, reply: RawBatchPutResponse) -> Result<Grouped<()>, Failure> {
        failure::refused(&reply.error)?;
        Ok(Grouped::Done(vec![(); self.request.pairs.len()]))
    }

    fn misfit(&self, place: &Place) -> Option<Grouped<()>> {
        scattered(holds_all(place, self.keys()))
    }
}

struct BatchDelete {
    request: RawBatchDeleteRequest,
    effect: Effect,
}

impl BatchDelete {
    fn of(client: &RawClient, group: &[&Item<()>]) -> Self {
        let request = RawBatchDeleteRequest {
            context: None,
            keys: group.iter().map(|item| item.key.clone()).collect(),
            cf: client.terms.family.clone(),
            for_cas: client.terms.is_atomic,
        };
        Self { request, effect: client.effect_of_writes() }
    }
}

impl Operation for BatchDelete {
    const NAME: &'static str = "batch_delete";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Grouped<()>;

    fn effect(&self) -> Effect {
        self.effect
    }
}

impl RegionOperation for BatchDelete {
    type Method = rpc::RawBatchDelete;

    fn spot(&self) -> Spot<'_> {
        Spot::first_of(&self.request.keys)
    }

    fn request(&self, _: &Place) -> RawBatchDeleteRequest {
        self.request.clone()
    }

    fn reply(&self, _: &Place, reply: RawBatchDeleteResponse) -> Result<Grouped<()>, Failure> {
        failure::refused(&reply.error)?;
        Ok(Grouped::Done(vec![(); self.request.keys.len()]))
    }

    fn misfit(&self, place: &Place) -> Option<Grouped<()>> {
        scattered(holds_all(place, self.request.keys.iter()))
    }
}
