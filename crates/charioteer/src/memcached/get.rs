//! Calls that read an item: get, and get as something.

use charioteer_proto::memcached::binary::{Command, Reply};

use super::call::{Place, Single, found};
use super::client::Client;
use super::item::Item;
use super::key::Key;
use super::value::Decode;
use crate::error::{Error, Failure};
use crate::exec::{Effect, Operation};

impl Client {
    /// The item under a key, or `None` when there is none.
    ///
    /// # Errors
    /// When the key is empty or too long, or no answer was to be had in time. When the value is compressed, and damaged or too long.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Item>, Error> {
        let key = self.options().key(Get::NAME, key.as_ref())?;
        let item = self.run(&Get(key)).await?;
        item.map(|item| self.options().decompressed(Get::NAME, item)).transpose()
    }

    /// The value under a key as something else than bytes, such as [`MessagePack`](super::MessagePack) of a type of yours.
    ///
    /// # Errors
    /// As [`get`](Self::get); and [`Corrupt`](crate::ErrorKind::Corrupt) when the value is none of that type.
    pub async fn get_as<T: Decode>(&self, key: impl AsRef<[u8]>) -> Result<Option<T>, Error> {
        let item = self.get(key).await?;
        item.map(|item| item.read()).transpose().map_err(|error| error.during(Get::NAME))
    }
}

struct Get<'a>(Key<'a>);

impl Operation for Get<'_> {
    const NAME: &'static str = "get";
    const EFFECT: Effect = Effect::Reads;
    type Reply = Option<Item>;
}

impl Single for Get<'_> {
    fn place(&self) -> Place<'_> {
        Place::Key(self.0.placed())
    }

    fn command(&self) -> Command<&[u8]> {
        Command::Get { key: self.0.sent(), with_key: false }
    }

    fn reply(&self, reply: Reply) -> Result<Option<Item>, Failure> {
        found(reply, Item::of)
    }
}
