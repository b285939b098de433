//! The stores of the cluster, and which of them is at which address.

use std::net::SocketAddr;
use std::time::Duration;

use charioteer_engine::Error;
use charioteer_proto::tikv::metapb;

/// The version that stores and PD say they are. Clients choose what they send by it.
pub(crate) const VERSION: &str = "8.5.0";

/// A store, as PD knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownStore {
    pub(crate) id: u64,
    /// Where it listens, or listened last.
    pub(crate) address: SocketAddr,
    /// Whether it is gone for good.
    pub(crate) removed: bool,
    /// Seconds since 1970.
    started: i64,
}

impl KnownStore {
    /// What clients know a store as.
    pub(crate) fn message(&self, now: Duration) -> metapb::Store {
        let (state, node_state) = if self.removed {
            (metapb::StoreState::Tombstone, metapb::NodeState::Removed)
        } else {
            (metapb::StoreState::Up, metapb::NodeState::Serving)
        };
        let address = self.address.to_string();
        metapb::Store {
            id: self.id,
            state: state.into(),
            node_state: node_state.into(),
            version: VERSION.to_owned(),
            peer_address: address.clone(),
            status_address: address.clone(),
            address,
            start_timestamp: self.started,
            last_heartbeat: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
            ..metapb::Store::default()
        }
    }

    fn from_message(message: &metapb::Store) -> Result<Self, Error> {
        let address = message.address.parse().map_err(|_| Error::Corrupt { what: "address of a store" })?;
        let removed = message.state() == metapb::StoreState::Tombstone;
        Ok(Self { id: message.id, address, removed, started: message.start_timestamp })
    }
}

/// The stores as they are from now on.
#[derive(Debug)]
pub(super) struct Matched {
    pub(super) stores: Vec<KnownStore>,
    /// Whether some came or went.
    pub(super) changed: bool,
}

/// The stores that were known, at these addresses from now on: the first at the first, and so on. What has no address any more is gone
/// for good, and an address without a store gets a new one.
pub(super) fn match_up(
    known: &[metapb::Store],
    addresses: Vec<SocketAddr>,
    now: Duration,
    ids: &mut impl FnMut() -> u64,
) -> Result<Matched, Error> {
    let started = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let mut stores = known.iter().map(KnownStore::from_message).collect::<Result<Vec<_>, _>>()?;
    stores.sort_by_key(|store| store.id);
    let (mut addresses, mut changed) = (addresses.into_iter(), false);
    for store in stores.iter_mut().filter(|store| !store.removed) {
        match addresses.next() {
            Some(address) => (store.address, store.started) = (address, started),
            None => (store.removed, changed) = (true, true),
        }
    }
    for address in addresses {
        stores.push(KnownStore { id: ids(), address, removed: false, started });
        changed = true;
    }
    Ok(Matched { stores, changed })
}
