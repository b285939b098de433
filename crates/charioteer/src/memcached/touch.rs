//! Calls that end an item, or move its end: delete, touch, get and touch.

use charioteer_proto::memcached::Expiration;
use charioteer_proto::memcached::binary::{Command, Reply};

use super::call::{Place, Single, found};
use super::client::Client;
use super::item::{Cas, Item};
use super::key::Key;
use super::ttl::Ttl;
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};

impl Client {
    /// Deletes an item, and says whether there was one. When an answer was lost and the call was made again, `false` may mean that the
    /// item was deleted the first time.
    ///
    /// # Errors
    /// When the key is empty or too long, or no answer was to be had in time; then the item may have been deleted.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.delete_item(key.as_ref(), None).await
    }

    /// Deletes an item of this version, and says whether there was one.
    ///
    /// # Errors
    /// As [`delete`](Self::delete). [`Conflict`](crate::ErrorKind::Conflict) when the item has another version.
    pub async fn delete_if(&self, key: impl AsRef<[u8]>, cas: Cas) -> Result<bool, Error> {
        self.delete_item(key.as_ref(), Some(cas)).await
    }

    /// Sets how long an item is kept from now on, and says whether there is one. Its version stays.
    ///
    /// # Errors
    /// As [`get`](Self::get); and when the time to live makes no sense.
    pub async fn touch(&self, key: impl AsRef<[u8]>, ttl: impl Into<Ttl>) -> Result<bool, Error> {
        let key = self.options().key(Touch::NAME, key.as_ref())?;
        let expiration = ttl.into().expiration(Touch::NAME)?;
        self.run(&Touch { key, expiration }).await
    }

    /// The item under a key, or `None` when there is none; and sets how long it is kept from now on.
    ///
    /// # Errors
    /// As [`touch`](Self::touch).
    pub async fn get_and_touch(&self, key: impl AsRef<[u8]>, ttl: impl Into<Ttl>) -> Result<Option<Item>, Error> {
        let key = self.options().key(GetAndTouch::NAME, key.as_ref())?;
        let expiration = ttl.into().expiration(GetAndTouch::NAME)?;
        let item = self.run(&GetAndTouch { key, expiration }).await?;
        item.map(|item| self.options().decompressed(GetAndTouch::NAME, item)).transpose()
    }

    async fn delete_item(&self, key: &[u8], cas: Option<Cas>) -> Result<bool, Error> {
        let key = self.options().key(Delete::NAME, key)?;
        let cas = Cas::expected(cas, Delete::NAME)?;
        self.run(&Delete { key, cas }).await
    }
}

struct Delete<'a> {
    key: Key<'a>,
    cas: u64,
}

impl Operation for Delete<'_> {
    const NAME: &'static str = "delete";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = bool;
}

impl Single for Delete<'_> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.key.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Delete { key: self.key.sent() }
    }

    fn cas(&self) -> u64 {
        self.cas
    }

    fn reply(&self, reply: Reply) -> Result<bool, Failure> {
        found(reply, |_| ()).map(|found| found.is_some())
    }
}

struct Touch<'a> {
    key: Key<'a>,
    expiration: Expiration,
}

impl Operation for Touch<'_> {
    const NAME: &'static str = "touch";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = bool;
}

impl Single for Touch<'_> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.key.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Touch { key: self.key.sent(), expiration: self.expiration }
    }

    fn reply(&self, reply: Reply) -> Result<bool, Failure> {
        found(reply, |_| ()).map(|found| found.is_some())
    }
}

struct GetAndTouch<'a> {
    key: Key<'a>,
    expiration: Expiration,
}

impl Operation for GetAndTouch<'_> {
    const NAME: &'static str = "get_and_touch";
    const EFFECT: Effect = Effect::Idempotent;
    type Reply = Option<Item>;
}

impl Single for GetAndTouch<'_> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.key.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        Command::GetAndTouch { key: self.key.sent(), with_key: false, expiration: self.expiration }
    }

    fn reply(&self, reply: Reply) -> Result<Option<Item>, Failure> {
        found(reply, Item::of)
    }
}
