//! Charioteer's client.

use charioteer::memcached::{Client, Options as ClientOptions, Protocol as Spoken, Ttl};

use crate::callers::{self, check, count};
use crate::items::Item;
use crate::{Error, Options, Protocol};

/// Callers share the client.
#[derive(Clone)]
pub(crate) struct Peer(Client);

impl Peer {
    pub(crate) fn connect(options: &Options) -> Result<Self, Error> {
        let mut of_client = ClientOptions::new([options.server.to_string()])?;
        of_client.connections_per_server = options.connections.into();
        of_client.protocol = match options.protocol {
            Protocol::Binary => Spoken::Binary,
            Protocol::Meta => Spoken::Meta,
            Protocol::Text => Spoken::Text,
        };
        Ok(Self(Client::new(of_client)?.with_versions(!options.without_versions)))
    }
}

impl callers::Peer for Peer {
    async fn get(&mut self, item: &Item) -> Result<(), Error> {
        let got = self.0.get(&item.key).await?;
        check(item, got.as_ref().map(|got| &got.value[..]))
    }

    async fn set(&mut self, item: &Item) -> Result<(), Error> {
        self.0.set(&item.key, item.value.clone()).await?;
        Ok(())
    }

    async fn get_many(&mut self, items: &[Item]) -> Result<(), Error> {
        let got = self.0.get_many(items.iter().map(|item| &item.key)).await;
        count(items, got.len())?;
        for (item, got) in items.iter().zip(got) {
            check(item, got?.as_ref().map(|got| &got.value[..]))?;
        }
        Ok(())
    }

    async fn set_many(&mut self, items: &[Item]) -> Result<(), Error> {
        let set = self.0.set_many(items.iter().map(|item| (&item.key, item.value.clone())), Ttl::Never).await;
        count(items, set.len())?;
        for set in set {
            set?;
        }
        Ok(())
    }
}
