//! Which servers there are, and which of them has which partition.
//!
//! All servers are ports of one process on the same data; what differs is what each of them says and accepts, so that clients
//! meet what they would meet in a cluster.

use std::net::{Ipv4Addr, SocketAddrV4};

use charioteer_engine::table::TableInfo;
use charioteer_proto::pegasus::meta::PartitionConfiguration;
use charioteer_proto::pegasus::special::{HostPort, PartitionId, RpcAddress, Text};

/// Every partition's ballot. Clients take a ballot of zero or less for a partition that is being split.
const BALLOT: i64 = 3;

/// The servers of a cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Meta servers; the first leads.
    metas: Vec<SocketAddrV4>,
    /// Replica servers.
    nodes: Vec<SocketAddrV4>,
}

/// One port and what it is.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Where it listens.
    pub(crate) address: SocketAddrV4,
    /// Whether it is a meta server.
    pub(crate) meta: bool,
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
    pub(crate) fn new(metas: Vec<SocketAddrV4>, nodes: Vec<SocketAddrV4>) -> (Self, Vec<Endpoint>) {
        let mut endpoints = Vec::new();
        for (index, address) in metas.iter().enumerate() {
            let node = (index == 0 && nodes.is_empty()).then_some(0);
            endpoints.push(Endpoint { address: *address, meta: true, node });
        }
        for (index, address) in nodes.iter().enumerate() {
            endpoints.push(Endpoint { address: *address, meta: false, node: Some(index) });
        }
        let nodes = if nodes.is_empty() { metas.iter().take(1).copied().collect() } else { nodes };
        (Self { metas, nodes }, endpoints)
    }

    /// Whether that port is the meta server that leads.
    pub(super) fn is_led_by(&self, endpoint: &Endpoint) -> bool {
        self.metas.first() == Some(&endpoint.address)
    }

    /// The meta server that leads, as a client that came through `local` reaches it.
    pub(super) fn leader(&self, local: Ipv4Addr) -> SocketAddrV4 {
        self.metas.first().map_or_else(|| SocketAddrV4::new(local, 0), |meta| reachable(*meta, local))
    }

    pub(super) fn metas(&self, local: Ipv4Addr) -> impl Iterator<Item = SocketAddrV4> {
        self.metas.iter().map(move |meta| reachable(*meta, local))
    }

    pub(super) fn nodes(&self, local: Ipv4Addr) -> impl Iterator<Item = SocketAddrV4> {
        self.nodes.iter().map(move |node| reachable(*node, local))
    }

    /// What a server is to a partition, if anything.
    pub(super) fn role(&self, node: usize, table: &TableInfo, partition: u32) -> Option<Role> {
        let place = self.replicas(table, partition).position(|replica| replica == node)?;
        Some(if place == 0 { Role::Primary } else { Role::Secondary })
    }

    /// Where a partition's replicas are.
    pub(super) fn configuration(
        &self,
        table: &TableInfo,
        partition: u32,
        local: Ipv4Addr,
        host_ports: bool,
    ) -> PartitionConfiguration {
        let mut replicas =
            self.replicas(table, partition).filter_map(|node| self.nodes.get(node)).map(|a| reachable(*a, local));
        let primary = replicas.next();
        let secondaries: Vec<_> = replicas.collect();
        PartitionConfiguration {
            pid: PartitionId { table_id: table.id, index: partition.cast_signed() },
            ballot: BALLOT,
            max_replica_count: table.replica_count,
            primary: primary.map_or(RpcAddress::INVALID, RpcAddress::from),
            hp_primary: primary.filter(|_| host_ports).map(host_port),
            hp_secondaries: host_ports.then(|| secondaries.iter().copied().map(host_port).collect()),
            hp_last_drops: host_ports.then(Vec::new),
            secondaries: secondaries.into_iter().map(RpcAddress::from).collect(),
            ..PartitionConfiguration::default()
        }
    }

    /// The nodes of a partition, the primary first. Where there are fewer nodes than replicas the same ones come again:
    /// administrators' clients wait until a new table has as many replicas as it was made for.
    fn replicas(&self, table: &TableInfo, partition: u32) -> impl Iterator<Item = usize> {
        let nodes = self.nodes.len();
        let replicas = usize::try_from(table.replica_count).unwrap_or(1).max(1);
        (0..replicas).map(move |replica| (partition as usize + replica) % nodes)
    }
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
