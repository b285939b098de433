//! The crate `memcache`, its older interface.

use std::collections::HashMap;

use memcache::Client;

use crate::callers::{self, check, count};
use crate::items::Item;
use crate::{Client as Kind, Error, Options};

/// Callers share the client, and that its connections.
#[derive(Clone)]
pub(crate) struct Peer(Client);

impl Peer {
    pub(crate) fn connect(options: &Options) -> Result<Self, Error> {
        let protocol = if options.client == Kind::MemcacheBinary { "binary" } else { "ascii" };
        let url = format!("memcache://{}?protocol={protocol}", options.server);
        Ok(Self(Client::with_pool_size(url, options.connections.into())?))
    }
}

impl callers::Peer for Peer {
    async fn get(&mut self, item: &Item) -> Result<(), Error> {
        let got: Option<Vec<u8>> = self.0.get(&item.key)?;
        check(item, got.as_deref())
    }

    async fn set(&mut self, item: &Item) -> Result<(), Error> {
        Ok(self.0.set(&item.key, &item.value[..], 0)?)
    }

    async fn get_many(&mut self, items: &[Item]) -> Result<(), Error> {
        let keys: Vec<_> = items.iter().map(|item| &item.key[..]).collect();
        let got: HashMap<String, Vec<u8>> = self.0.gets(&keys)?;
        count(items, got.len())?;
        items.iter().try_for_each(|item| check(item, got.get(&item.key).map(|got| &got[..])))
    }

    /// It knows no way to set several items at once.
    async fn set_many(&mut self, items: &[Item]) -> Result<(), Error> {
        items.iter().try_for_each(|item| Ok(self.0.set(&item.key, &item.value[..], 0)?))
    }
}
