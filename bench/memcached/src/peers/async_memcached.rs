//! The crate `async-memcached`. A client of it is one connection, for one call at a time.

use std::sync::Arc;

use async_memcached::{AsciiProtocol, Client};
use tokio::sync::Mutex;

use crate::callers::{self, check, count};
use crate::items::Item;
use crate::{Error, Options};

/// A connection, which callers may share.
pub(crate) struct Peer(Arc<Mutex<Client>>);

impl Peer {
    /// A connection for each caller, as far as there are so many.
    pub(crate) async fn connect(options: &Options) -> Result<Vec<Self>, Error> {
        let mut connections = Vec::new();
        for _ in 0..options.connections {
            let client = Client::new(format!("tcp://{}", options.server)).await?;
            connections.push(Arc::new(Mutex::new(client)));
        }
        let shared = connections.iter().cycle().take(options.callers.into());
        Ok(shared.map(|connection| Self(Arc::clone(connection))).collect())
    }
}

impl callers::Peer for Peer {
    async fn get(&mut self, item: &Item) -> Result<(), Error> {
        let got = self.0.lock().await.get(&item.key).await?;
        check(item, got.as_ref().and_then(|got| got.data.as_deref()))
    }

    async fn set(&mut self, item: &Item) -> Result<(), Error> {
        Ok(self.0.lock().await.set(&item.key, &item.value[..], None, None).await?)
    }

    async fn get_many(&mut self, items: &[Item]) -> Result<(), Error> {
        let keys: Vec<_> = items.iter().map(|item| &item.key).collect();
        let got = self.0.lock().await.get_multi(keys).await?;
        count(items, got.len())?;
        items.iter().zip(got).try_for_each(|(item, got)| check(item, got.data.as_deref()))
    }

    async fn set_many(&mut self, items: &[Item]) -> Result<(), Error> {
        let pairs: Vec<_> = items.iter().map(|item| (&item.key, &item.value[..])).collect();
        let mut client = self.0.lock().await;
        let set = client.set_multi(&pairs, None, None).await?;
        count(items, set.len())?;
        for set in set.into_values() {
            set?;
        }
        Ok(())
    }
}
