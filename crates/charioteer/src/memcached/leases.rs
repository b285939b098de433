//! Calls of the meta protocol alone: get with options, invalidate, inspect.
//!
//! They are memcached's own tools against stampedes. An item can be made stale instead of being deleted, or be made anew before it
//! expires, or be there as a placeholder before it has a value; of all who get it then, one is told that it has won, and is to store a
//! new value, while the others are told that somebody else has. [`Client::get_or_compute`] is made of them.

use std::time::Duration;

use charioteer_proto::memcached::Expiration;
use charioteer_proto::memcached::binary::{Command, Reply};
use charioteer_proto::memcached::meta::{DebugFacts, Flag, Flags, Reply as Line, Request, Returned, Status, Verb};

use super::call::{Call, PACKET_BYTES, Place, Single, found};
use super::client::Client;
use super::dialect::{self, Answer, Expected, Question};
use super::failure;
use super::item::{Cas, Item};
use super::key::Key;
use super::options::Protocol;
use super::servers::{Held, View};
use super::ttl::Ttl;
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};

/// How an item is got, beyond what [`get`](Client::get) does.
///
/// ```
/// use std::time::Duration;
/// use charioteer::memcached::{GetOptions, Ttl};
///
/// let lease = GetOptions::default().vivify(Duration::from_secs(30)).recache(Duration::from_secs(5));
/// assert_eq!(lease.vivify, Some(Ttl::After(Duration::from_secs(30))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetOptions {
    /// Sets how long the item is kept from now on. Default `None`: it stays as it is.
    pub touch: Option<Ttl>,
    /// Makes a placeholder without a value where there is no item, kept so long, which this caller has [won](Hit::won). Default `None`:
    /// there is no item then.
    pub vivify: Option<Ttl>,
    /// Has one caller [win](Hit::won) an item that expires earlier than this from now. Default `None`.
    pub recache: Option<Duration>,
    /// Does not count as a use of the item. Default `false`.
    pub no_bump: bool,
    /// Tells [`Hit::facts`] too. Default `false`.
    pub facts: bool,
}

impl GetOptions {
    /// The same, setting how long the item is kept from now on.
    #[must_use]
    pub fn touch(mut self, ttl: impl Into<Ttl>) -> Self {
        self.touch = Some(ttl.into());
        self
    }

    /// The same, making a placeholder where there is no item.
    #[must_use]
    pub fn vivify(mut self, ttl: impl Into<Ttl>) -> Self {
        self.vivify = Some(ttl.into());
        self
    }

    /// The same, having one caller win an item that expires earlier than this from now.
    #[must_use]
    pub const fn recache(mut self, left: Duration) -> Self {
        self.recache = Some(left);
        self
    }

    /// The same, without counting as a use of the item.
    #[must_use]
    pub const fn no_bump(mut self) -> Self {
        self.no_bump = true;
        self
    }

    /// The same, telling [`Hit::facts`] too.
    #[must_use]
    pub const fn facts(mut self) -> Self {
        self.facts = true;
        self
    }

    fn flags(&self, operation: &'static str) -> Result<Flags, Error> {
        let expiration = |ttl: Option<Ttl>| ttl.map(|ttl| ttl.expiration(operation)).transpose();
        let recache = |left: Duration| Expiration::from_wire(i64::try_from(left.as_secs()).unwrap_or(i64::MAX));
        let asked = [
            Some(Flag::ReturnValue),
            Some(Flag::ReturnClientFlags),
            Some(Flag::ReturnCas),
            expiration(self.touch)?.map(Flag::Lifetime),
            expiration(self.vivify)?.map(Flag::Vivify),
            self.recache.map(recache).map(Flag::Recache),
            self.no_bump.then_some(Flag::NoBump),
        ];
        let facts = [Flag::ReturnHit, Flag::ReturnIdle, Flag::ReturnLifetime, Flag::ReturnSize];
        let facts = facts.into_iter().filter(|_| self.facts);
        Ok(asked.into_iter().flatten().chain(facts).fold(Flags::new(), Flags::with))
    }
}

/// An item, and who is to make it anew.
///
/// ```
/// # async fn run(client: charioteer::memcached::Client) -> Result<(), charioteer::Error> {
/// use std::time::Duration;
/// use charioteer::memcached::GetOptions;
///
/// let options = GetOptions::default().vivify(Duration::from_secs(10));
/// match client.get_with("key", options).await? {
///     Some(hit) if hit.won => println!("it is for us to compute and to set it"),
///     Some(hit) if hit.is_placeholder() => println!("somebody else computes it"),
///     Some(hit) => println!("{} bytes, stale: {}", hit.item.value.len(), hit.stale),
///     None => println!("nothing: only where no placeholder was asked for"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hit {
    /// The item.
    pub item: Item,
    /// Whether this caller is to store a new value; others will be told that somebody else does, until it is stored or the item is gone.
    pub won: bool,
    /// Whether the item was [invalidated](Client::invalidate).
    pub stale: bool,
    /// Whether somebody else has won it.
    pub already_won: bool,
    /// What is known of it, if it was asked for.
    pub facts: Option<ItemFacts>,
}

impl Hit {
    /// Whether there is no value yet. A value without any bytes looks the same as long as somebody is to make it anew.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.item.value.is_empty() && (self.won || self.stale || self.already_won)
    }

    fn of(told: Returned) -> Self {
        let facts = ItemFacts::of(&told);
        let item = Item::of_parts(
            told.value.unwrap_or_default(),
            told.client_flags.unwrap_or(0),
            Cas::new(told.cas.unwrap_or(0)),
        );
        Self { item, won: told.won, stale: told.stale, already_won: told.already_won, facts }
    }
}

/// What a server knows of an item.
///
/// ```
/// # async fn run(client: charioteer::memcached::Client) -> Result<(), charioteer::Error> {
/// use charioteer::memcached::GetOptions;
///
/// let options = GetOptions::default().no_bump().facts();
/// if let Some(facts) = client.get_with("key", options).await?.and_then(|hit| hit.facts) {
///     println!("{} bytes, kept for {:?}", facts.size, facts.remaining);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ItemFacts {
    /// Whether it had been got before.
    pub hit_before: bool,
    /// For how long it had not been used.
    pub idle: Duration,
    /// For how long it is still kept; `None` if it does not expire.
    pub remaining: Option<Duration>,
    /// How long its value is; how much memory it takes, where it was [inspected](Client::inspect).
    pub size: u64,
}

impl ItemFacts {
    fn of(told: &Returned) -> Option<Self> {
        Some(Self {
            hit_before: told.hit?,
            idle: seconds(told.idle_seconds?),
            remaining: told.remaining?.map(seconds),
            size: told.size?,
        })
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// What a server tells of an item to those who look for errors.
///
/// ```
/// # async fn run(client: charioteer::memcached::Client) -> Result<(), charioteer::Error> {
/// if let Some(item) = client.inspect("key").await? {
///     println!("{} bytes of class {}", item.facts.size, item.class);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspected {
    /// What is known of it.
    pub facts: ItemFacts,
    /// Its version.
    pub cas: Cas,
    /// The class of memory that it takes.
    pub class: u32,
}

impl Inspected {
    fn of(facts: DebugFacts) -> Self {
        let DebugFacts { remaining, idle_seconds, cas, hit, class, total_size } = facts;
        let (idle, remaining) = (seconds(idle_seconds), remaining.map(seconds));
        Self { facts: ItemFacts { hit_before: hit, idle, remaining, size: total_size }, cas: Cas::new(cas), class }
    }
}

/// How an item is made stale.
///
/// ```
/// use std::time::Duration;
/// use charioteer::memcached::{Cas, InvalidateOptions, Ttl};
///
/// let options = InvalidateOptions::ttl(Duration::from_secs(30)).cas(Cas::new(12));
/// assert_eq!(options.ttl, Some(Ttl::After(Duration::from_secs(30))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidateOptions {
    /// How long the stale item is kept from now on. Default `None`: as long as it was to be kept.
    pub ttl: Option<Ttl>,
    /// Only if the item has this version. Default `None`.
    pub cas: Option<Cas>,
    /// The version that the stale item gets, instead of the server's next. Default `None`. Servers know it since 1.6.19.
    pub new_cas: Option<Cas>,
    /// Takes the value away, so that nobody is given the stale one. Default `false`. Servers know it since 1.6.19 or later.
    pub remove_value: bool,
}

impl InvalidateOptions {
    /// A stale item that is kept so long.
    pub fn ttl(ttl: impl Into<Ttl>) -> Self {
        Self { ttl: Some(ttl.into()), ..Self::default() }
    }

    /// The same for an item that must have this version.
    #[must_use]
    pub const fn cas(mut self, cas: Cas) -> Self {
        self.cas = Some(cas);
        self
    }

    /// The same, with this as the stale item's version.
    #[must_use]
    pub const fn new_cas(mut self, cas: Cas) -> Self {
        self.new_cas = Some(cas);
        self
    }

    /// The same, taking the value away.
    #[must_use]
    pub const fn remove_value(mut self) -> Self {
        self.remove_value = true;
        self
    }
}

impl Client {
    /// The item under a key, or `None` when there is none, got in one of the ways that the meta protocol has.
    ///
    /// # Errors
    /// As [`get`](Self::get); when a time makes no sense; [`Unsupported`](crate::ErrorKind::Unsupported) when another protocol than meta
    /// is [spoken](super::Options::protocol).
    pub async fn get_with(&self, key: impl AsRef<[u8]>, options: GetOptions) -> Result<Option<Hit>, Error> {
        self.get_within(key.as_ref(), options, self.timeout).await
    }

    /// The same within another time.
    pub(super) async fn get_within(
        &self,
        key: &[u8],
        options: GetOptions,
        timeout: Duration,
    ) -> Result<Option<Hit>, Error> {
        let key = self.options().key(GetWith::NAME, key)?;
        let flags = options.flags(GetWith::NAME)?;
        let Some(mut hit) = self.run_within(&GetWith { key, flags }, timeout).await? else {
            return Ok(None);
        };
        hit.item = self.options().decompressed(GetWith::NAME, hit.item)?;
        Ok(Some(hit))
    }

    /// Makes an item stale that is kept so long from now on, and says whether there was one. The next who [gets](Self::get_with) it
    /// wins it; all others may use the stale value meanwhile.
    ///
    /// # Errors
    /// As [`touch`](Self::touch); [`Unsupported`](crate::ErrorKind::Unsupported) when another protocol than meta is
    /// [spoken](super::Options::protocol).
    pub async fn invalidate(&self, key: impl AsRef<[u8]>, ttl: impl Into<Ttl>) -> Result<bool, Error> {
        self.invalidate_with(key, InvalidateOptions::ttl(ttl)).await
    }

    /// Makes an item stale, and says whether there was one.
    ///
    /// # Errors
    /// As [`invalidate`](Self::invalidate). [`Conflict`](crate::ErrorKind::Conflict) when the item has another version.
    pub async fn invalidate_with(&self, key: impl AsRef<[u8]>, options: InvalidateOptions) -> Result<bool, Error> {
        let key = self.options().key(Invalidate::NAME, key.as_ref())?;
        let cas = Cas::expected(options.cas, Invalidate::NAME)?;
        let expiration = options.ttl.map(|ttl| ttl.expiration(Invalidate::NAME)).transpose()?;
        let flags = [
            Some(Flag::Invalidate),
            expiration.map(Flag::Lifetime),
            options.new_cas.map(|cas| Flag::NewCas(cas.get())),
            options.remove_value.then_some(Flag::RemoveValue),
        ];
        let flags = flags.into_iter().flatten().fold(Flags::new(), Flags::with);
        self.run(&Invalidate { key, cas, flags }).await
    }

    /// What the server knows of an item, or `None` when there is none. It does not count as a use of the item. memcached tells an item
    /// that expires in one second as one that does not expire.
    ///
    /// # Errors
    /// As [`get_with`](Self::get_with).
    pub async fn inspect(&self, key: impl AsRef<[u8]>) -> Result<Option<Inspected>, Error> {
        let key = self.options().key(Inspect::NAME, key.as_ref())?;
        self.run(&Inspect(key)).await
    }
}

struct GetWith<'a> {
    key: Key<'a>,
    flags: Flags,
}

impl Operation for GetWith<'_> {
    const NAME: &'static str = "get_with";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Option<Hit>;
}

impl Call for GetWith<'_> {
    fn server(&self, view: &View) -> Result<Held, Failure> {
        view.find(self.key.placed()).cloned()
    }

    fn check(&self, protocol: Protocol) -> Result<(), Failure> {
        dialect::check_flags(protocol, &self.flags)
    }

    fn bytes(&self) -> usize {
        PACKET_BYTES
    }

    fn write(&self, question: Question<'_>) -> Expected {
        question.meta(Request { verb: Verb::Get, key: self.key.sent(), flags: self.flags, value: b"" })
    }

    fn read(&self, answer: Answer) -> Result<Option<Hit>, Failure> {
        match answer.told()? {
            Line::Item(told) if told.status == Status::Missing => Ok(None),
            Line::Item(told) if told.status == Status::Done && told.value.is_some() => Ok(Some(Hit::of(told))),
            _ => Err(failure::senseless("the server answered a get with something else than an item")),
        }
    }
}

struct Invalidate<'a> {
    key: Key<'a>,
    cas: u64,
    flags: Flags,
}

impl Operation for Invalidate<'_> {
    const NAME: &'static str = "invalidate";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = bool;

    /// Where the item must have a version, it has another one after the first time.
    fn effect(&self) -> Effect {
        if self.cas == 0 { Self::EFFECT } else { Effect::Changes }
    }
}

impl Single for Invalidate<'_> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.key.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Delete { key: self.key.sent() }
    }

    fn cas(&self) -> u64 {
        self.cas
    }

    fn flags(&self) -> Option<Flags> {
        Some(self.flags)
    }

    fn reply(&self, reply: Reply) -> Result<bool, Failure> {
        found(reply, |_| ()).map(|found| found.is_some())
    }
}

struct Inspect<'a>(Key<'a>);

impl Operation for Inspect<'_> {
    const NAME: &'static str = "inspect";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Option<Inspected>;
}

impl Call for Inspect<'_> {
    fn server(&self, view: &View) -> Result<Held, Failure> {
        view.find(self.0.placed()).cloned()
    }

    fn check(&self, protocol: Protocol) -> Result<(), Failure> {
        dialect::check_flags(protocol, &Flags::new())
    }

    fn bytes(&self) -> usize {
        PACKET_BYTES
    }

    fn write(&self, question: Question<'_>) -> Expected {
        question.debug(self.0.sent())
    }

    fn read(&self, answer: Answer) -> Result<Option<Inspected>, Failure> {
        match answer.told()? {
            Line::Debug { facts, .. } => Ok(Some(Inspected::of(facts))),
            _ => Ok(None),
        }
    }
}
