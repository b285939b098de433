//! Calls on many items at once: the keys of each server in one go, all servers at the same time, and a result for each key.

use std::sync::Arc;

use charioteer_proto::memcached::binary::{Command, Opcode, Reply, Status};
use charioteer_proto::memcached::{Expiration, StoreMode};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::call::{Call, PACKET_BYTES, found};
use super::client::Client;
use super::dialect::{self, Answer, Expected, Question, Rest};
use super::failure;
use super::item::{Cas, Item};
use super::key::Key;
use super::options::Protocol;
use super::servers::{Held, View};
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
        let versions = self.versions;
        let items = self.each(&items, |group| GetMany { group, versions }).await;
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
        let (expiration, versions) = (expiration.clone().unwrap_or_default(), self.versions);
        self.each(&items, |group| SetMany { group, expiration, versions }).await
    }

    /// Deletes some items: for each key, in the keys' order, whether there was an item, or why it may not have been deleted.
    pub async fn delete_many<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Vec<Result<bool, Error>> {
        let keys: Vec<K> = keys.into_iter().collect();
        let items: Vec<_> = keys.iter().map(|key| self.part(DeleteMany::NAME, key.as_ref(), Ok(()))).collect();
        self.each(&items, DeleteMany).await
    }

    fn part<'a, P>(&self, name: &'static str, key: &'a [u8], value: Result<P, Error>) -> Part<'a, P> {
        Ok((self.options().key(name, key)?, value?))
    }

    /// Carries out an operation on groups of parts, and once more with other groups on those whose servers have changed meanwhile.
    async fn each<'a, P: Weight, T, O>(
        &self,
        parts: &'a [Part<'a, P>],
        operation: impl Fn(Arc<Group<'a, P>>) -> O,
    ) -> Vec<Result<T, Error>>
    where
        O: Call<Reply = Vec<Result<T, Error>>>,
    {
        let deadline = exec::deadline(self.timeout);
        let ask = |group: Group<'a, P>| {
            let group = Arc::new(group);
            let operation = operation(Arc::clone(&group));
            let within = deadline.saturating_duration_since(Instant::now());
            async move { (group, self.run_within(&operation, within).await) }
        };
        let mut results: Vec<Option<Result<T, Error>>> = parts.iter().map(|_| None).collect();
        let mut left: Vec<usize> = (0..parts.len()).collect();
        // What one server may have carried out before another one was asked.
        let mut unknown = Vec::new();
        while !left.is_empty() {
            let groups = self.groups::<P, T>(O::NAME, parts, &left, &mut results);
            left.clear();
            for (group, reply) in join_all(groups.into_iter().map(ask)).await {
                match reply {
                    // Most calls are for one server.
                    Ok(replies) if group.parts.len() == parts.len() && replies.len() == parts.len() => return replies,
                    Ok(replies) => group.places().zip(replies).for_each(|(at, reply)| results[at] = Some(reply)),
                    Err(error) if self.may_go_elsewhere(&error, group.generation, deadline) => {
                        unknown.extend(group.places().filter(|_| error.outcome() == Outcome::Unknown));
                        left.extend(group.places());
                    }
                    Err(error) => group.places().for_each(|at| results[at] = Some(Err(error.clone()))),
                }
            }
        }
        for at in unknown {
            results[at] = results[at].take().map(|result| result.map_err(Error::unknown));
        }
        let unanswered = || Error::from(failure::senseless("the server left a part unanswered")).during(O::NAME);
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(unanswered()))).collect()
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
    ) -> Vec<Group<'a, P>> {
        let mut groups: Vec<Group<'a, P>> = Vec::new();
        let view = self.servers.view();
        for (&at, before) in left.iter().zip(0..) {
            let found = parts[at].as_ref().map_err(Error::clone).and_then(|part| {
                let view = view.as_ref().map_err(Failure::clone);
                let found = view.and_then(|view| Ok((view, view.find(part.0.placed())?)));
                let (view, server) = found.map_err(|failure| Error::from(failure).during(name))?;
                Ok((view, server, part))
            });
            let (view, server, part) = match found {
                Ok(found) => found,
                Err(error) => {
                    results[at] = Some(Err(error));
                    continue;
                }
            };
            let bytes = PACKET_BYTES + part.0.sent().len() + part.1.bytes();
            // The last of a server's groups is the one that may have room.
            let open = groups.iter_mut().rev().find(|group| Arc::ptr_eq(&group.server, server));
            match open.filter(|group| group.has_room(bytes)) {
                Some(group) => group.push(at, part, bytes),
                None => {
                    let expected = (left.len() - before).div_ceil(view.servers.len()).min(GROUP_KEYS);
                    let mut group = Group::new(Arc::clone(server), view.generation, expected);
                    group.push(at, part, bytes);
                    groups.push(group);
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

/// Parts that go to one server.
struct Group<'a, P> {
    server: Held,
    /// Of the view in which they are that server's.
    generation: u64,
    /// With their places in the call.
    parts: Vec<(usize, &'a (Key<'a>, P))>,
    bytes: usize,
}

impl<'a, P> Group<'a, P> {
    fn new(server: Held, generation: u64, expected: usize) -> Self {
        Self { server, generation, parts: Vec::with_capacity(expected), bytes: 0 }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.parts.len() < GROUP_KEYS && self.bytes + bytes <= GROUP_BYTES
    }

    fn push(&mut self, place: usize, part: &'a (Key<'a>, P), bytes: usize) {
        self.parts.push((place, part));
        self.bytes += bytes;
    }

    fn server(&self, view: &View) -> Result<Held, Failure> {
        if view.generation == self.generation { Ok(Arc::clone(&self.server)) } else { Err(failure::moved()) }
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().map(|(place, _)| *place)
    }

    fn keys(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.parts.iter().map(|(_, part)| part.0.sent())
    }

    /// The replies to commands that are all answered.
    fn replies<T>(
        &self,
        answer: Answer,
        opcode: Opcode,
        read: impl Fn(Reply) -> Result<T, Error>,
    ) -> Result<Vec<Result<T, Error>>, Failure> {
        let (last, Rest { parts, .. }) = answer.split();
        if parts.len() + 1 != self.parts.len() {
            return Err(failure::senseless("the server answered more or less than it was asked"));
        }
        let replies = parts.into_iter().chain([last]);
        let asked = |reply: Reply| if reply.opcode == opcode { Ok(read(reply)) } else { Err(failure::unasked(&reply)) };
        replies.map(asked).collect()
    }

    /// The replies to commands of which only those that failed were answered.
    fn exceptions<T: Clone>(
        &self,
        answer: Answer,
        opcode: Opcode,
        common: &T,
        read: impl Fn(Reply) -> Result<T, Error>,
    ) -> Result<Vec<Result<T, Error>>, Failure> {
        let (last, Rest { parts, .. }) = ended(answer)?;
        let mut results: Vec<_> = self.parts.iter().map(|_| Ok(common.clone())).collect();
        for part in parts {
            let result = results.get_mut(dialect::place_of(&part, &last));
            let result = result.filter(|_| part.opcode.loud() == opcode).ok_or_else(|| failure::unasked(&part))?;
            *result = read(part);
        }
        Ok(results)
    }
}

/// What was answered before a no-op, if that was answered too, behind all that was asked before it.
fn ended(answer: Answer) -> Result<(Reply, Rest), Failure> {
    match answer.last.status {
        _ if answer.last.opcode != Opcode::NOOP => Err(failure::unasked(&answer.last)),
        Status::OK => Ok(answer.split()),
        status => Err(failure::status(status)),
    }
}

/// Gets that are answered where there is an item.
struct GetMany<'a> {
    group: Arc<Group<'a, ()>>,
    versions: bool,
}

impl Operation for GetMany<'_> {
    const NAME: &'static str = "get_many";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Vec<Result<Option<Item>, Error>>;
}

impl Call for GetMany<'_> {
    fn server(&self, view: &View) -> Result<Held, Failure> {
        self.group.server(view)
    }

    fn bytes(&self) -> usize {
        self.group.bytes
    }

    fn write(&self, question: Question<'_>) -> Expected {
        question.items(self.group.keys(), self.versions)
    }

    fn key_at(&self, place: usize) -> Option<&[u8]> {
        self.group.keys().nth(place)
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        let (_, Rest { parts, items, .. }) = ended(answer)?;
        if let Some(part) = parts.first() {
            let is_asked = part.opcode.loud() == Opcode::GET_WITH_KEY && part.status != Status::OK;
            // It does not say which key it is about.
            return Err(if is_asked { failure::status(part.status) } else { failure::unasked(part) });
        }
        let items = items.under(self.group.keys(), Ok);
        items.ok_or_else(|| failure::senseless("the server answered with a key that was not asked for"))
    }
}

/// Sets that are all answered, where the answers carry the new versions and these are wanted.
struct SetMany<'a> {
    group: Arc<Group<'a, Encoded>>,
    expiration: Expiration,
    versions: bool,
}

impl Operation for SetMany<'_> {
    const NAME: &'static str = "set_many";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Vec<Result<Cas, Error>>;
}

impl Call for SetMany<'_> {
    fn server(&self, view: &View) -> Result<Held, Failure> {
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
        let commands = self.group.parts.iter().map(|(_, (key, Encoded { value, flags }))| Command::Store {
            mode: StoreMode::Set,
            key: key.sent(),
            value: &value[..],
            flags: *flags,
            expiration,
        });
        if self.versions { question.each(commands) } else { question.quiet(commands) }
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        let read = |reply: Reply| match reply.status {
            Status::OK => Ok(Cas::new(reply.cas)),
            status => Err(Error::from(failure::status(status)).during(Self::NAME)),
        };
        if answer.last.opcode == Opcode::NOOP {
            return self.group.exceptions(answer, Opcode::SET, &Cas::new(0), read);
        }
        self.group.replies(answer, Opcode::SET, read)
    }
}

struct DeleteMany<'a>(Arc<Group<'a, ()>>);

impl Operation for DeleteMany<'_> {
    const NAME: &'static str = "delete_many";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Vec<Result<bool, Error>>;
}

impl Call for DeleteMany<'_> {
    fn server(&self, view: &View) -> Result<Held, Failure> {
        self.0.server(view)
    }

    fn bytes(&self) -> usize {
        self.0.bytes
    }

    fn write(&self, question: Question<'_>) -> Expected {
        question.each(self.0.keys().map(|key| Command::Delete { key }))
    }

    fn read(&self, answer: Answer) -> Result<Self::Reply, Failure> {
        self.0.replies(answer, Opcode::DELETE, |reply| {
            let found = found(reply, |_| ()).map_err(|failure| Error::from(failure).during(Self::NAME))?;
            Ok(found.is_some())
        })
    }
}
