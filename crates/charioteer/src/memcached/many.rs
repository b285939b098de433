//! Calls on many items at once: the keys of each server in one go, all servers at the same time, and a result for each key.

use std::sync::Arc;

use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Status};
use charioteer_proto::memcached::{Expiration, StoreMode};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::call::{Call, PACKET_BYTES, found};
use super::client::Client;
use super::dialect::{self, Answer, Expected, Question};
use super::failure;
use super::item::{Cas, Item};
use super::key::Key;
use super::options::Protocol;
use super::servers::{Server, View};
use super::ttl::Ttl;
use super::value::{Encode, Encoded};
use crate::error::{Error, ErrorKind, Failure, Outcome};
use crate::exec::{self, Effect, Operation};

/// How many keys go in one request at most, and about how many bytes. What is more goes in several at the same time.
pub(super) const GROUP_KEYS: usize = 1000;
const GROUP_BYTES: usize = 1 << 20;

impl Client {
    /// The items under some keys: for each key, in the keys' order, its item, or `None` when there is none, or why that is not known.
    /// A server that does not answer leaves the keys of others alone.
    pub async fn get_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Vec<Result<Option<Item>, Error>> {
        let keys: Vec<K> = keys.into_iter().collect();
        let items: Vec<_> = keys.iter().map(|key| self.part(GetMany::NAME, key.as_ref(), Ok(()))).collect();
        let items = self.each(&items, |group, _| GetMany(group)).await;
        self.options().all_decompressed(GetMany::NAME, items)
    }

    /// Stores some values: for each, in their order, the item's new version, or why it may not have been stored. All are kept as long;
    /// of two values with the same key one is stored.
    pub async fn set_many<K: AsRef<[u8]>, V: Encode>(
        &self,
        items: impl IntoIterator<Item = (K, V)>,
        ttl: impl Into<Ttl>,
    ) -> Vec<Result<Cas, Error>> {
        let expiration = ttl.into().expiration(SetMany::NAME);
        let items: Vec<(K, V)> = items.into_iter().collect();
        let (keys, values): (Vec<K>, Vec<V>) = items.into_iter().unzip();
        let value = |value| expiration.clone().and_then(|_| self.encoded(SetMany::NAME, value));
        let items = keys.iter().zip(values.into_iter().map(value));
        let items: Vec<_> = items.map(|(key, value)| self.part(SetMany::NAME, key.as_ref(), value)).collect();
        let expiration = expiration.clone().unwrap_or_default();
        self.each(&items, |group, values| SetMany { group, values, expiration }).await
    }

    /// Deletes some items: for each key, in the keys' order, whether there was an item, or why it may not have been deleted.
    pub async fn delete_many<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Vec<Result<bool, Error>> {
        let keys: Vec<K> = keys.into_iter().collect();
        let items: Vec<_> = keys.iter().map(|key| self.part(DeleteMany::NAME, key.as_ref(), Ok(()))).collect();
        self.each(&items, |group, _| DeleteMany(group)).await
    }

    fn part<'a, P>(&self, name: &'static str, key: &'a [u8], value: Result<P, Error>) -> Part<'a, P> {
        Ok((self.options().key(name, key)?, value?))
    }

    /// Carries out an operation on groups of parts, and once more with other groups on those whose servers have changed meanwhile.
    async fn each<'a, P: Weight, T, O>(
        &self,
        parts: &'a [Part<'a, P>],
        operation: impl Fn(Group<'a>, Vec<&'a P>) -> O,
    ) -> Vec<Result<T, Error>>
    where
        O: Call<Reply = Vec<Result<T, Failure>>>,
    {
        let deadline = exec::deadline(self.timeout);
        let mut results: Vec<Option<Result<T, Error>>> = parts.iter().map(|_| None).collect();
        let mut left: Vec<usize> = (0..parts.len()).collect();
        // What one server may have carried out before another one was asked.
        let mut unknown = vec![false; parts.len()];
        while !left.is_empty() {
            let groups = self.groups::<P, T>(O::NAME, parts, &left, &mut results);
            left.clear();
            let ask = |group: Group<'a>| {
                let (generation, places) = (group.generation, group.places.clone());
                let values = places.iter().filter_map(|at| parts[*at].as_ref().ok()).map(|(_, value)| value);
                let operation = operation(group, values.collect());
                let within = deadline.saturating_duration_since(Instant::now());
                async move { (generation, places, self.run_within(&operation, within).await) }
            };
            for (generation, places, reply) in join_all(groups.into_iter().map(ask)).await {
                match reply {
                    Ok(replies) => {
                        for (at, reply) in places.into_iter().zip(replies) {
                            results[at] = Some(reply.map_err(|failure| Error::from(failure).during(O::NAME)));
                        }
                    }
                    Err(error) if self.may_go_elsewhere(&error, generation, deadline) => {
                        places.iter().for_each(|at| unknown[*at] |= error.outcome() == Outcome::Unknown);
                        left.extend(places);
                    }
                    Err(error) => places.into_iter().for_each(|at| results[at] = Some(Err(error.clone()))),
                }
            }
        }
        let unanswered = || Error::from(failure::senseless("the server left a part unanswered")).during(O::NAME);
        let results = results.into_iter().map(|result| result.unwrap_or_else(|| Err(unanswered())));
        let known = |(result, unknown): (Result<T, Error>, _)| {
            result.map_err(|error| if unknown { error.unknown() } else { error })
        };
        results.zip(unknown).map(known).collect()
    }

    /// Whether keys may belong to another server than the one that has failed them. What can be done in groups may be done twice.
    fn may_go_elsewhere(&self, error: &Error, generation: u64, deadline: Instant) -> bool {
        let has_changed = self.servers.view().is_ok_and(|view| view.generation != generation);
        error.kind() == ErrorKind::Unavailable && has_changed && Instant::now() < deadline
    }

    /// Puts together the parts that go to the same server, and notes what is wrong with others.
    fn groups<'a, P: Weight, T>(
        &self,
        name: &'static str,
        parts: &'a [Part<'a, P>],
        left: &[usize],
        results: &mut [Option<Result<T, Error>>],
    ) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let view = self.servers.view();
        for &at in left {
            let found = parts[at].as_ref().map_err(Error::clone).and_then(|(key, value)| {
                let server =
                    view.as_ref().map_err(Failure::clone).and_then(|view| Ok((view, view.find(key.placed())?)));
                let (view, server) = server.map_err(|failure| Error::from(failure).during(name))?;
                let key = key.sent();
                Ok((view.generation, server, key, PACKET_BYTES + key.len() + value.bytes()))
            });
            match found {
                Err(error) => results[at] = Some(Err(error)),
                Ok((generation, server, key, bytes)) => {
                    // The last of a server's groups is the one that may have room.
                    let open = groups.iter_mut().rev().find(|group| Arc::ptr_eq(&group.server, server));
                    let group = match open.filter(|group| group.has_room(bytes)) {
                        Some(group) => group,
                        None => {
                            groups.push(Group::new(Arc::clone(server), generation));
                            let last = groups.len() - 1;
                            &mut groups[last]
                        }
                    };
                    group.push(at, key, bytes);
                }
            }
        }
        groups
    }
}

/// A part of a call, if nothing is wrong with it.
type Part<'a, P> = Result<(Key<'a>, P), Error>;

/// What there is beside the key.
trait Weight: Sync {
    fn bytes(&self) -> usize;
}

impl Weight for () {
    fn bytes(&self) -> usize {
        0
    }
}

impl Weight for Encoded {
    fn bytes(&self) -> usize {
        self.value.len()
    }
}

/// Keys of one server.
struct Group<'a> {
    server: Arc<Server>,
    /// Of the view in which they are that server's.
    generation: u64,
    keys: Vec<&'a [u8]>,
    /// Where they stand in the call.
    places: Vec<usize>,
    bytes: usize,
}

impl<'a> Group<'a> {
    const fn new(server: Arc<Server>, generation: u64) -> Self {
        Self { server, generation, keys: Vec::new(), places: Vec::new(), bytes: 0 }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.keys.len() < GROUP_KEYS && self.bytes + bytes <= GROUP_BYTES
    }

    fn push(&mut self, place: usize, key: &'a [u8], bytes: usize) {
        self.keys.push(key);
        self.places.push(place);
        self.bytes += bytes;
    }

    fn server(&self, view: &View) -> Result<Arc<Server>, Failure> {
        if view.generation == self.generation { Ok(Arc::clone(&self.server)) } else { Err(failure::moved()) }
    }

    /// The replies to commands that are all answered.
    fn replies<T>(
        &self,
        answer: Answer,
        opcode: Opcode,
        read: impl Fn(Reply) -> Result<T, Failure>,
    ) -> Result<Vec<Result<T, Failure>>, Failure> {
        if answer.parts.len() + 1 != self.keys.len() {
            return Err(failure::senseless("the server answered more or less than it was asked"));
        }
        let replies = answer.parts.into_iter().chain([answer.last]);
        let asked = |reply: Reply| if reply.opcode == opcode { Ok(read(reply)) } else { Err(failure::unasked(&reply)) };
        replies.map(asked).collect()
    }
}

/// Gets that are answered with their keys where there is an item.
struct GetMany<'a>(Group<'a>);

impl Operation for GetMany<'_> {
    const NAME: &'static str = "get_many";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Vec<Result<Option<Item>, Failure>>;
}

impl Call for GetMany<'_> {
    fn server(&self, view: &View) -> Result<Arc<Server>, Failure> {
        self.0.server(view)
    }

    fn bytes(&self) -> usize {
        self.0.bytes
    }

    fn write(&self, question: Question<'_>) -> Expected {
        question.items(&self.0.keys)
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        if answer.last.opcode != Opcode::NOOP {
            return Err(failure::unasked(&answer.last));
        }
        if answer.last.status != Status::OK {
            return Err(failure::status(answer.last.status));
        }
        let mut items: Vec<_> = self.0.keys.iter().map(|_| Ok(None)).collect();
        let mut at = 0;
        for part in answer.parts {
            if part.opcode.loud() != Opcode::GET_WITH_KEY {
                return Err(failure::unasked(&part));
            }
            if part.status != Status::OK {
                // It does not say which key it is about.
                return Err(failure::status(part.status));
            }
            // Answers come in the order of the keys.
            let skipped = self.0.keys[at..].iter().position(|key| *key == part.key);
            let skipped =
                skipped.ok_or_else(|| failure::senseless("the server answered with a key that was not asked for"))?;
            items[at + skipped] = Ok(Some(Item::of(part)));
            at += skipped + 1;
        }
        Ok(items)
    }
}

/// Sets that are all answered, as the answers carry the new versions.
struct SetMany<'a> {
    group: Group<'a>,
    values: Vec<&'a Encoded>,
    expiration: Expiration,
}

impl Operation for SetMany<'_> {
    const NAME: &'static str = "set_many";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Vec<Result<Cas, Failure>>;
}

impl Call for SetMany<'_> {
    fn server(&self, view: &View) -> Result<Arc<Server>, Failure> {
        self.group.server(view)
    }

    fn check(&self, protocol: Protocol) -> Result<(), Failure> {
        dialect::check_expiration(protocol, self.expiration)
    }

    fn bytes(&self) -> usize {
        self.group.bytes
    }

    fn write(&self, question: Question<'_>) -> Expected {
        let expiration = self.expiration;
        let items = self.group.keys.iter().zip(&self.values);
        question.each(items.map(|(key, Encoded { value, flags })| Command::Store {
            mode: StoreMode::Set,
            key: *key,
            value: &value[..],
            flags: *flags,
            expiration,
        }))
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        self.group.replies(answer, Opcode::SET, |reply| match reply.status {
            Status::OK => Ok(Cas::new(reply.cas)),
            status => Err(failure::status(status)),
        })
    }
}

struct DeleteMany<'a>(Group<'a>);

impl Operation for DeleteMany<'_> {
    const NAME: &'static str = "delete_many";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Vec<Result<bool, Failure>>;
}

impl Call for DeleteMany<'_> {
    fn server(&self, view: &View) -> Result<Arc<Server>, Failure> {
        self.0.server(view)
    }

    fn bytes(&self) -> usize {
        self.0.bytes
    }

    fn write(&self, question: Question<'_>) -> Expected {
        question.each(self.0.keys.iter().map(|key| Command::Delete { key: *key }))
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        self.0.replies(answer, Opcode::DELETE, |reply| found(reply, |_| ()).map(|found| found.is_some()))
    }
}
