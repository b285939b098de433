//! Which servers there are, and which of them has which partition.
//!
//! All servers are ports of one process on the same data; what differs is what each of them says and accepts, so that clients
//! meet what they would meet in a cluster.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use charioteer_engine::table::TableInfo;
use charioteer_proto::pegasus::meta::PartitionConfiguration;
use charioteer_proto::pegasus::special::{HostPort, PartitionId, RpcAddress, Text};

use super::shape::{Placement, Shape};

/// The ballot of a partition that is being split off another, by which clients know it.
const SPLITTING_BALLOT: i64 = -1;

/// The servers of a cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Meta servers; the first leads, unless the shape says otherwise.
    metas: Vec<SocketAddrV4>,
    /// Replica servers.
    nodes: Vec<SocketAddrV4>,
    /// What is not as the rules have it. Only tests change anything.
    shape: Option<Arc<Shape>>,
}

/// One port and what it is.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Which meta server it is, if one.
    pub(crate) meta: Option<usize>,
    /// Which replica server it is, if one.
    pub(crate) node: Option<usize>,
}

/// What a server is to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Secondary,
}

impl Cluster {
    /// A cluster of these; without nodes, the first meta server is the only one.
    pub(crate) fn new(
        metas: Vec<SocketAddrV4>,
        nodes: Vec<SocketAddrV4>,
        shape: Option<Arc<Shape>>,
    ) -> (Self, Vec<Endpoint>) {
        let mut endpoints = Vec::new();
        for index in 0..metas.len() {
            let node = (index == 0 && nodes.is_empty()).then_some(0);
            endpoints.push(Endpoint { meta: Some(index), node });
        }
        endpoints.extend((0..nodes.len()).map(|index| Endpoint { meta: None, node: Some(index) }));
        let nodes = if nodes.is_empty() { metas.iter().take(1).copied().collect() } else { nodes };
        (Self { metas, nodes, shape }, endpoints)
    }

    /// Whether that port is the meta server that leads.
    pub(super) fn is_led_by(&self, endpoint: &Endpoint) -> bool {
        endpoint.meta.is_some() && endpoint.meta == self.leading()
    }

    /// The meta server that leads, as a client that came through `local` reaches it.
    pub(super) fn leader(&self, local: Ipv4Addr) -> Option<SocketAddrV4> {
        Some(reachable(*self.metas.get(self.leading()?)?, local))
    }

    /// To whom the other meta servers send clients on.
    pub(super) fn forward(&self, local: Ipv4Addr) -> Option<SocketAddrV4> {
        let forward = self.shape.as_ref().and_then(|shape| shape.forward());
        forward.or_else(|| self.leader(local))
    }

    fn leading(&self) -> Option<usize> {
        match &self.shape {
            Some(shape) => shape.leader(),
            None => Some(0),
        }
    }

    pub(super) fn metas(&self, local: Ipv4Addr) -> impl Iterator<Item = SocketAddrV4> {
        self.metas.iter().map(move |meta| reachable(*meta, local))
    }

    pub(super) fn nodes(&self, local: Ipv4Addr) -> impl Iterator<Item = SocketAddrV4> {
        self.nodes.iter().map(move |node| reachable(*node, local))
    }

    /// What a server is to a partition, if anything.
    pub(super) fn role(&self, node: usize, table: &TableInfo, partition: u32) -> Option<Role> {
        if let Some(moved) = self.moved(table, partition) {
            return moved.role(node);
        }
        let place = self.replicas(table, partition).position(|replica| replica == node)?;
        Some(if place == 0 { Role::Primary } else { Role::Secondary })
    }

    /// The partition that `parent` stands in for where a key belongs to `partition`, which is still being split off it.
    pub(super) fn stood_in_for(&self, table: &TableInfo, parent: u32, partition: u64) -> Option<u32> {
        let partition = u32::try_from(partition).ok()?;
        let splitting = self.moved(table, partition).is_some_and(|moved| !moved.ready);
        (splitting && parent_of(table, partition) == Some(parent)).then_some(partition)
    }

    /// Where a partition's replicas are, as clients are told.
    pub(super) fn configuration(
        &self,
        table: &TableInfo,
        partition: u32,
        local: Ipv4Addr,
        host_ports: bool,
    ) -> PartitionConfiguration {
        let placement = self.placement(table, partition);
        let address = |node: usize| self.nodes.get(node).map(|address| reachable(*address, local));
        let primary = placement.primary.filter(|_| placement.ready).and_then(address);
        let secondaries = placement.secondaries.into_iter().filter(|_| placement.ready);
        let secondaries: Vec<_> = secondaries.filter_map(address).collect();
        PartitionConfiguration {
            pid: PartitionId { table_id: table.id, index: partition.cast_signed() },
            ballot: if placement.ready { placement.ballot } else { SPLITTING_BALLOT },
            max_replica_count: table.replica_count,
            primary: primary.map_or(RpcAddress::INVALID, RpcAddress::from),
            hp_primary: host_ports.then(|| primary.map(host_port).unwrap_or_default()),
            hp_secondaries: host_ports.then(|| secondaries.iter().copied().map(host_port).collect()),
            hp_last_drops: host_ports.then(Vec::new),
            secondaries: secondaries.into_iter().map(RpcAddress::from).collect(),
            ..PartitionConfiguration::default()
        }
    }

    /// Where a partition's replicas are.
    pub(crate) fn placement(&self, table: &TableInfo, partition: u32) -> Placement {
        self.moved(table, partition).unwrap_or_else(|| Placement::new(self.replicas(table, partition)))
    }

    /// Changes where a partition's replicas are, in a cluster whose shape can be changed.
    pub(crate) fn change(&self, table: &TableInfo, partition: u32, change: impl FnOnce(&mut Placement)) {
        if let Some(shape) = &self.shape {
            let rule = || Placement::new(self.replicas(table, partition));
            shape.change((table.id, partition), rule, change);
        }
    }

    fn moved(&self, table: &TableInfo, partition: u32) -> Option<Placement> {
        self.shape.as_ref()?.placement(table.id, partition)
    }

    /// The nodes of a partition, the primary first. Where there are fewer nodes than replicas the same ones come again:
    /// administrators' clients wait until a new table has as many replicas as it was made for.
    fn replicas(&self, table: &TableInfo, partition: u32) -> impl Iterator<Item = usize> {
        let nodes = self.nodes.len();
        let replicas = usize::try_from(table.replica_count).unwrap_or(1).max(1);
        (0..replicas).map(move |replica| (partition as usize + replica) % nodes)
    }
}

/// The partition that another is split off, where a table's partitions are being doubled.
pub(crate) fn parent_of(table: &TableInfo, partition: u32) -> Option<u32> {
    partition.checked_sub(table.partition_count.cast_unsigned() / 2)
}

/// An address that a client can reach: a server that listens on every address is named by the one the client came through.
fn reachable(address: SocketAddrV4, local: Ipv4Addr) -> SocketAddrV4 {
    let ip = if address.ip().is_unspecified() { local } else { *address.ip() };
    SocketAddrV4::new(ip, address.port())
}

/// An address as a host's name and port.
pub(super) fn host_port(address: SocketAddrV4) -> HostPort {
    let host =
        if address.ip().is_loopback() { Text::from_static("localhost") } else { Text::from(address.ip().to_string()) };
    HostPort::new(host, address.port())
}
