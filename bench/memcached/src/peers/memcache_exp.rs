//! The crate `memcache`, its newer interface, for threads and for tasks: the layer that takes bytes as they are.

use memcache::exp::{AsyncMetaClient, Get, GetResult, MetaClient, MetaClientBuilder, MutationResult, Set};

use crate::callers::{self, check, count};
use crate::items::Item;
use crate::{Error, Options};

/// Callers share the client, and that its connections.
#[derive(Clone)]
pub(crate) struct Threads(MetaClient);

#[derive(Clone)]
pub(crate) struct Tasks(AsyncMetaClient);

fn builder(options: &Options) -> MetaClientBuilder {
    let connections = usize::from(options.connections);
    MetaClient::builder().max_idle(connections).max_connections(Some(connections))
}

impl Threads {
    pub(crate) fn connect(options: &Options) -> Result<Self, Error> {
        Ok(Self(builder(options).connect(options.server.to_string())?))
    }
}

impl Tasks {
    pub(crate) async fn connect(options: &Options) -> Result<Self, Error> {
        Ok(Self(builder(options).connect_async(options.server.to_string()).await?))
    }
}

type Results<T> = Vec<Result<T, memcache::exp::Error>>;

fn check_all(items: &[Item], got: Results<GetResult>) -> Result<(), Error> {
    count(items, got.len())?;
    items.iter().zip(got).try_for_each(|(item, got)| check(item, got?.value.as_deref()))
}

fn stored(set: &MutationResult) -> Result<(), Error> {
    if set.applied() { Ok(()) } else { Err("an item was not stored".into()) }
}

fn stored_all(items: &[Item], set: Results<MutationResult>) -> Result<(), Error> {
    count(items, set.len())?;
    set.into_iter().try_for_each(|set| stored(&set?))
}

fn sets(items: &[Item]) -> impl Iterator<Item = Set> {
    items.iter().map(|item| Set::new(&item.key, &item.value).ttl_raw(0))
}

impl callers::Peer for Threads {
    async fn get(&mut self, item: &Item) -> Result<(), Error> {
        check(item, self.0.get(&item.key).send()?.value.as_deref())
    }

    async fn set(&mut self, item: &Item) -> Result<(), Error> {
        stored(&self.0.set(&item.key, &item.value).ttl_raw(0).send()?)
    }

    async fn get_many(&mut self, items: &[Item]) -> Result<(), Error> {
        check_all(items, self.0.run_many(items.iter().map(|item| Get::new(&item.key)))?)
    }

    async fn set_many(&mut self, items: &[Item]) -> Result<(), Error> {
        stored_all(items, self.0.run_many(sets(items))?)
    }
}

impl callers::Peer for Tasks {
    async fn get(&mut self, item: &Item) -> Result<(), Error> {
        check(item, self.0.get(&item.key).send().await?.value.as_deref())
    }

    async fn set(&mut self, item: &Item) -> Result<(), Error> {
        stored(&self.0.set(&item.key, &item.value).ttl_raw(0).send().await?)
    }

    async fn get_many(&mut self, items: &[Item]) -> Result<(), Error> {
        check_all(items, self.0.run_many(items.iter().map(|item| Get::new(&item.key))).await?)
    }

    async fn set_many(&mut self, items: &[Item]) -> Result<(), Error> {
        stored_all(items, self.0.run_many(sets(items)).await?)
    }
}
