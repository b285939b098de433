//! How a client learns of its servers: `config get cluster`, as ElastiCache answers it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use bytes::BytesMut;

use crate::{DecodeError, DecodeFailure};

const WHAT: &str = "cluster configuration";

/// The servers of a cluster.
///
/// ```
/// use bytes::BytesMut;
/// use charioteer_proto::memcached::cluster::{ClusterConfig, Node};
///
/// let config = ClusterConfig::parse(b"12\ncache1.example|10.0.0.1|11211 cache2.example||11211\n").unwrap();
/// assert_eq!(config.version, 12);
/// let first = Node { host: "cache1.example".into(), address: "10.0.0.1".into(), port: 11211 };
/// assert_eq!(config.nodes[0], first);
/// assert_eq!(config.nodes[1].address, "");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Grows with every change.
    pub version: u64,
    /// The servers.
    pub nodes: Vec<Node>,
}

/// A server of a cluster.
///
/// ```
/// use charioteer_proto::memcached::cluster::Node;
///
/// let node = Node { host: "localhost".into(), address: String::new(), port: 11211 };
/// assert_eq!(node.port, 11211);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub host: String,
    /// Its address; empty, if only the name is known.
    pub address: String,
    /// Its port.
    pub port: u16,
}

impl ClusterConfig {
    /// Reads it: a number, a line break, `host|address|port` with spaces between them.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &[u8]) -> Result<Self, DecodeError> {
        let fail = |offset, failure| DecodeError { what: WHAT, offset, failure };
        let text = core::str::from_utf8(text).map_err(|error| fail(error.valid_up_to(), DecodeFailure::NotUtf8))?;
        let (version, nodes) = text.split_once('\n').ok_or_else(|| fail(text.len(), DecodeFailure::CutShort))?;
        let version = version.trim().parse().map_err(|_| fail(0, DecodeFailure::Missing))?;
        let nodes = nodes.split_whitespace().map(|node| {
            let offset = || node.as_ptr().addr() - text.as_ptr().addr();
            Node::parse(node).ok_or_else(|| fail(offset(), DecodeFailure::Missing))
        });
        Ok(Self { version, nodes: nodes.collect::<Result<_, _>>()? })
    }

    /// Appends it.
    pub fn write(&self, out: &mut BytesMut) {
        // Writing to memory does not fail.
        let _ = writeln!(out, "{}", self.version);
        for (index, Node { host, address, port }) in self.nodes.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            let _ = write!(out, "{space}{host}|{address}|{port}");
        }
        out.extend_from_slice(b"\n");
    }
}

impl Node {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let (host, address, port) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
        let is_whole = parts.next().is_none() && !host.is_empty();
        is_whole.then(|| Self { host: host.to_owned(), address: address.to_owned(), port })
    }
}
