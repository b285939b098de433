//! The clients.

mod async_memcached;
mod charioteer;
mod memcache;
mod memcache_exp;

use std::future::Future;

use crate::callers::{measure_tasks, measure_threads};
use crate::figures::Figures;
use crate::{Client, Error, Options, Runtime};

/// Has the callers of a client make calls.
pub(crate) fn measure(options: &Options) -> Result<Figures, Error> {
    match options.client {
        Client::Charioteer => run(options, async {
            let peer = charioteer::Peer::connect(options)?;
            measure_tasks(for_each_caller(options, &peer), options).await
        }),
        Client::AsyncMemcached => run(options, async {
            let peers = async_memcached::Peer::connect(options).await?;
            measure_tasks(peers, options).await
        }),
        Client::MemcacheExpAsync => run(options, async {
            let peer = memcache_exp::Tasks::connect(options).await?;
            measure_tasks(for_each_caller(options, &peer), options).await
        }),
        Client::MemcacheExp => {
            let peer = memcache_exp::Threads::connect(options)?;
            measure_threads(for_each_caller(options, &peer), options)
        }
        Client::MemcacheAscii | Client::MemcacheBinary => {
            let peer = memcache::Peer::connect(options)?;
            measure_threads(for_each_caller(options, &peer), options)
        }
        Client::Raw => Err("that is no client".into()),
    }
}

fn for_each_caller<P: Clone>(options: &Options, peer: &P) -> Vec<P> {
    vec![peer.clone(); options.callers.into()]
}

fn run(options: &Options, load: impl Future<Output = Result<Figures, Error>>) -> Result<Figures, Error> {
    let mut runtime = match options.runtime {
        Runtime::CurrentThread => tokio::runtime::Builder::new_current_thread(),
        Runtime::MultiThread => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(load)
}
