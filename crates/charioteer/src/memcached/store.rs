//! Calls that store a value: set, add, replace, append, prepend.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use charioteer_proto::memcached::binary::{Command, Reply, Status};
use charioteer_proto::memcached::meta::{Flag, Flags};
use charioteer_proto::memcached::{Expiration, StoreMode};

use super::call::{Place, Single};
use super::client::Client;
use super::failure;
use super::item::Cas;
use super::key::Key;
use super::ttl::Ttl;
use super::value::{Encode, Encoded};
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};

/// How a value is stored.
///
/// ```
/// use std::time::Duration;
/// use charioteer::memcached::{Cas, StoreOptions, Ttl};
///
/// let options = StoreOptions::ttl(Duration::from_secs(60)).cas(Cas::new(12));
/// assert_eq!((options.ttl, options.cas), (Ttl::After(Duration::from_secs(60)), Some(Cas::new(12))));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// How long the item is kept; values that are appended or prepended leave it as it is. Default [`Ttl::Never`].
    pub ttl: Ttl,
    /// Stores only if there is an item of this version. Default `None`.
    pub cas: Option<Cas>,
    /// The version that the item gets, instead of the server's next. Default `None`. In the meta protocol alone; servers know it since
    /// 1.6.19.
    pub new_cas: Option<Cas>,
    /// Stores also in the place of an item that is newer than [`cas`](Self::cas) says, but as a stale one, which somebody wins that
    /// [gets](Client::get_with) it. Default `false`. In the meta protocol alone.
    pub invalidate_older: bool,
    /// What is appended or prepended makes an item where there is none, which is kept so long. Default `None`. In the meta protocol
    /// alone; servers know it since 1.6.19 or later.
    pub vivify: Option<Ttl>,
    /// Stores the value as it is, whatever [`Options::compression`](super::Options::compression) says: for values that are appended to.
    /// Default no.
    pub uncompressed: bool,
}

impl StoreOptions {
    /// An item that is kept so long.
    pub fn ttl(ttl: impl Into<Ttl>) -> Self {
        Self { ttl: ttl.into(), ..Self::default() }
    }

    /// The same for an item that must have this version.
    #[must_use]
    pub const fn cas(mut self, cas: Cas) -> Self {
        self.cas = Some(cas);
        self
    }

    /// The same for an item that gets this version.
    #[must_use]
    pub const fn new_cas(mut self, cas: Cas) -> Self {
        self.new_cas = Some(cas);
        self
    }

    /// The same, storing a stale item in the place of a newer one.
    #[must_use]
    pub const fn invalidate_older(mut self) -> Self {
        self.invalidate_older = true;
        self
    }

    /// The same, making an item where there is none to append or to prepend to.
    #[must_use]
    pub fn vivify(mut self, ttl: impl Into<Ttl>) -> Self {
        self.vivify = Some(ttl.into());
        self
    }

    /// What only the meta protocol can say of it.
    fn flags(&self, operation: &'static str) -> Result<Option<Box<Flags>>, Error> {
        let vivify = self.vivify.map(|ttl| ttl.expiration(operation)).transpose()?;
        let flags = [
            self.new_cas.map(|cas| Flag::NewCas(cas.get())),
            self.invalidate_older.then_some(Flag::Invalidate),
            vivify.map(Flag::Vivify),
        ];
        let mut flags = flags.into_iter().flatten().peekable();
        let has_any = flags.peek().is_some();
        Ok(has_any.then(|| Box::new(flags.fold(Flags::new(), Flags::with))))
    }

    /// The same for a value that is stored as it is.
    #[must_use]
    pub const fn uncompressed(mut self) -> Self {
        self.uncompressed = true;
        self
    }
}

impl Client {
    /// Stores a value, which does not expire, whatever there was before.
    ///
    /// # Errors
    /// When the key is empty or too long, the value can't be encoded or is too large for the server, or no answer was to be had in
    /// time; then the value may have been stored.
    pub async fn set(&self, key: impl AsRef<[u8]>, value: impl Encode) -> Result<Cas, Error> {
        let stored = self.store::<Set>(key.as_ref(), value, StoreOptions::default()).await?;
        stored.ok_or_else(|| Error::from(failure::gone()).during(Set::NAME))
    }

    /// Stores a value with a time to live, or only if the item has a certain version.
    ///
    /// # Errors
    /// As [`set`](Self::set). [`Conflict`](crate::ErrorKind::Conflict) when the item has another version, or is gone. When the time to
    /// live makes no sense.
    pub async fn set_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Encode,
        options: StoreOptions,
    ) -> Result<Cas, Error> {
        let stored = self.store::<Set>(key.as_ref(), value, options).await?;
        stored.ok_or_else(|| Error::from(failure::gone()).during(Set::NAME))
    }

    /// Stores a value where there is none, and gives `None` where there is one.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn add(&self, key: impl AsRef<[u8]>, value: impl Encode) -> Result<Option<Cas>, Error> {
        self.add_with(key, value, StoreOptions::default()).await
    }

    /// Stores a value with a time to live where there is none, and gives `None` where there is one. With a version it replaces an
    /// item of that version, as memcached does it, and gives `None` where there is none.
    ///
    /// # Errors
    /// As [`set_with`](Self::set_with).
    pub async fn add_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Encode,
        options: StoreOptions,
    ) -> Result<Option<Cas>, Error> {
        self.store::<Add>(key.as_ref(), value, options).await
    }

    /// Stores a value in the place of another, and gives `None` where there is none.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn replace(&self, key: impl AsRef<[u8]>, value: impl Encode) -> Result<Option<Cas>, Error> {
        self.replace_with(key, value, StoreOptions::default()).await
    }

    /// Stores a value with a time to live in the place of another, and gives `None` where there is none.
    ///
    /// # Errors
    /// As [`set_with`](Self::set_with), but for items that are gone.
    pub async fn replace_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Encode,
        options: StoreOptions,
    ) -> Result<Option<Cas>, Error> {
        self.store::<Replace>(key.as_ref(), value, options).await
    }

    /// Adds bytes behind a value, and gives `None` where there is none. Its flags and its time to live stay as they are. A value that
    /// was [compressed](super::Compression) can't be read any more afterwards.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn append(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<Option<Cas>, Error> {
        self.store::<Append>(key.as_ref(), value.into(), StoreOptions::default()).await
    }

    /// The same only if the item has this version.
    ///
    /// # Errors
    /// As [`append`](Self::append). [`Conflict`](crate::ErrorKind::Conflict) when the item has another version.
    pub async fn append_if(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        cas: Cas,
    ) -> Result<Option<Cas>, Error> {
        self.store::<Append>(key.as_ref(), value.into(), StoreOptions::default().cas(cas)).await
    }

    /// The same with options: only if the item has a version, or making one where there is none.
    ///
    /// # Errors
    /// As [`append_if`](Self::append_if).
    pub async fn append_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        options: StoreOptions,
    ) -> Result<Option<Cas>, Error> {
        self.store::<Append>(key.as_ref(), value.into(), options).await
    }

    /// Adds bytes before a value, and gives `None` where there is none. Its flags and its time to live stay as they are. A value that
    /// was [compressed](super::Compression) can't be read any more afterwards.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn prepend(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<Option<Cas>, Error> {
        self.store::<Prepend>(key.as_ref(), value.into(), StoreOptions::default()).await
    }

    /// The same only if the item has this version.
    ///
    /// # Errors
    /// As [`append_if`](Self::append_if).
    pub async fn prepend_if(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        cas: Cas,
    ) -> Result<Option<Cas>, Error> {
        self.store::<Prepend>(key.as_ref(), value.into(), StoreOptions::default().cas(cas)).await
    }

    /// Adds a value within a time, as a step of another call.
    pub(super) async fn add_within(
        &self,
        key: &Key<'_>,
        value: Encoded,
        expiration: Expiration,
        timeout: Duration,
    ) -> Result<Option<Cas>, Error> {
        let add = Store::<Add> { key: key.clone(), value, expiration, cas: 0, flags: None, mode: PhantomData };
        self.run_within(&add, timeout).await
    }

    /// The same as [`append_with`](Self::append_with), before a value.
    ///
    /// # Errors
    /// As [`append_if`](Self::append_if).
    pub async fn prepend_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
        options: StoreOptions,
    ) -> Result<Option<Cas>, Error> {
        self.store::<Prepend>(key.as_ref(), value.into(), options).await
    }

    async fn store<M: Mode>(
        &self,
        key: &[u8],
        value: impl Encode,
        options: StoreOptions,
    ) -> Result<Option<Cas>, Error> {
        let key = self.options().key(M::NAME, key)?;
        let expiration = options.ttl.expiration(M::NAME)?;
        let cas = Cas::expected(options.cas, M::NAME)?;
        // What is put beside another value must be as that one is.
        let is_whole = !matches!(M::MODE, StoreMode::Append | StoreMode::Prepend);
        let is_compressible = is_whole && !options.uncompressed;
        let value = if is_compressible { self.encoded(M::NAME, value) } else { encoded(M::NAME, value) }?;
        let flags = options.flags(M::NAME)?;
        self.run(&Store::<M> { key, value, expiration, cas, flags, mode: PhantomData }).await
    }

    /// A value as the server gets it.
    pub(super) fn encoded(&self, operation: &'static str, value: impl Encode) -> Result<Encoded, Error> {
        self.options().compressed(operation, encoded(operation, value)?)
    }
}

/// A value as it is before it is compressed.
pub(super) fn encoded(operation: &'static str, value: impl Encode) -> Result<Encoded, Error> {
    value.encode().map_err(|error| Error::invalid(operation, format!("the value can't be encoded: {error}")))
}

/// A way to store.
trait Mode: Send + Sync {
    const NAME: &'static str;
    const MODE: StoreMode;
    const EFFECT: Effect;
}

macro_rules! modes {
    ($($mode:ident $name:literal $effect:ident,)*) => {
        $(
            struct $mode;

            impl Mode for $mode {
                const NAME: &'static str = $name;
                const MODE: StoreMode = StoreMode::$mode;
                const EFFECT: Effect = Effect::$effect;
            }
        )*
    };
}

modes! {
    Set "set" Idempotent,
    Add "add" Changes,
    Replace "replace" Idempotent,
    Append "append" Changes,
    Prepend "prepend" Changes,
}

struct Store<'a, M> {
    key: Key<'a>,
    value: Encoded,
    expiration: Expiration,
    cas: u64,
    /// There are seldom any, and many bytes of them.
    flags: Option<Box<Flags>>,
    mode: PhantomData<M>,
}

impl<M: Mode> Operation for Store<'_, M> {
    const NAME: &'static str = M::NAME;
    const EFFECT: Effect = M::EFFECT;
    type Reply = Option<Cas>;

    /// Where an item must have a version, it has another one after the first time.
    fn effect(&self) -> Effect {
        if self.cas == 0 { M::EFFECT } else { Effect::Changes }
    }
}

impl<M: Mode> Single for Store<'_, M> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.key.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        let Encoded { value, flags } = &self.value;
        let (key, expiration) = (self.key.sent(), self.expiration);
        Command::Store { mode: M::MODE, key, value, flags: *flags, expiration }
    }

    fn cas(&self) -> u64 {
        self.cas
    }

    fn flags(&self) -> Option<Flags> {
        self.flags.as_deref().copied()
    }

    fn reply(&self, reply: Reply) -> Result<Option<Cas>, Failure> {
        match reply.status {
            Status::OK => Ok(Some(Cas::new(reply.cas))),
            Status::NOT_FOUND | Status::NOT_STORED => Ok(None),
            Status::EXISTS if M::MODE == StoreMode::Add && self.cas == 0 => Ok(None),
            status => Err(failure::status(status)),
        }
    }
}
