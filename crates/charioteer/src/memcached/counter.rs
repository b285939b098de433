//! Calls on counters: increment, decrement, and reading one.

use std::marker::PhantomData;

use charioteer_proto::memcached::binary::{Command, Reply, Status};
use charioteer_proto::memcached::{Direction, Expiration};
use tokio::time::Instant;

use super::call::{Place, Single, found};
use super::client::Client;
use super::failure;
use super::item::Cas;
use super::key::Key;
use super::options::Protocol;
use super::ttl::Ttl;
use super::value::Encoded;
use crate::error::{Error, ErrorKind, Failure};
use crate::exec::{self, Effect, Operation};

/// What a counter stands at.
///
/// ```
/// use charioteer::memcached::{Cas, Count};
///
/// let count = Count { value: 5, cas: Cas::new(12) };
/// assert_eq!(count.value, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub value: u64,
    /// The item's version; 0, which is none, where the text protocol was spoken, which does not tell it.
    pub cas: Cas,
}

/// How a counter is changed.
///
/// ```
/// use std::time::Duration;
/// use charioteer::memcached::{CountOptions, Ttl};
///
/// let options = CountOptions::initial(10).ttl(Duration::from_secs(60));
/// assert_eq!((options.initial, options.ttl), (Some(10), Ttl::After(Duration::from_secs(60))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CountOptions {
    /// What a counter begins with that was not there; it is not counted on at once. gomemcached always says 0. Default `None`: none is
    /// made.
    pub initial: Option<u64>,
    /// How long a counter is kept that was not there. Default [`Ttl::Never`].
    pub ttl: Ttl,
    /// Counts only if the item has this version, or is not there. Default `None`.
    pub cas: Option<Cas>,
}

impl CountOptions {
    /// A counter that is made when it is not there.
    #[must_use]
    pub const fn initial(initial: u64) -> Self {
        Self { initial: Some(initial), ttl: Ttl::Never, cas: None }
    }

    /// The same for one that is kept so long.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// The same for one that must have this version.
    #[must_use]
    pub const fn cas(mut self, cas: Cas) -> Self {
        self.cas = Some(cas);
        self
    }
}

impl Client {
    /// Counts up, from 2⁶⁴ - 1 on to 0, and gives `None` where there is no counter. A counter is a value of decimal digits; what was
    /// stored as MessagePack is none.
    ///
    /// # Errors
    /// When the key is empty or too long; [`InvalidArgument`](ErrorKind::InvalidArgument) when the value is no number; when no answer was
    /// to be had in time: then it may have been counted.
    pub async fn increment(&self, key: impl AsRef<[u8]>, delta: u64) -> Result<Option<Count>, Error> {
        self.increment_with(key, delta, CountOptions::default()).await
    }

    /// Counts up, and can make the counter where there is none. The text protocol does so in several steps, between which others may
    /// come; the counter is then as if they had come before or behind.
    ///
    /// # Errors
    /// As [`increment`](Self::increment). [`Conflict`](ErrorKind::Conflict) when the item has another version.
    pub async fn increment_with(
        &self,
        key: impl AsRef<[u8]>,
        delta: u64,
        options: CountOptions,
    ) -> Result<Option<Count>, Error> {
        self.count::<Up>(key.as_ref(), delta, options).await
    }

    /// Counts down, but not below 0, and gives `None` where there is no counter. Servers keep the length of the value, and fill it up
    /// with spaces, which [`get`](Self::get) shows.
    ///
    /// # Errors
    /// As [`increment`](Self::increment).
    pub async fn decrement(&self, key: impl AsRef<[u8]>, delta: u64) -> Result<Option<Count>, Error> {
        self.decrement_with(key, delta, CountOptions::default()).await
    }

    /// Counts down, and can make the counter where there is none.
    ///
    /// # Errors
    /// As [`increment_with`](Self::increment_with).
    pub async fn decrement_with(
        &self,
        key: impl AsRef<[u8]>,
        delta: u64,
        options: CountOptions,
    ) -> Result<Option<Count>, Error> {
        self.count::<Down>(key.as_ref(), delta, options).await
    }

    /// What a counter stands at, without changing it, or `None` where there is none. gomemcached calls this `TouchAtomicValue`.
    ///
    /// # Errors
    /// As [`get`](Self::get); and [`InvalidArgument`](ErrorKind::InvalidArgument) when the value is no number.
    pub async fn counter(&self, key: impl AsRef<[u8]>) -> Result<Option<Count>, Error> {
        let key = self.options().key(ReadCounter::NAME, key.as_ref())?;
        self.run(&ReadCounter(key)).await
    }

    async fn count<W: Way>(&self, key: &[u8], delta: u64, options: CountOptions) -> Result<Option<Count>, Error> {
        let key = self.options().key(W::NAME, key)?;
        let cas = Cas::expected(options.cas, W::NAME)?;
        let expiration = options.ttl.expiration(W::NAME)?;
        let create = options.initial.map(|_| expiration);
        let initial = options.initial.unwrap_or(0);
        let counted = Counted::<W> { key, delta, initial, create, cas, way: PhantomData };
        match create {
            Some(expiration) if self.options().protocol == Protocol::Text => {
                self.count_or_add(counted, expiration).await
            }
            _ => self.run(&counted).await,
        }
    }

    /// Counts where there is a counter, makes it where there is none, and counts after all where somebody else has made it meanwhile:
    /// the text protocol has no word for all of it.
    async fn count_or_add<W: Way>(
        &self,
        counted: Counted<'_, W>,
        expiration: Expiration,
    ) -> Result<Option<Count>, Error> {
        let deadline = exec::deadline(self.timeout);
        let left = || deadline.saturating_duration_since(Instant::now());
        let (initial, counted) = (counted.initial, Counted::<W> { create: None, ..counted });
        loop {
            if let Some(count) = self.run_within(&counted, left()).await? {
                return Ok(Some(count));
            }
            let digits = Encoded::new(initial.to_string(), 0);
            let added = self.add_within(&counted.key, digits, expiration, left()).await;
            if let Some(cas) = added.map_err(|error| error.during(W::NAME))? {
                return Ok(Some(Count { value: initial, cas }));
            }
        }
    }
}

/// Up or down.
trait Way: Send + Sync {
    const NAME: &'static str;
    const DIRECTION: Direction;
}

struct Up;

impl Way for Up {
    const NAME: &'static str = "increment";
    const DIRECTION: Direction = Direction::Increment;
}

struct Down;

impl Way for Down {
    const NAME: &'static str = "decrement";
    const DIRECTION: Direction = Direction::Decrement;
}

struct Counted<'a, W> {
    key: Key<'a>,
    delta: u64,
    initial: u64,
    create: Option<Expiration>,
    cas: u64,
    way: PhantomData<W>,
}

impl<W: Way> Operation for Counted<'_, W> {
    const NAME: &'static str = W::NAME;
    const EFFECT: Effect = Effect::Changes;
    type Reply = Option<Count>;
}

impl<W: Way> Single for Counted<'_, W> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.key.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        let &Self { ref key, delta, initial, create, .. } = self;
        Command::Count { direction: W::DIRECTION, key: key.sent(), delta, initial, create }
    }

    fn cas(&self) -> u64 {
        self.cas
    }

    fn reply(&self, reply: Reply) -> Result<Option<Count>, Failure> {
        let cas = Cas::new(reply.cas);
        match (reply.status, reply.counter()) {
            (Status::OK, Some(value)) => Ok(Some(Count { value, cas })),
            (Status::OK, None) => Err(failure::senseless("the server answered with a count that is none")),
            (Status::NOT_FOUND, _) => Ok(None),
            (status, _) => Err(failure::status(status)),
        }
    }
}

struct ReadCounter<'a>(Key<'a>);

impl Operation for ReadCounter<'_> {
    const NAME: &'static str = "counter";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Option<Count>;
}

impl Single for ReadCounter<'_> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.0.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Get { key: self.0.sent(), with_key: false }
    }

    fn reply(&self, reply: Reply) -> Result<Option<Count>, Failure> {
        let read = |reply: Reply| Some(Count { value: number(&reply.value)?, cas: Cas::new(reply.cas) });
        match found(reply, read)? {
            Some(None) => Err(Failure::new(ErrorKind::InvalidArgument, "the item's value is no number")),
            count => Ok(count.flatten()),
        }
    }
}

/// A number as servers store it: with spaces behind it where it had more digits before.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii_end();
    let is_number = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_read_with_the_spaces_that_servers_leave_behind_them() {
        assert_eq!(number(b"9 "), Some(9));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for other in [&b""[..], b" ", b" 9", b"+9", b"-1", b"9x", b"18446744073709551616", b"\xff"] {
            assert_eq!(number(other), None, "{}", other.escape_ascii());
        }
    }
}
