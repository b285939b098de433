//! What has been changed of a cluster's shape while it runs: who leads, and partitions that are not where the rule has them.

use std::collections::HashMap;
use std::net::SocketAddrV4;

use parking_lot::RwLock;

use super::cluster::Role;

/// Every partition's ballot, until it is moved. Clients take a ballot of zero or less for a partition that is being split.
const FIRST_BALLOT: i64 = 3;

/// The changes of a cluster's shape.
#[derive(Debug, Default)]
pub(crate) struct Shape(RwLock<Changes>);

#[derive(Debug)]
struct Changes {
    /// Which meta server leads, if one does.
    leader: Option<usize>,
    /// Whom the others name instead.
    forward: Option<SocketAddrV4>,
    /// By the table's id and the partition's index.
    partitions: HashMap<(i32, u32), Placement>,
}

impl Default for Changes {
    fn default() -> Self {
        Self { leader: Some(0), forward: None, partitions: HashMap::new() }
    }
}

/// Where a partition's replicas are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) ballot: i64,
    /// How many there are to be.
    count: usize,
    pub(crate) primary: Option<usize>,
    pub(crate) secondaries: Vec<usize>,
    /// Whether it is there at all; the half of a partition that is still being split off is not.
    pub(crate) ready: bool,
}

impl Placement {
    /// These replicas, the primary first, as nothing has moved yet.
    pub(super) fn new(mut replicas: impl Iterator<Item = usize>) -> Self {
        let (primary, secondaries) = (replicas.next(), replicas.collect::<Vec<_>>());
        Self { ballot: FIRST_BALLOT, count: 1 + secondaries.len(), primary, secondaries, ready: true }
    }

    /// What a node is to the partition, if anything.
    pub(super) fn role(&self, node: usize) -> Option<Role> {
        match self {
            Self { ready: false, .. } => None,
            Self { primary, .. } if *primary == Some(node) => Some(Role::Primary),
            Self { secondaries, .. } => secondaries.contains(&node).then_some(Role::Secondary),
        }
    }

    /// All nodes that have a replica, each once, the primary or who was it last first.
    pub(crate) fn nodes(&self) -> Vec<usize> {
        let mut nodes = Vec::new();
        for node in self.primary.iter().chain(&self.secondaries) {
            if !nodes.contains(node) {
                nodes.push(*node);
            }
        }
        nodes
    }

    /// Makes a node the primary. The others become secondaries; where a replica is one too many, the last of them goes.
    pub(crate) fn move_primary(&mut self, node: usize) {
        let others = self.nodes().into_iter().filter(|other| *other != node);
        let nodes: Vec<_> = [node].into_iter().chain(others).collect();
        self.place(&nodes);
    }

    /// Puts replicas on these nodes and on no others, the primary on the first of them. There are as many replicas as before:
    /// nodes come again, or are left out.
    pub(crate) fn place(&mut self, nodes: &[usize]) {
        self.primary = nodes.first().copied();
        self.secondaries = nodes.iter().copied().cycle().take(self.count).skip(1).collect();
    }

    /// Leaves the partition without a primary; who was it is a secondary.
    pub(crate) fn lose_primary(&mut self) {
        if let Some(lost) = self.primary.take() {
            self.secondaries.insert(0, lost);
        }
    }
}

impl Shape {
    /// Where a partition is, if it is not where the rule has it.
    pub(super) fn placement(&self, table_id: i32, partition: u32) -> Option<Placement> {
        self.0.read().partitions.get(&(table_id, partition)).cloned()
    }

    /// Changes where a partition is, and gives it another ballot; `rule` says where it has been, if it has never been moved.
    pub(super) fn change(
        &self,
        (table_id, partition): (i32, u32),
        rule: impl FnOnce() -> Placement,
        change: impl FnOnce(&mut Placement),
    ) {
        let mut changes = self.0.write();
        let placement = changes.partitions.entry((table_id, partition)).or_insert_with(rule);
        change(placement);
        placement.ballot += 1;
    }

    /// Has that meta server lead, or none of them.
    pub(crate) fn lead(&self, meta: Option<usize>) {
        let mut changes = self.0.write();
        (changes.leader, changes.forward) = (meta, None);
    }

    /// Has meta servers that do not lead name this address as their leader's.
    pub(crate) fn forward_to(&self, address: SocketAddrV4) {
        self.0.write().forward = Some(address);
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        self.0.read().leader
    }

    pub(super) fn forward(&self) -> Option<SocketAddrV4> {
        self.0.read().forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_rule() -> Placement {
        Placement::new([0, 1, 2].into_iter())
    }

    #[test]
    fn the_old_primary_becomes_the_first_secondary() {
        let mut placement = by_rule();
        placement.move_primary(2);
        assert_eq!((placement.primary, placement.secondaries), (Some(2), vec![0, 1]));
    }

    #[test]
    fn a_node_without_a_replica_takes_the_place_of_the_last_secondary() {
        let mut placement = by_rule();
        placement.move_primary(3);
        assert_eq!((placement.primary, &placement.secondaries[..]), (Some(3), &[0, 1][..]));
        assert_eq!(placement.role(2), None);
    }

    #[test]
    fn nodes_come_again_where_there_are_fewer_than_replicas() {
        let mut placement = by_rule();
        placement.place(&[1]);
        assert_eq!((placement.primary, placement.secondaries), (Some(1), vec![1, 1]));
    }

    #[test]
    fn a_lost_primary_has_a_replica_still() {
        let mut placement = by_rule();
        placement.lose_primary();
        assert_eq!((placement.primary, placement.role(0)), (None, Some(Role::Secondary)));
        placement.move_primary(0);
        assert_eq!(placement.secondaries, [1, 2]);
    }
}
