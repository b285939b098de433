//! A server for key–value protocols in one process.
//!
//! [`Server::start`] listens, serves Apache Pegasus' protocol over an embedded store and memcached's over
//! items in memory, and answers health and metrics over HTTP.
//! Original clients use it unchanged. `COMPAT.md` at the root of the project lists every known difference from the real servers.
//! [`testing`] is the same for tests of clients, with hooks that a real cluster can't offer.
//!
//! The way of a request: a listener's accept loop hands the connection to its loop, which takes whole requests off the stream; the
//! protocol's handlers decode one, ask the [`Backend`](backend::Backend), and encode the reply. Handlers hold no lock and no data.
//!
//! ```
//! use charioteer_server::{Options, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), charioteer_server::Error> {
//! let server = Server::start(Options::for_tests()).await?;
//! assert!(server.addresses().pegasus.is_some());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

pub mod backend;
mod connection;
mod control;
mod error;
mod grpc;
mod hooks;
mod http;
mod limits;
mod listener;
mod memcached;
mod metrics;
mod opening;
mod options;
mod pegasus;
mod port;
mod running;
mod server;
mod taken;
pub mod testing;
mod tikv;
mod tls;

pub use control::CONTROL_SOCKET;
pub use error::Error;
pub use limits::Limits;
pub use memcached::{Credentials, MemcachedCluster, MemcachedOptions, OverTls, UnixSocket};
pub use options::{Data, Options};
pub use pegasus::{HostPorts, PegasusOptions};
pub use server::{Addresses, Server};
pub use tikv::{TikvApi, TikvOptions};
pub use tls::{ClientCertificates, Pem, Tls};
