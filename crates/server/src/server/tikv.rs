//! Starting TiKV: PD, and the stores.

use std::sync::Arc;

use charioteer_engine::raw::Keys;

use super::Starting;
use crate::backend::{EmbeddedRows, Rows, aside};
use crate::listener::Listener;
use crate::tikv::{Cluster, Parts, Pd, Ports, SafeRange, Service, Store, StoreParts, Waits, collect};
use crate::tls::{Handshakes, Protocols};
use crate::{Error, Tls};

impl Starting {
    /// Serves TiKV on the embedded store.
    pub(super) async fn tikv(&mut self) -> Result<Option<Ports<EmbeddedRows>>, Error> {
        let Some(options) = self.options.tikv.clone() else { return Ok(None) };
        options.check()?;
        let handshakes = options.tls.clone().map(|tls| Handshakes::new(tls, Protocols::GrpcAndHttp)).transpose()?;
        let asks_who_it_is = options.tls.as_ref().is_some_and(Tls::asks_who_it_is);
        let pd = self.bind_asking("TiKV's PD", options.pd, asks_who_it_is).await?;
        let mut stores = Vec::new();
        for address in &options.stores {
            stores.push(self.bind_asking("a TiKV store", *address, asks_who_it_is).await?);
        }
        let addresses: Vec<_> = stores.iter().map(Listener::address).collect();
        self.addresses.tikv_pd = Some(pd.address());
        self.addresses.tikv_stores.clone_from(&addresses);

        let (backend, clock, api) = (Arc::clone(&self.backend), self.options.clock.clone(), options.api);
        let lock_wait = options.lock_wait;
        let store_count = addresses.len();
        let opened = aside(move || {
            let cluster = Arc::new(Cluster::open(backend.db(), &clock, addresses, &options)?);
            let pd = Pd::open(Arc::clone(&cluster), &clock)?;
            let rows = backend.rows()?;
            for keys in Keys::ALL {
                rows.mvcc(keys).commit_behind(pd.last_timestamp().into());
                let gone = |range: SafeRange| rows.mvcc(keys).past_is_gone(&range.keys, range.safe_point);
                pd.safe_ranges().into_iter().for_each(gone);
            }
            Ok((cluster, pd, rows))
        });
        let (cluster, pd_service, rows) = opened.await.map_err(Error::Store)?;
        let pd_service = Arc::new(pd_service);
        let waits = Arc::new(Waits::at_most(lock_wait));
        let store = |number| {
            let (cluster, clock) = (Arc::clone(&cluster), self.options.clock.clone());
            let frame_bytes = self.options.limits.frame_bytes;
            let (rows, waits, pd) = (rows.clone(), Arc::clone(&waits), Arc::clone(&pd_service));
            Arc::new(Store::new(StoreParts {
                id: cluster.store_id_at(number),
                cluster,
                pd,
                rows,
                waits,
                api,
                clock,
                frame_bytes,
            }))
        };
        let collecting = collect(Arc::clone(&pd_service), rows.clone(), self.serving.stop.clone());
        self.serving.tasks.spawn(collecting);
        let service = Service::new(Parts {
            stores: (0..store_count).map(store).collect(),
            cluster: Arc::clone(&cluster),
            pd: pd_service,
            limits: self.options.limits.clone(),
            latency: self.options.latency,
            handshakes,
            metrics: Arc::clone(&self.metrics),
            hooks: self.hooks.tikv.clone(),
        });
        Ok(Some(Ports::open(Arc::new(service), pd, stores, &self.serving)))
    }
}
