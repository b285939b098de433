//! Why a server can't start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fmt, io};

/// Why a server can't start.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An address can't be listened on.
    Listen {
        /// What was to be served there.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A Unix socket can't be listened on.
    ListenUnix {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What TLS needs can't be read, or makes no sense.
    Tls(String),
    /// Pegasus' addresses travel as IPv4.
    NotIpv4(SocketAddr),
    /// An address that others can reach, without authentication, and without the option that allows it.
    NotLoopback(SocketAddr),
    /// A limit of zero, which would let nothing through.
    LimitOfZero(&'static str),
    /// Further meta servers or nodes were given, but no first address for Pegasus.
    NoPegasus,
    /// TiKV can't be served so.
    Tikv(&'static str),
    /// The store can't be opened.
    Store(charioteer_engine::Error),
    /// A table that should exist from the start can't be made.
    Table {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { what, address, .. } => write!(f, "cannot listen on {address} for {what}"),
            Self::ListenUnix { path, .. } => write!(f, "cannot listen on {} for memcached", path.display()),
            Self::Tls(why) => write!(f, "cannot speak TLS: {why}"),
            Self::NotIpv4(address) => {
                write!(f, "cannot serve Pegasus on {address}: its clients know IPv4 addresses only, use one of those")
            }
            Self::NotLoopback(address) => write!(
                f,
                "refusing to listen on {address} without authentication: anyone who reaches it could read and write \
                 everything; use a loopback address, or allow it with --allow-remote"
            ),
            Self::LimitOfZero(what) => write!(f, "the limit on {what} is 0, which lets nothing through; give it a larger one"),
            Self::NoPegasus => {
                f.write_str("further Pegasus meta servers or nodes were given while Pegasus itself is off; give --pegasus an address")
            }
            Self::Tikv(why) => write!(f, "cannot serve TiKV: {why}"),
            Self::Store(_) => f.write_str("cannot open the store"),
            Self::Table { name, reason } => write!(f, "cannot make table {name}: {reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::ListenUnix { source, .. } => Some(source),
            Self::Store(source) => Some(source),
            _ => None,
        }
    }
}
