//! What a test can do to Pegasus.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Weak};

use charioteer_engine::table::{TableInfo, TableStatus};
use charioteer_proto::pegasus::key;
use charioteer_proto::pegasus::rpc::Call;

use super::{Arrival, Error, Fault, Injected, Seen};
use crate::backend::{Backend, Embedded};
use crate::pegasus::hooks::Hooks;
use crate::pegasus::{Placement, Ports, parent_of, plain_table};
use crate::{Addresses, Server};

/// What a test can do to Pegasus; clones do it to the same.
///
/// Nodes, meta servers and partitions are named by their numbers, from 0; tables by their names. What names one that is not there
/// gives an [`Error`].
///
/// ```
/// use charioteer_server::testing::TestServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestServer::builder().nodes(3).start().await?;
/// let pegasus = server.pegasus();
/// let partition = pegasus.partition_of("temp", "user 17")?;
/// let node = pegasus.primary("temp", partition)?.ok_or("no primary")?;
/// pegasus.stop_node(node).await?;
/// // … a client can't reach its row …
/// pegasus.fail_over(node)?;
/// assert_ne!(pegasus.primary("temp", partition)?, Some(node));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Pegasus {
    hooks: Arc<Hooks>,
    /// Weak, so that a server that has stopped lets go of its data.
    ports: Weak<Ports<Embedded>>,
    addresses: Addresses,
}

impl Pegasus {
    pub(super) fn new(hooks: Arc<Hooks>, server: &Server) -> Self {
        let ports = server.pegasus().map(Arc::downgrade).unwrap_or_default();
        Self { hooks, ports, addresses: server.addresses().clone() }
    }

    /// Makes a table and gives its id.
    ///
    /// # Errors
    /// When there is one of that name that was made otherwise, or it can't be made.
    pub async fn create_table(&self, name: &str, partitions: i32) -> Result<i32, Error> {
        let made = self.ports()?.service().backend().create(plain_table(name, partitions)).await;
        made.map(|table| table.id).map_err(|error| about(name, &error))
    }

    /// Drops a table.
    ///
    /// # Errors
    /// When there is none of that name, or it can't be dropped.
    pub async fn drop_table(&self, name: &str) -> Result<(), Error> {
        let dropped = self.ports()?.service().backend().drop_table(name, false, None).await;
        dropped.map_err(|error| about(name, &error))
    }

    /// Where the meta servers listen, or did.
    #[must_use]
    pub fn metas(&self) -> Vec<SocketAddr> {
        self.addresses.pegasus_metas.clone()
    }

    /// Where the nodes listen, or did.
    #[must_use]
    pub fn nodes(&self) -> Vec<SocketAddr> {
        match &self.addresses {
            Addresses { pegasus_nodes, pegasus, .. } if pegasus_nodes.is_empty() => pegasus.iter().copied().collect(),
            Addresses { pegasus_nodes, .. } => pegasus_nodes.clone(),
        }
    }

    /// The partition of the rows of a hash key that is not empty.
    ///
    /// # Errors
    /// When there is no such table.
    pub fn partition_of(&self, table: &str, hash_key: impl AsRef<[u8]>) -> Result<u32, Error> {
        let count = self.table(table)?.partition_count.cast_unsigned();
        let partition = key::crc64(hash_key.as_ref()) % u64::from(count.max(1));
        u32::try_from(partition).map_err(|_| Error::NoTable(table.to_owned()))
    }

    /// The node that is a partition's primary, if one is.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn primary(&self, table: &str, partition: u32) -> Result<Option<usize>, Error> {
        Ok(self.placement(table, partition)?.primary)
    }

    /// A partition's ballot, which goes up each time it is moved.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn ballot(&self, table: &str, partition: u32) -> Result<i64, Error> {
        Ok(self.placement(table, partition)?.ballot)
    }

    /// Makes a node a partition's primary. The one before becomes a secondary, which turns clients away (`ERR_INVALID_STATE`). Open
    /// scans of the partition are lost.
    ///
    /// # Errors
    /// When there is no such partition or node.
    pub fn move_primary(&self, table: &str, partition: u32, node: usize) -> Result<(), Error> {
        self.check_node(node)?;
        self.change(table, partition, |placement| placement.move_primary(node))
    }

    /// Makes a node the primary of all partitions of a table.
    ///
    /// # Errors
    /// When there is no such table or node.
    pub fn move_primaries(&self, table: &str, node: usize) -> Result<(), Error> {
        (0..self.table(table)?.partition_count.cast_unsigned())
            .try_for_each(|partition| self.move_primary(table, partition, node))
    }

    /// Puts a partition's replicas on these nodes, the primary on the first of them. The others have none and say so
    /// (`ERR_OBJECT_NOT_FOUND`).
    ///
    /// # Errors
    /// When there is no such partition or node.
    pub fn place(&self, table: &str, partition: u32, nodes: &[usize]) -> Result<(), Error> {
        nodes.iter().try_for_each(|node| self.check_node(*node))?;
        self.change(table, partition, |placement| placement.place(nodes))
    }

    /// Leaves a partition without a primary, until it is moved: meta servers tell no address, and the nodes that have replicas turn
    /// clients away (`ERR_INVALID_STATE`).
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn lose_primary(&self, table: &str, partition: u32) -> Result<(), Error> {
        self.change(table, partition, Placement::lose_primary)
    }

    /// Shows a partition as still being split off the one half the table before it, until [`ready`](Self::ready): it has a negative
    /// ballot and no replica, and clients are to turn to the other one, which answers for it.
    ///
    /// # Errors
    /// When there is no such partition, or it is none of the second half of an even number.
    pub fn unready(&self, table: &str, partition: u32) -> Result<(), Error> {
        let info = self.table(table)?;
        if info.partition_count % 2 != 0 || parent_of(&info, partition).is_none() {
            return Err(Error::NotSplit { table: table.to_owned(), partition });
        }
        self.change(table, partition, |placement| placement.ready = false)
    }

    /// Ends the split of [`unready`](Self::unready); all rows are where they belong.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn ready(&self, table: &str, partition: u32) -> Result<(), Error> {
        self.change(table, partition, |placement| placement.ready = true)
    }

    /// Has a meta server lead; the others send clients on to it.
    ///
    /// # Errors
    /// When there is no such meta server.
    pub fn lead(&self, meta: usize) -> Result<(), Error> {
        self.check_meta(meta)?;
        self.hooks.shape.lead(Some(meta));
        Ok(())
    }

    /// Has no meta server lead, until [`lead`](Self::lead): all send clients on, and name nobody to whom.
    pub fn lose_leader(&self) {
        self.hooks.shape.lead(None);
    }

    /// Has the meta servers that do not lead name this address in place of the leader's, until [`lead`](Self::lead).
    pub fn forward_to(&self, address: SocketAddrV4) {
        self.hooks.shape.forward_to(address);
    }

    /// Stops a node: its port is closed, with all connections to it. Its partitions stay with it, as they do in a real cluster for a
    /// while; [`fail_over`](Self::fail_over) moves them. Its open scans are lost. A node that shares its port with a meta server takes it along.
    ///
    /// # Errors
    /// When there is no such node.
    pub async fn stop_node(&self, node: usize) -> Result<(), Error> {
        self.check_node(node)?;
        let ports = self.ports()?;
        ports.close(|port| port.node == Some(node)).await;
        let service = ports.service();
        let is_there =
            |table: &TableInfo, partition| service.cluster().placement(table, partition).primary == Some(node);
        service.backend().forget_scans(is_there);
        Ok(())
    }

    /// Starts a node again, on the same port.
    ///
    /// # Errors
    /// When there is no such node, or the port can't be listened on.
    pub async fn start_node(&self, node: usize) -> Result<(), Error> {
        self.check_node(node)?;
        self.ports()?.reopen(|port| port.node == Some(node)).await.map_err(Error::Listen)
    }

    /// Stops a meta server: its port is closed, with all connections to it. Who leads stays as it is; [`lead`](Self::lead) changes it.
    ///
    /// # Errors
    /// When there is no such meta server.
    pub async fn stop_meta(&self, meta: usize) -> Result<(), Error> {
        self.check_meta(meta)?;
        self.ports()?.close(|port| port.meta == Some(meta)).await;
        Ok(())
    }

    /// Starts a meta server again, on the same port.
    ///
    /// # Errors
    /// When there is no such meta server, or the port can't be listened on.
    pub async fn start_meta(&self, meta: usize) -> Result<(), Error> {
        self.check_meta(meta)?;
        self.ports()?.reopen(|port| port.meta == Some(meta)).await.map_err(Error::Listen)
    }

    /// Moves all partitions of which a node is the primary, of all tables: each to the first live node that has a replica of it, or
    /// else to the next live node.
    ///
    /// # Errors
    /// When there is no such node, or no other that is live. Nothing is moved then.
    pub fn fail_over(&self, node: usize) -> Result<(), Error> {
        self.check_node(node)?;
        let (ports, count) = (self.ports()?, self.nodes().len());
        let is_live = |other: &usize| *other != node && ports.is_open(|port| port.node == Some(*other));
        let next = (node + 1..count).chain(0..node).find(is_live).ok_or(Error::NobodyLeft { node })?;
        let tables = ports.service().backend().list();
        for table in tables.iter().filter(|table| table.status == TableStatus::Available) {
            for partition in 0..table.partition_count.cast_unsigned() {
                let placement = ports.service().cluster().placement(table, partition);
                if placement.primary == Some(node) {
                    let heir = placement.nodes().into_iter().find(is_live).unwrap_or(next);
                    change_placement(&ports, table, partition, |placement| placement.move_primary(heir));
                }
            }
        }
        Ok(())
    }

    /// Has a fault take effect, for as long as what is returned lives.
    pub fn inject(&self, fault: Fault) -> Injected {
        self.hooks.faults.inject(fault)
    }

    /// How many scans wait to be gone on with, of all tables; 0 when the server has stopped.
    #[must_use]
    pub fn open_scans(&self) -> usize {
        self.ports().map_or(0, |ports| ports.service().backend().open_scans())
    }

    /// Forgets all scans, as if nobody had gone on with them for five minutes: clients that do learn that there is none.
    pub fn expire_scans(&self) {
        if let Ok(ports) = self.ports() {
            ports.service().backend().forget_scans(|_, _| true);
        }
    }

    /// How many requests of a call have arrived.
    #[must_use]
    pub fn requests(&self, call: Call) -> u64 {
        self.hooks.seen.now(|seen| seen.requests(call))
    }

    /// How many connections are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.hooks.seen.now(Seen::connections)
    }

    /// Waits until so many requests of a call have arrived.
    pub async fn arrived(&self, call: Call, count: u64) {
        self.until(|seen| seen.requests(call) >= count).await;
    }

    /// Waits until what has been seen is as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Seen) -> bool) {
        self.hooks.seen.until(wanted).await;
    }

    /// The last request of a call.
    #[must_use]
    pub fn last_request(&self, call: Call) -> Option<Arrival> {
        self.hooks.seen.last(call)
    }

    /// The last 10,000 requests, the oldest first.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.hooks.seen.arrivals()
    }

    pub(super) fn leader(&self) -> Option<usize> {
        self.hooks.shape.leader()
    }

    fn ports(&self) -> Result<Arc<Ports<Embedded>>, Error> {
        self.ports.upgrade().ok_or(Error::Stopped)
    }

    fn table(&self, name: &str) -> Result<TableInfo, Error> {
        self.ports()?.service().backend().find(name).ok_or_else(|| Error::NoTable(name.to_owned()))
    }

    fn partition(&self, table: &str, partition: u32) -> Result<TableInfo, Error> {
        let info = self.table(table)?;
        if partition < info.partition_count.cast_unsigned() {
            Ok(info)
        } else {
            Err(Error::NoPartition { table: table.to_owned(), partition })
        }
    }

    fn placement(&self, table: &str, partition: u32) -> Result<Placement, Error> {
        let info = self.partition(table, partition)?;
        Ok(self.ports()?.service().cluster().placement(&info, partition))
    }

    fn change(&self, table: &str, partition: u32, change: impl FnOnce(&mut Placement)) -> Result<(), Error> {
        let info = self.partition(table, partition)?;
        change_placement(&*self.ports()?, &info, partition, change);
        Ok(())
    }

    fn check_node(&self, node: usize) -> Result<(), Error> {
        if node < self.nodes().len() { Ok(()) } else { Err(Error::NoNode(node)) }
    }

    fn check_meta(&self, meta: usize) -> Result<(), Error> {
        if meta < self.addresses.pegasus_metas.len() { Ok(()) } else { Err(Error::NoMeta(meta)) }
    }
}

/// Changes where a partition is. Its open scans are lost by that, since each is known to one node only.
fn change_placement(ports: &Ports<Embedded>, table: &TableInfo, partition: u32, change: impl FnOnce(&mut Placement)) {
    ports.service().cluster().change(table, partition, change);
    ports.service().backend().forget_scans(|of, index| of.id == table.id && index == partition);
}

fn about(name: &str, error: &crate::backend::Error) -> Error {
    Error::Table { name: name.to_owned(), reason: error.to_string() }
}
