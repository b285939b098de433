//! Who waits for whom. A wait that would close a circle is refused: nobody in it could ever go on.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use charioteer_proto::tikv::deadlock::WaitForEntry;
use charioteer_proto::tikv::{fingerprint, kvrpcpb};

/// A transaction, named by the timestamp of its start.
type Txn = u64;

/// A wait: of one transaction for another, because of a key that the other has locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) waiter: Txn,
    pub(super) holder: Txn,
    pub(super) key: Bytes,
    /// What the client calls the group of requests that this one is of.
    pub(super) tag: Bytes,
}

impl Edge {
    pub(super) fn entry(&self) -> WaitForEntry {
        WaitForEntry {
            txn: self.waiter,
            wait_for_txn: self.holder,
            key_hash: fingerprint::of(&self.key),
            key: self.key.clone(),
            resource_group_tag: self.tag.clone(),
            ..WaitForEntry::default()
        }
    }
}

/// All waits there are.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// By who waits and who is waited for; in the order in which the waits began.
    edges: HashMap<Txn, BTreeMap<Txn, Vec<Edge>>>,
}

impl Graph {
    /// Adds a wait, unless it would close a circle.
    pub(super) fn add(&mut self, edge: Edge) -> Result<(), Box<kvrpcpb::Deadlock>> {
        if let Some(mut chain) = self.path(edge.holder, edge.waiter) {
            let closing = chain.last().cloned().unwrap_or_default();
            chain.push(edge.entry());
            return Err(Box::new(kvrpcpb::Deadlock {
                lock_ts: edge.holder,
                lock_key: edge.key,
                deadlock_key_hash: closing.key_hash,
                wait_chain: chain,
                deadlock_key: closing.key,
            }));
        }
        self.edges.entry(edge.waiter).or_default().entry(edge.holder).or_default().push(edge);
        Ok(())
    }

    /// Takes out a wait that was added.
    pub(super) fn remove(&mut self, edge: &Edge) {
        let Some(held) = self.edges.get_mut(&edge.waiter) else { return };
        if let Some(waits) = held.get_mut(&edge.holder) {
            if let Some(at) = waits.iter().position(|wait| wait.key == edge.key) {
                waits.remove(at);
            }
            if waits.is_empty() {
                held.remove(&edge.holder);
            }
        }
        if held.is_empty() {
            self.edges.remove(&edge.waiter);
        }
    }

    /// Whether nobody waits for anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// The waits by which one transaction waits for another, directly or by way of others; the last is the one for `to` itself.
    fn path(&self, from: Txn, to: Txn) -> Option<Vec<WaitForEntry>> {
        let mut reached_from = HashMap::from([(from, None)]);
        let mut to_visit = vec![from];
        while let Some(waiter) = to_visit.pop() {
            for (holder, waits) in self.edges.get(&waiter).into_iter().flatten() {
                if *holder == to {
                    let mut path = self.way_to(waiter, &reached_from);
                    path.extend(waits.first().map(Edge::entry));
                    return Some(path);
                }
                reached_from.entry(*holder).or_insert_with(|| {
                    to_visit.push(*holder);
                    Some(waiter)
                });
            }
        }
        None
    }

    fn way_to(&self, end: Txn, reached_from: &HashMap<Txn, Option<Txn>>) -> Vec<WaitForEntry> {
        let mut way = Vec::new();
        let mut holder = end;
        while let Some(Some(waiter)) = reached_from.get(&holder) {
            let waits = self.edges.get(waiter).and_then(|held| held.get(&holder));
            way.extend(waits.and_then(|waits| waits.first()).map(Edge::entry));
            holder = *waiter;
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(waiter: Txn, holder: Txn, key: &'static str) -> Edge {
        Edge { waiter, holder, key: key.into(), tag: Bytes::new() }
    }

    fn chain(deadlock: &kvrpcpb::Deadlock) -> Vec<(Txn, Txn, &[u8])> {
        deadlock.wait_chain.iter().map(|entry| (entry.txn, entry.wait_for_txn, &entry.key[..])).collect()
    }

    #[test]
    fn a_wait_that_closes_a_circle_is_refused_with_the_circle() {
        let mut graph = Graph::default();
        graph.add(edge(2, 3, "b")).unwrap();
        graph.add(edge(2, 9, "x")).unwrap();
        graph.add(edge(3, 1, "c")).unwrap();
        let deadlock = graph.add(edge(1, 2, "a")).unwrap_err();
        assert_eq!(chain(&deadlock), [(2, 3, &b"b"[..]), (3, 1, b"c"), (1, 2, b"a")]);
        assert_eq!((deadlock.lock_ts, &deadlock.lock_key[..]), (2, &b"a"[..]));
        assert_eq!((deadlock.deadlock_key_hash, &deadlock.deadlock_key[..]), (fingerprint::of(b"c"), &b"c"[..]));
    }

    #[test]
    fn two_that_wait_for_each_other_are_a_circle() {
        let mut graph = Graph::default();
        graph.add(edge(1, 2, "a")).unwrap();
        let deadlock = graph.add(edge(2, 1, "b")).unwrap_err();
        assert_eq!(chain(&deadlock), [(1, 2, &b"a"[..]), (2, 1, b"b")]);
    }

    #[test]
    fn what_no_longer_waits_closes_no_circle() {
        let mut graph = Graph::default();
        let wait = edge(1, 2, "a");
        graph.add(wait.clone()).unwrap();
        graph.remove(&wait);
        graph.add(edge(2, 1, "b")).unwrap();
        assert_eq!(graph.edges.len(), 1);
    }

    #[test]
    fn a_transaction_waits_as_long_as_one_of_its_requests_does() {
        let mut graph = Graph::default();
        let wait = edge(1, 2, "a");
        graph.add(wait.clone()).unwrap();
        graph.add(wait.clone()).unwrap();
        graph.remove(&wait);
        assert!(graph.add(edge(2, 1, "b")).is_err());
        graph.remove(&wait);
        assert!(graph.add(edge(2, 1, "b")).is_ok());
    }

    #[test]
    fn those_who_wait_for_the_same_are_no_circle() {
        let mut graph = Graph::default();
        for (waiter, holder) in [(1, 4), (2, 4), (1, 2), (3, 1), (3, 2)] {
            graph.add(edge(waiter, holder, "a")).unwrap();
        }
    }
}
