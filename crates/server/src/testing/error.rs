//! What a test can ask for that can't be done.

use std::fmt;

/// Why something that a test asked for was not done.
///
/// ```
/// use charioteer_server::testing::{Error, TestServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let server = TestServer::start().await;
/// let moved = server.pegasus().move_primary("temp", 8, 0);
/// assert!(matches!(moved, Err(Error::NoPartition { partition: 8, .. })));
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no table of that name.
    NoTable(String),
    /// A table has no such partition.
    NoPartition {
        /// The table's name.
        table: String,
        /// The partition's index.
        partition: u32,
    },
    /// A partition that is none of the second half of its table can't have been split off another.
    NotSplit {
        /// The table's name.
        table: String,
        /// The partition's index.
        partition: u32,
    },
    /// There is no such node.
    NoNode(usize),
    /// There is no such meta server.
    NoMeta(usize),
    /// The regions of TiKV can't be changed so.
    Tikv(String),
    /// There is no such TiKV store.
    NoStore(usize),
    /// A node has no live node beside it that could take its place.
    NobodyLeft {
        /// The node.
        node: usize,
    },
    /// A table can't be made or dropped.
    Table {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A port can't be listened on again.
    Listen(crate::Error),
    /// The server has stopped.
    Stopped,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable(name) => write!(f, "there is no table {name}"),
            Self::NoPartition { table, partition } => write!(f, "table {table} has no partition {partition}"),
            Self::NotSplit { table, partition } => {
                write!(f, "partition {partition} of table {table} can't have been split off another")
            }
            Self::NoNode(node) => write!(f, "there is no node {node}"),
            Self::Tikv(why) => write!(f, "TiKV: {why}"),
            Self::NoStore(store) => write!(f, "there is no store {store}"),
            Self::NoMeta(meta) => write!(f, "there is no meta server {meta}"),
            Self::NobodyLeft { node } => write!(f, "no live node can take the place of node {node}"),
            Self::Table { name, reason } => write!(f, "table {name}: {reason}"),
            Self::Listen(_) => f.write_str("cannot listen again"),
            Self::Stopped => f.write_str("the server has stopped"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen(source) => Some(source),
            _ => None,
        }
    }
}
